import type { Btf } from './btf.js';
import { elementCount, HEAD_WORDS, KIND_SHAPES, kindName, ROLE_STRING, ROLE_TYPE } from './kinds.js';
import { NameBudget } from './names.js';

/**
 * One JSON document `{"types": [...]}`, in pieces. A type is `{id, kind, name, vlen, kindFlag, typeId | size, fixed,
 * elements}`: the words of its record with names in place of string offsets, in the order of include/uapi/linux/btf.h.
 * Throws `btf-strings` for a small file whose names would make a huge document.
 */
export function* formatJson(btf: Btf): Generator<string> {
  yield '{"types": [';
  const budget = new NameBudget(btf);
  let lines: string[] = [];
  for (let id = btf.firstId; id < btf.endId; id++) {
    lines.push(`${id === btf.firstId ? '' : ','}\n${JSON.stringify(typeToJson(btf, id, budget))}`);
    if (lines.length < 256) continue;
    yield lines.join('');
    lines = [];
  }
  yield `${lines.join('')}\n]}\n`;
}

function typeToJson(btf: Btf, id: number, budget: NameBudget): object {
  const kind = btf.kind(id);
  const shape = KIND_SHAPES[kind];
  const words = btf.words;
  const at = btf.start(id);
  const name = (offset: number): string => {
    const text = btf.string(offset);
    budget.spend(text.length);
    return text;
  };
  const field = (index: number): number | string =>
    btf.roles[index] === ROLE_STRING ? name(words[index]) : words[index];
  const elementsAt = at + HEAD_WORDS + shape.fixed.length;
  return {
    id,
    kind: kindName(kind),
    name: name(words[at]),
    vlen: btf.vlen(id),
    kindFlag: btf.kindFlag(id),
    ...(shape.third === ROLE_TYPE ? { typeId: words[at + 2] } : { size: words[at + 2] }),
    fixed: shape.fixed.map((_, i) => field(at + HEAD_WORDS + i)),
    elements: Array.from({ length: elementCount(kind, btf.vlen(id)) }, (_, i) =>
      shape.element.map((_, j) => field(elementsAt + i * shape.element.length + j)),
    ),
  };
}
