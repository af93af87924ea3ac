import type { Count, Report, Side } from '../../plugin/report/model.js';

const count = (types: number, bytes: number): Count => ({ types, bytes });
const side = (types: number, bytes: number): Side => ({
  types,
  bytes,
  typeBytes: bytes - 100,
  stringBytes: 76,
  headerBytes: 24,
  compressed: { gzip: Math.floor(bytes / 3), xz: null },
});

/** A report of a made-up kernel: every part is there; xz is not installed. */
export const REPORT: Report = {
  schemaVersion: 1,
  tool: { name: 'vmlinux-btf', version: '1.2.3' },
  input: {
    file: 'vmlinux',
    kind: 'vmlinux',
    bytes: 5_000_000,
    sha256: 'ab'.repeat(32),
    btfBytes: 12_345,
    architecture: 'ARM 32 bit little-endian',
    vermagic: '6.12.0 SMP mod_unload ARMv7',
  },
  closure: 'complete',
  full: side(1000, 12_300),
  base: side(100, 2_300),
  rest: side(900, 10_000),
  padding: 1_234,
  kinds: [{ kind: 'struct', full: count(10, 1_000), base: count(1, 100), rest: count(9, 900) }],
  reasons: [
    { reason: 'kfunc', roots: 3, types: 100, typeBytes: 2_000, stringBytes: 200, bytes: 2_200 },
    { reason: 'rest', roots: 0, types: 900, typeBytes: 9_000, stringBytes: 1_075, bytes: 10_075 },
    { reason: 'header', roots: 0, types: 0, typeBytes: 0, stringBytes: 1, bytes: 25 },
  ],
  largest: [
    { id: 7, kind: 'struct', name: 'task_struct', bytes: 900, side: 'base' },
    { id: 1_007, kind: 'enum', name: '', bytes: 800, side: 'rest' },
  ],
  image: {
    before: { bytes: 4_000_000, compressed: { gzip: 2_000_000, xz: null } },
    after: { bytes: 4_000_000, compressed: { gzip: 1_500_000, xz: null } },
    ramResident: 12_745,
    ramSaved: 3_600,
    ramSavedByRelinking: 9_999,
  },
  carrier: { bytes: 11_111, compressed: { gzip: 3_333, xz: null } },
  compressors: { gzip: 'gzip -9', xz: 'not measured: xz is not installed' },
  proved: ['the first invariant', 'the second invariant'],
  warnings: ['resolve_btfids left 1 ids at 0: struct:bpf_crypto_ctx'],
};
