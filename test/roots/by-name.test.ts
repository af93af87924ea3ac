import test from 'ava';
import { execa } from 'execa';
import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { rootsByName } from '../../plugin/roots/by-name.js';
import { REASONS } from '../../plugin/roots/root.js';
import { BtfBuilder } from '../support/build-btf.js';
import { fixture } from '../support/fixtures.js';
import { bpftoolNames, withKernel } from '../support/kernel-roots.js';
import { WHOLE_KERNELS } from '../support/kernels.js';
import { haveTool } from '../support/tools.js';

test('names that a kernel lacks are skipped, the others found by kind', t => {
  const b = new BtfBuilder();
  b.union('sock', 4, []);
  const sock = b.struct('sock', 4, []);
  const command = b.enum('bpf_cmd', 4, []);
  b.struct('bpf_map_type', 4, []);
  const btf = Btf.decode(b.build());
  t.deepEqual(rootsByName(btf, new NameIndex(btf), []), [
    { id: sock, reason: 'by-name', source: 'net/ipv4/bpf_tcp_ca.c' },
    { id: command, reason: 'by-name', source: 'kernel/bpf/inode.c' },
  ]);
});

test('iterators, LSM hooks and trusted fields are found by the form of their names and parameters', t => {
  const b = new BtfBuilder();
  const proto = b.funcProto(0, []);
  const int = b.int('int', 4);
  const meta = b.ptr(b.struct('bpf_iter_meta', 4, []));
  const iterator = b.func('bpf_iter_task', b.funcProto(int, [{ name: 'meta', type: meta }]));
  b.func('bpf_iter_get_info', b.funcProto(meta, [{ name: 'meta', type: meta }]));
  b.func('bpf_iter_run_prog', b.funcProto(int, [{ name: 'ctx', type: b.ptr(int) }]));
  b.func('bpf_iter_reg_target', proto);
  const hook = b.func('bpf_lsm_file_open', proto);
  b.func('my_bpf_lsm_file_open', proto);
  b.struct('bpf_iter_num', 8, []);
  const safe = ['rcu', 'rcu_or_null', 'trusted', 'trusted_or_null'].map(s => b.struct(`task_struct__safe_${s}`, 4, []));
  b.struct('task_struct__safe_', 4, []);
  b.typedef('x__safe_rcu', proto);
  const btf = Btf.decode(b.build());
  const found = rootsByName(btf, new NameIndex(btf), []);
  t.deepEqual(
    found.map(root => [root.id, root.reason]),
    [...safe.map(id => [id, 'by-name']), [iterator, 'iterator'], [hook, 'lsm']],
  );
  const told = { id: hook, reason: 'lsm', source: 'bpf_lsm_hooks' } as const;
  t.false(rootsByName(btf, new NameIndex(btf), [told]).some(({ reason }) => reason === 'lsm'));
});

test('a kfunc takes its _impl along', t => {
  const b = new BtfBuilder();
  const proto = b.funcProto(0, []);
  const kfunc = b.func('bpf_wq_set_callback', proto);
  const implementation = b.func('bpf_wq_set_callback_impl', proto);
  b.func('other_impl', proto);
  const btf = Btf.decode(b.build());
  const root = { id: kfunc, reason: 'kfunc', source: 'common_btf_ids' } as const;
  t.deepEqual(rootsByName(btf, new NameIndex(btf), [root]), [{ ...root, id: implementation }]);
});

for (const name of WHOLE_KERNELS) {
  test(`all iterators and LSM hooks of the ELF file are roots, and no other function of their prefix: ${name}`, async t => {
    if (!haveTool(t, 'bpftool', 'bpftool') || !haveTool(t, 'readelf', 'binutils')) return;
    const file = fixture(`${name}/vmlinux`);
    const inElf = await functionsThatAttach(file);
    const functions = (await bpftoolNames(file)).filter(type => /^func:bpf_(iter|lsm)_/.test(type));
    const told = new Set(functions.map(type => type.slice('func:'.length)));
    const wanted = [...inElf].filter(function_ => told.has(function_)).sort();
    t.true(wanted.length > 200 && wanted.length < told.size);
    await withKernel(name, ({ btf }, { roots }) => {
      const named = roots
        .filter(root => root.reason === 'iterator' || root.reason === 'lsm')
        .map(({ id }) => btf.name(id));
      const byName = new Set(
        roots.filter(({ source }) => /^bpf_iter_\*$|^bpf_lsm_/.test(source)).map(({ id }) => btf.name(id)),
      );
      t.deepEqual([...byName].sort(), wanted);
      for (const function_ of wanted) t.true(named.includes(function_), function_);
    });
  });

  test(`all trusted structs that bpftool shows are roots: ${name}`, async t => {
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    const types = await bpftoolNames(fixture(`${name}/vmlinux`));
    const told = types.flatMap((type, id) => (/^struct:.*__safe_(rcu|trusted)(_or_null)?$/.test(type) ? [id] : []));
    t.true(told.length > 5);
    await withKernel(name, (_, { roots }) => {
      const ids = new Set(roots.map(root => root.id));
      t.deepEqual(
        told.filter(id => !ids.has(id)),
        [],
      );
    });
  });

  test(`types that the kernel looks up by name are roots: ${name}`, async t => {
    await withKernel(name, ({ btf }, { roots }) => {
      const named = new Set(roots.map(({ id }) => btf.name(id)));
      const wanted = ['sock', 'tcp_sock', 'tcp_congestion_ops', 'task_struct', 'module', 'nf_hook_state', 'sk_buff'];
      for (const type of [...wanted, 'bpf_cmd', 'bpf_map_type', 'bpf_prog_type', 'bpf_attach_type'])
        t.true(named.has(type), type);
    });
  });

  test(`roots come by reason, then by id, and each is a type: ${name}`, async t => {
    await withKernel(name, ({ btf }, { roots }) => {
      for (const [i, { id, reason, source }] of roots.entries()) {
        if (id < 1 || id >= btf.endId || source === '') t.fail(`${id} ${source}`);
        const before = roots[i - 1];
        if (before === undefined) continue;
        const step = REASONS.indexOf(reason) - REASONS.indexOf(before.reason);
        if (step < 0 || (step === 0 && id < before.id)) t.fail(`${reason} ${id} after ${before.reason} ${before.id}`);
      }
      t.true(roots.length > 600);
    });
  });
}

/**
 * Functions that BPF programs attach to, as readelf shows them: those of iterators lie in .init.text (DEFINE_BPF_ITER_FUNC), LSM
 * hooks have a word in .BTF_ids.
 */
async function functionsThatAttach(file: string): Promise<Set<string>> {
  const { stdout } = await execa('readelf', ['-SsW', file]);
  const init = /\[ *(\d+)\] \.init\.text /.exec(stdout)?.[1];
  const found = new Set<string>();
  for (const [, section, name] of stdout.matchAll(/ FUNC .* (\d+) (bpf_iter_\w+)$/gm))
    if (section === init) found.add(name);
  for (const [, name] of stdout.matchAll(/ __BTF_ID__func__(bpf_lsm_\w+?)__\d+$/gm)) found.add(name);
  return found;
}
