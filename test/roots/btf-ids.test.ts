import test from 'ava';
import { fixture } from '../support/fixtures.js';
import { IndependentElf, type ToldSymbol } from '../support/independent-elf.js';
import { bpftoolNames, withKernel } from '../support/kernel-roots.js';
import { KERNELS, SAMPLE_KERNELS } from '../support/kernels.js';
import { haveTool } from '../support/tools.js';

/** What the section says, read from symbols and words alone. */
interface Told {
  /** Address of each word that a symbol names → `kind:name`. */
  readonly wanted: ReadonlyMap<number, string>;
  readonly sets: readonly (ToldSymbol & { readonly wide: boolean; readonly label: string })[];
  /** Addresses of words that are no ids: counts and flags. */
  readonly plain: ReadonlySet<number>;
}

function read(elf: IndependentElf): Told {
  const section = String(elf.section('.BTF_ids').index);
  const wanted = new Map<number, string>();
  const sets: Told['sets'][number][] = [];
  for (const symbol of elf.symbols) {
    if (symbol.section !== section || !symbol.name.startsWith('__BTF_ID__')) continue;
    const [kind, ...name] = symbol.name.slice('__BTF_ID__'.length).split('__');
    if (kind === 'set' || kind === 'set8') sets.push({ ...symbol, wide: kind === 'set8', label: name.join('__') });
    else wanted.set(symbol.value, `${kind}:${name.slice(0, -1).join('__')}`);
  }
  const plain = new Set<number>();
  for (const { value, size, wide } of sets) {
    plain.add(value);
    for (let at = value + 4; wide && at < value + size; at += 8) plain.add(at);
  }
  return { wanted, sets, plain };
}

/** Addresses of the ids of a set. */
const idsOf = ({ value, size, wide }: Told['sets'][number]): number[] =>
  Array.from({ length: size / (wide ? 8 : 4) - 1 }, (_, i) => value + (i + 1) * (wide ? 8 : 4));

/** Names of a set that no word of it stands for. */
function unresolvedOf(
  set: Told['sets'][number],
  elf: IndependentElf,
  wanted: Told['wanted'],
  types: readonly string[],
): string[] {
  const met = new Set(idsOf(set).map(address => types[elf.word(address)]));
  return idsOf(set).flatMap(address => {
    const name = wanted.get(address);
    return name === undefined || met.has(name) ? [] : [name];
  });
}

