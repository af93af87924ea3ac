import type { Btf } from '../btf/btf.js';
import { kindByName } from '../btf/kinds.js';
import type { NameIndex } from '../btf/names.js';
import { CodedError } from '../errors.js';
import type { Root } from './root.js';

/**
 * Roots from a text: one type id or one `kind:name` (`struct:sk_buff`, `func:tcp_sendmsg`) a line; `#` starts a
 * comment. A name stands for every type of that kind and name. Throws `roots-file` and `roots-unknown` with the line.
 */
export function parseRootsFile(text: string, file: string, btf: Btf, names: NameIndex): Root[] {
  const roots: Root[] = [];
  const met = new Set<string>();
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.replace(/#.*/, '').trim();
    // The same line again would name the same types again, of which there may be many.
    if (line === '' || met.has(line)) continue;
    met.add(line);
    const ids = idsOf(line, btf, names);
    const where = `line ${i + 1}: ${line.slice(0, 80)}`;
    if (ids === undefined) throw new CodedError('roots-file', where, { file });
    if (ids.length === 0) throw new CodedError('roots-unknown', where, { file });
    for (const id of ids) roots.push({ id, reason: 'keep', source: line });
  }
  return roots;
}

/**
 * The types that a person means by `123`, `struct:sk_buff` or `sk_buff` (any kind). Empty when there is none; undefined
 * when the text is none of these.
 */
export function idsOf(text: string, btf: Btf, names: NameIndex): number[] | undefined {
  if (/^\d+$/.test(text)) {
    const id = Number(text);
    return id > 0 && id < btf.endId ? [id] : [];
  }
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  const kind = kindByName(text.slice(0, colon));
  return kind === undefined || colon === text.length - 1 ? undefined : names.all(text.slice(colon + 1), kind);
}
