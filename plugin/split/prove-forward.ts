import type { Btf } from '../btf/btf.js';
import { ROLE_TYPE } from '../btf/kinds.js';
import { CodedError, type ErrorCode } from '../errors.js';
import { type Expansion, isLink, linksLeadingTo, standsFor } from './forward.js';

/** What closure `forward` promises on top of INVARIANTS, in words for the report. */
export const FORWARD_INVARIANTS = [
  'every type of base and rest is one of the input, or a FWD in the base for a struct or union that the rest defines',
  'every named definition stands once over base and rest',
  'no way from the rest through nameless types ends at a FWD whose definition the rest has',
] as const;

/**
 * Proves that an expansion says what its original says. `baseCount`: types of `expanded` with a new id up to this are in
 * the base. Throws an error with `code`.
 */
export function proveForward(
  original: Btf,
  expanded: Btf,
  expansion: Pick<Expansion, 'origin' | 'definition'>,
  newIds: Uint32Array,
  baseCount: number,
  code: ErrorCode,
): void {
  const { origin, definition } = expansion;
  const fail = (detail: string): never => {
    throw new CodedError(code, `closure forward: ${detail}`);
  };
  if (Buffer.compare(expanded.strings, original.strings) !== 0) fail('other strings');
  if (origin.length !== expanded.count + 1 || definition.length !== original.count + 1) fail('ids are missing');
  const standIn = new Uint8Array(expanded.count + 1);
  const definitions = new Uint8Array(original.count + 1);
  for (let id = 1; id <= expanded.count; id++) {
    const from = origin[id];
    if (from < origin[id - 1] || from === 0 || from > original.count) fail(`type ${id} comes from ${from}`);
    const inBase = newIds[id] <= baseCount;
    if (sameRecord(expanded, id, original, origin)) definitions[from]++;
    else if (inBase && standsFor(expanded, id, original, from)) standIn[id] = 1;
    else fail(`type ${id} is not type ${from} of the input`);
  }
  for (let id = 1; id <= original.count; id++) {
    const most = isLink(original, id) ? 2 : 1;
    if (definitions[id] < 1 || definitions[id] > most) fail(`type ${id} of the input stands ${definitions[id]} times`);
    if (origin[definition[id]] !== id || standIn[definition[id]] === 1) fail(`type ${id} is defined elsewhere`);
  }
  checkRest(expanded, standIn, newIds, baseCount, fail);
}

/** Word by word; a reference must come from what the original refers to. */
function sameRecord(expanded: Btf, id: number, original: Btf, origin: Uint32Array): boolean {
  let at = original.starts[origin[id] - 1];
  const length = original.starts[origin[id]] - at;
  if (expanded.starts[id] - expanded.starts[id - 1] !== length) return false;
  for (let i = expanded.starts[id - 1]; i < expanded.starts[id]; i++, at++) {
    const word = expanded.words[i];
    if ((original.roles[at] === ROLE_TYPE ? origin[word] : word) !== original.words[at]) return false;
  }
  return true;
}

/** Nothing of the rest refers to a stand-in, nor to a link of the base that leads to one. */
function checkRest(
  expanded: Btf,
  standIn: Uint8Array,
  newIds: Uint32Array,
  baseCount: number,
  fail: (detail: string) => never,
): void {
  const leads = linksLeadingTo(expanded, standIn, id => newIds[id] <= baseCount);
  for (let id = 1; id <= expanded.count; id++) {
    if (newIds[id] <= baseCount) continue;
    for (let i = expanded.starts[id - 1] + 2; i < expanded.starts[id]; i++) {
      const other = expanded.words[i];
      if (expanded.roles[i] === ROLE_TYPE && (standIn[other] === 1 || leads[other] === 1))
        fail(`type ${id} of the rest leads to a FWD, by type ${other}`);
    }
  }
}
