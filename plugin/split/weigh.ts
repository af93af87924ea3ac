import type { Btf } from '../btf/btf.js';
import { layOut } from '../btf/header.js';
import type { Closure } from './closure.js';
import { sideRuns } from './runs.js';
import { StringPartition } from './strings.js';

/** Bytes of the base that a closure makes, without padding: what `partition` would write. */
export function baseBytes(btf: Btf, closure: Closure): number {
  const { baseLength } = new StringPartition(btf, sideRuns(btf, closure.ids));
  const header = layOut(btf.order, btf.header.flags, closure.words * 4, btf.layout.length, baseLength);
  return header.length + header.strings.offset + baseLength;
}
