import type { Count, Report, RetainedRow, Side } from '../../plugin/report/model.js';

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

const row = (per: RetainedRow['per'], name: string, roots: number, types: number, bytes: number): RetainedRow => ({
  per,
  name,
  roots,
  types,
  bytes,
});

/** The same with modules, with what `report` finds out, and measured with the kernel's own compressor. */
export const FULL_REPORT: Report = {
  ...REPORT,
  image: {
    before: { bytes: 4_000_000, compressed: { gzip: 2_000_000, xz: null, kernel: 1_600_000 } },
    after: { bytes: 4_000_000, compressed: { gzip: 1_500_000, xz: null, kernel: 1_210_000 } },
    ramResident: 12_745,
    ramSaved: 3_600,
    ramSavedByRelinking: 9_999,
  },
  compressors: { ...REPORT.compressors, kernel: 'lzma -9' },
  modules: {
    mode: 'keep',
    before: count(40, 1_500),
    after: count(43, 1_600),
    rows: [
      { name: 'kernel/net/bridge.ko', before: count(30, 1_100), after: count(32, 1_170), copied: 2, signature: 'none' },
      { name: 'kernel/net/<b>&.ko', before: count(10, 400), after: count(11, 430), copied: 1, signature: 'dropped' },
    ],
    duplicates: {
      types: 3,
      bytes: 108,
      rows: [
        { kind: 'struct', name: 'br_port', modules: 2, bytes: 84 },
        { kind: 'ptr', name: '', modules: 3, bytes: 24 },
      ],
    },
  },
  analysis: {
    retained: [
      row('root', 'func:bpf_skb_ct_lookup', 1, 12, 480),
      row('root', 'struct:sk_buff', 1, 2, 96),
      row('set', 'nf_ct_kfunc_set', 2, 12, 500),
      row('subsystem', 'netfilter', 2, 12, 500),
      row('rule', 'struct:sk_buff', 1, 2, 96),
      row('reason', 'kfunc', 3, 100, 2_275),
    ],
    curve: [count(20, 700), count(60, 1_500), count(100, 2_275)],
    treemap: [
      { reason: 'rest', kind: 'struct', types: 890, bytes: 8_500 },
      { reason: 'kfunc', kind: 'struct', name: 'task_struct', types: 1, bytes: 1_200 },
      { reason: 'kfunc', kind: 'func', types: 99, bytes: 1_000 },
      { reason: 'rest', kind: 'enum', name: '', types: 1, bytes: 900 },
      { reason: 'rest', kind: 'struct', name: '</svg><script>&"', types: 9, bytes: 675 },
      { reason: 'header', kind: '', types: 0, bytes: 25 },
    ],
  },
};

/** The same kernel as it was before. */
export const EARLIER_REPORT: Report = {
  ...FULL_REPORT,
  input: { ...REPORT.input, vermagic: '6.12.0 SMP preempt mod_unload ARMv7' },
  base: side(90, 2_000),
  full: side(990, 12_000),
};