for (const name of KERNELS) {
  const path = fixture(`${name}/vmlinux`);

  test(`every id outside a set is the type that its symbol names: ${name}`, async t => {
    if (!haveTool(t, 'readelf', 'binutils') || !haveTool(t, 'bpftool', 'bpftool')) return;
    const elf = IndependentElf.of(path);
    const { wanted, sets } = read(elf);
    const types = await bpftoolNames(path);
    const inSets = new Set(sets.flatMap(idsOf));
    const listed = [...wanted].filter(([address]) => !inSets.has(address));
    t.true(listed.length > 50);
    const told = listed.filter(([address]) => elf.word(address) !== 0);
    for (const [address, text] of told) t.is(types[elf.word(address)], text);
    await withKernel(name, (_, { ids }) => {
      const labels = new Set(sets.map(set => set.label));
      const ours = ids.roots.filter(root => !labels.has(root.source)).map(root => root.id);
      t.deepEqual(
        ours.sort((a, b) => a - b),
        told.map(([address]) => elf.word(address)).sort((a, b) => a - b),
      );
    });
  });

  test(`every set holds the types that its symbols name, all of them and no other: ${name}`, async t => {
    if (!haveTool(t, 'readelf', 'binutils') || !haveTool(t, 'bpftool', 'bpftool')) return;
    const elf = IndependentElf.of(path);
    const { wanted, sets } = read(elf);
    const types = await bpftoolNames(path);
    t.true(sets.length >= 20);
    await withKernel(name, (_, { ids }) => {
      for (const set of sets) {
        const words = idsOf(set).map(address => elf.word(address));
        t.is(elf.word(set.value), words.length, set.label);
        const named = idsOf(set).flatMap(address => wanted.get(address) ?? []);
        const resolved = words.filter(id => id !== 0);
        const met = resolved.map(id => types[id]);
        t.deepEqual([...met, ...unresolvedOf(set, elf, wanted, types)].sort(), named.sort(), set.label);
        const ours = ids.roots.filter(root => root.source === set.label).map(root => root.id);
        t.deepEqual(ours, resolved, set.label);
      }
    });
  });

  test(`the slots are exactly the words that a symbol or a set says are ids: ${name}`, async t => {
    if (!haveTool(t, 'readelf', 'binutils')) return;
    const elf = IndependentElf.of(path);
    const { wanted, sets, plain } = read(elf);
    const { addr, size } = elf.section('.BTF_ids');
    const told = [...new Set([...wanted.keys(), ...sets.flatMap(idsOf)])].sort((a, b) => a - b);
    await withKernel(name, (_, { ids }) => {
      t.deepEqual(
        ids.slots.map(slot => ({ address: addr + slot.offset, id: slot.id })),
        told.map(address => ({ address, id: elf.word(address) })),
      );
    });
    const known = new Set(told);
    for (let address = addr; address < addr + size; address += 4)
      if (!known.has(address) && !plain.has(address)) t.is(elf.word(address), 0, address.toString(16));
  });

  test(`what resolve_btfids left at 0 is listed: ${name}`, async t => {
    if (!haveTool(t, 'readelf', 'binutils') || !haveTool(t, 'bpftool', 'bpftool')) return;
    const elf = IndependentElf.of(path);
    const { wanted, sets } = read(elf);
    const types = await bpftoolNames(path);
    const inSets = new Set(sets.flatMap(idsOf));
    const missing = [...wanted].filter(([address]) => !inSets.has(address) && elf.word(address) === 0);
    const told = [...missing.map(([, text]) => text), ...sets.flatMap(set => unresolvedOf(set, elf, wanted, types))];
    if (SAMPLE_KERNELS[name].lean) t.true(told.length > 0);
    else t.deepEqual(told, ['struct:bpf_crypto_ctx']);
    await withKernel(name, (_, { ids, warnings }) => {
      t.deepEqual([...ids.unresolved].sort(), [...told].sort());
      t.is(warnings.length, 1);
      t.true(warnings[0].startsWith(`resolve_btfids left ${told.length} ids at 0: ${ids.unresolved[0]}`), warnings[0]);
    });
  });

  test(`kfuncs that the verifier needs are roots, those of modules are not: ${name}`, async t => {
    await withKernel(name, ({ btf }, { roots }) => {
      const kfuncs = new Set(roots.filter(({ reason }) => reason === 'kfunc').map(({ id }) => btf.name(id)));
      for (const kfunc of ['bpf_rcu_read_lock', 'bpf_obj_new_impl', 'bpf_iter_num_new', 'bbr_ssthresh'])
        t.is(kfuncs.has(kfunc), kfunc !== 'bbr_ssthresh', kfunc);
    });
  });
}

/** Where a set or list of the fixtures is declared tells what it is for. */
const REASONS_OF: readonly (readonly [source: string, reason: string])[] = [
  ['common_btf_ids', 'kfunc'], // BTF_KFUNCS_START, kernel/bpf/helpers.c
  ['generic_btf_ids', 'kfunc'],
  ['special_kfunc_list', 'kfunc'], // kernel/bpf/verifier.c
  ['special_kfunc_set', 'kfunc'],
  ['kf_arg_btf_ids', 'kfunc'],
  ['bpf_test_modify_return_ids', 'fmod_ret'], // register_btf_fmodret_id_set, net/bpf/test_run.c
  ['generic_dtor_ids', 'dtor'],
  ['bpf_prog_test_dtor_kfunc_ids', 'dtor'],
  ['btf_sock_ids', 'helper'], // net/core/filter.c
  ['bpf_d_path_btf_ids', 'helper'], // kernel/trace/bpf_trace.c
  ['array_map_btf_ids', 'map'],
  ['sock_hash_map_btf_ids', 'map'],
  ['btf_seq_file_ids', 'iterator'],
  ['btf_bpf_prog_id', 'iterator'], // kernel/bpf/prog_iter.c
  ['bpf_lsm_hooks', 'lsm'],
  ['sleepable_lsm_hooks', 'lsm'],
  ['noreturn_deny', 'deny-list'], // kernel/bpf/verifier.c
  ['bpf_ctx_convert_btf_id', 'ctx'],
  ['st_ops_ids', 'struct_ops'], // kernel/bpf/bpf_struct_ops.c
  ['bpf_struct_ops_map_btf_ids', 'struct_ops'],
];

test('each set and list has the reason for which the kernel declares it', async t => {
  for (const name of KERNELS) {
    await withKernel(name, (_, { ids }) => {
      const { symbols } = IndependentElf.of(fixture(`${name}/vmlinux`));
      for (const [source, reason] of REASONS_OF) {
        // Linux 7.2 has no special_kfunc_set; the lean configuration no LSM.
        if (SAMPLE_KERNELS[name].lean && !symbols.some(symbol => symbol.name.endsWith(source))) continue;
        const reasons = new Set(ids.roots.filter(root => root.source === source).map(root => root.reason));
        t.deepEqual([...reasons], [reason], `${source} of ${name}`);
      }
    });
  }
});
