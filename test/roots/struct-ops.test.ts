import test from 'ava';
import { fixture } from '../support/fixtures.js';
import { IndependentElf } from '../support/independent-elf.js';
import { bpftoolNames, withKernel } from '../support/kernel-roots.js';
import { type KernelName, SAMPLE_KERNELS, type SampleKernel } from '../support/kernels.js';
import { haveTool } from '../support/tools.js';

/** net/bpf/bpf_dummy_struct_ops.c and net/ipv4/bpf_tcp_ca.c; beside them kernel/sched/ext.c and io_uring/bpf-ops.c. */
const LEAN = {
  bpf_dummy_ops: '__bpf_bpf_dummy_ops',
  tcp_congestion_ops: '__bpf_ops_tcp_congestion_ops',
};

/** The struct_ops of each kernel with the symbol of the table of its stubs, as the kernel's sources name them. */
const TABLES: Readonly<Record<KernelName, Readonly<Record<string, string>>>> = {
  'arm64-virt': { ...LEAN, sched_ext_ops: '__bpf_ops_sched_ext_ops' },
  'armv7-virt': { ...LEAN, sched_ext_ops: '__bpf_ops_sched_ext_ops' },
  'armv7-virt-7.2': { ...LEAN, io_uring_bpf_ops: 'io_bpf_ops_stubs' },
  'mips32-malta-be': LEAN,
  'mips64-malta-be': LEAN,
  'riscv64-virt': LEAN,
  'x86_64-pc': LEAN,
};

/** Names of the functions to which the words of a table point: on ARM bit 0 of an address tells Thumb code. */
function functionsIn(elf: IndependentElf, table: string, { machine }: SampleKernel): string[] {
  const codeAddress = (pointer: number): number => (machine === 40 ? pointer - (pointer % 2) : pointer);
  const names = new Map<number, string[]>();
  for (const { type, value, name } of elf.symbols)
    if (type === 'FUNC') names.set(codeAddress(value), [...(names.get(codeAddress(value)) ?? []), name]);
  return elf
    .pointers(elf.symbol(table))
    .flatMap(pointer => names.get(codeAddress(pointer)) ?? [`nothing at 0x${pointer.toString(16)}`]);
}

for (const [name, tables] of Object.entries(TABLES)) {
  const path = fixture(`${name}/vmlinux`);

  test(`the struct_ops of ${name} are found, with their value structs`, async t => {
    await withKernel(name, ({ btf }, { structOps, roots }) => {
      t.deepEqual(structOps, Object.keys(tables).sort());
      const named = roots.filter(root => root.reason === 'struct_ops').map(root => btf.name(root.id));
      for (const ops of Object.keys(tables))
        t.true(named.includes(ops) && named.includes(`bpf_struct_ops_${ops}`), ops);
      t.true(named.includes('bpf_struct_ops_common_value'));
    });
  });

  for (const [ops, table] of Object.entries(tables)) {
    test(`the stubs of ${ops} are the functions that its table points to: ${name}`, async t => {
      if (!haveTool(t, 'readelf', 'binutils') || !haveTool(t, 'bpftool', 'bpftool')) return;
      const types = await bpftoolNames(path);
      const known = new Set(types);
      const told = functionsIn(IndependentElf.of(path), table, SAMPLE_KERNELS[name as KernelName]).filter(stub =>
        known.has(`func:${stub}`),
      );
      t.true(told.length >= 1);
      await withKernel(name, (_, { roots }) => {
        const ours = roots.filter(root => root.reason === 'stub' && root.source.startsWith(`${ops}.`));
        t.deepEqual(
          [...new Set(ours.map(root => types[root.id]))].sort(),
          [...new Set(told.map(s => `func:${s}`))].sort(),
        );
      });
    });
  }
}

test('stubs are named after the member that they stand for', async t => {
  await withKernel('mips32-malta-be', ({ btf }, { roots }) => {
    const stubs = roots.filter(root => root.reason === 'stub').map(root => `${root.source}: ${btf.name(root.id)}`);
    t.true(stubs.includes('tcp_congestion_ops.cong_avoid: bpf_tcp_ca_cong_avoid'), stubs.join('\n'));
    t.true(stubs.includes('bpf_dummy_ops.test_sleepable: bpf_dummy_test_sleepable'));
  });
});
