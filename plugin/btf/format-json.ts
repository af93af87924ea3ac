import type { Btf } from './btf.js';
import { elementCount, HEAD_WORDS, KIND_SHAPES, kindName, ROLE_STRING, ROLE_TYPE } from './kinds.js';

/**
 * One JSON document `{"types": [...]}`, in pieces. A type is `{id, kind, name, vlen, kindFlag, typeId | size, fixed,
 * elements}`: the words of its record with names in place of string offsets, in the order of include/uapi/linux/btf.h.
 */
export function* formatJson(btf: Btf): Generator<string> {
  yield '{"types": [';
  let lines: string[] = [];
  for (let id = btf.firstId; id < btf.endId; id++) {
    lines.push(`${id === btf.firstId ? '' : ','}\n${JSON.stringify(typeToJson(btf, id))}`);
    if (lines.length < 256) continue;
    yield lines.join('');
    lines = [];
  }
  yield `${lines.join('')}\n]}\n`;
}

function typeToJson(btf: Btf, id: number): object {
  const kind = btf.kind(id);
  const shape = KIND_SHAPES[kind];
  const words = btf.words;
  const at = btf.start(id);
  const field = (index: number): number | string =>
    btf.roles[index] === ROLE_STRING ? btf.string(words[index]) : words[index];
  const elementsAt = at + HEAD_WORDS + shape.fixed.length;
  return {
    id,
    kind: kindName(kind),
    name: btf.name(id),
    vlen: btf.vlen(id),
    kindFlag: btf.kindFlag(id),
    ...(shape.third === ROLE_TYPE ? { typeId: words[at + 2] } : { size: words[at + 2] }),
    fixed: shape.fixed.map((_, i) => field(at + HEAD_WORDS + i)),
    elements: Array.from({ length: elementCount(kind, btf.vlen(id)) }, (_, i) =>
      shape.element.map((_, j) => field(elementsAt + i * shape.element.length + j)),
    ),
  };
}
