import test from 'ava';
import { NameIndex } from '../../plugin/btf/names.js';
import { analyze } from '../../plugin/report/analyze.js';
import { attribute, measureKinds } from '../../plugin/report/measure.js';
import type { Leaf } from '../../plugin/report/model.js';
import { layOutTreemap, MAP_HEIGHT, MAP_WIDTH } from '../../plugin/report/render/treemap.js';
import { subsystemOf } from '../../plugin/report/subsystem.js';
import { splitBtf } from '../../plugin/split/split.js';
import { withKernel } from '../support/kernel-roots.js';
import { KERNELS } from '../support/kernels.js';

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

for (const name of KERNELS)
  for (const reach of ['complete', 'forward'] as const)
    test(`each byte of the full BTF is counted once, by reason, by kind and in the treemap: ${name}, ${reach}`, async t => {
      await withKernel(name, ({ btf }, { roots }) => {
        const names = new NameIndex(btf);
        const split = splitBtf(btf, names, roots, undefined, reach);
        const { sizes } = split;
        const full = split.full.length;
        const reasons = attribute(split.btf, split.closure, sizes);
        t.is(sum(reasons.map(row => row.bytes)), full);
        const kinds = measureKinds(split.btf, split.closure);
        t.is(sum(kinds.map(row => row.full.bytes)) + sizes.full.stringBytes + sizes.full.headerBytes, full);

        const { treemap, curve, retained } = analyze({ btf, names, roots, reach, full: sizes.full });
        t.is(sum(treemap.map(leaf => leaf.bytes)), full);
        t.is(sum(treemap.map(leaf => leaf.types)), split.btf.count);
        t.true(treemap.length <= 1200);
        const ofReason = (reason: Leaf['reason']): Leaf[] => treemap.filter(leaf => leaf.reason === reason);
        for (const { reason, bytes, types } of reasons) {
          t.is(sum(ofReason(reason).map(leaf => leaf.bytes)), bytes, reason);
          t.is(sum(ofReason(reason).map(leaf => leaf.types)), types, reason);
        }
        for (const { kind, full: count } of kinds)
          t.is(sum(treemap.filter(leaf => leaf.kind === kind).map(leaf => leaf.types)), count.types, kind);

        const { leaves } = layOutTreemap(treemap);
        t.is(leaves.length, treemap.length);
        const area = sum(leaves.map(({ rect }) => rect.width * rect.height));
        t.true(Math.abs(area - MAP_WIDTH * MAP_HEIGHT) < 1);
        for (const { leaf, rect } of leaves)
          t.true(Math.abs((rect.width * rect.height) / area - leaf.bytes / full) < 1e-9);

        // Header and empty name stand in every base.
        t.is((reach === 'forward' ? curve[0] : curve.at(-1))?.bytes, split.base.length - sizes.full.headerBytes - 1);
        const perRoot = retained.filter(row => row.per === 'root');
        t.is(sum(perRoot.map(row => row.roots)), roots.length);
        t.true(retained.every(row => row.bytes < split.base.length));
        for (const per of ['root', 'set', 'subsystem', 'reason'] as const) {
          const bytes = retained.filter(row => row.per === per).map(row => row.bytes);
          t.deepEqual(
            bytes,
            bytes.toSorted((a, b) => b - a),
          );
        }
      });
    });

test('subsystems of the sets and functions of real kernels', t => {
  for (const [source, name, subsystem] of [
    ['bpf_kfunc_check_set_skb', 'bpf_dynptr_from_skb', 'net'],
    ['scx_kfunc_ids_any', 'scx_bpf_kick_cpu', 'sched_ext'],
    ['bpf_lsm_hooks', 'bpf_lsm_file_open', 'lsm'],
    ['xdp_metadata_kfunc_ids', 'bpf_xdp_metadata_rx_hash', 'xdp'],
    ['cpumask_kfunc_btf_ids', 'bpf_cpumask_create', 'sched'],
    ['array_map_btf_ids', 'bpf_array', 'bpf'],
    ['tcp_congestion_ops.init', 'bpf_tcp_ca_init', 'tcp'],
    ['net/netfilter/nf_bpf_link.c', 'nf_hook_state', 'netfilter'],
    ['bpf_fs_kfunc_set_ids', 'bpf_path_d_path', 'fs'],
    ['zzz', 'qqq', 'other'],
  ])
    t.is(subsystemOf(source, name), subsystem, `${source} ${name}`);
});
