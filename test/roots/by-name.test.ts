import test from 'ava';
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

test('iterators, LSM hooks and trusted fields are found by the form of their names', t => {
  const b = new BtfBuilder();
  const proto = b.funcProto(0, []);
  const iterator = b.func('bpf_iter_task', proto);
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
  test(`all iterators, LSM hooks and trusted structs that bpftool shows are roots: ${name}`, async t => {
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    const types = await bpftoolNames(fixture(`${name}/vmlinux`));
    const told = types.flatMap((type, id) =>
      /^func:bpf_(iter|lsm)_|^struct:.*__safe_(rcu|trusted)(_or_null)?$/.test(type) ? [id] : [],
    );
    t.true(told.length > 300);
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
      t.true(roots.length > 900);
    });
  });
}
