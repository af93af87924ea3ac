import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { relocationsOf } from '../../plugin/bpf/btf-ext.js';
import type { BpfObject } from '../../plugin/bpf/object.js';
import { attachTarget } from '../../plugin/bpf/sections.js';
import { KIND_FUNC, KIND_TYPEDEF } from '../../plugin/btf/kinds.js';
import { bpfObject, PROGRAMS, programFile, programSource, TARGETS } from '../support/bpf.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'bpf-object');

/** What is read of an object, with names in place of ids. */
function facts(object: BpfObject): object {
  const { btf, relocations, programs, externs, structOps } = object;
  return {
    programs,
    structOps,
    externs: externs.map(({ kind, name, weak }) => ({ kind, name, weak })),
    relocations: relocations.map(group => ({
      section: group.section,
      all: relocationsOf(group, btf).map(({ typeId, ...rest }) => ({ type: btf.name(typeId), ...rest })),
    })),
  };
}

for (const program of PROGRAMS) {
  test(`an object says the same in both byte orders: ${program}`, t => {
    const [little, big] = TARGETS.map(target => bpfObject(programFile(program, target)));
    t.is(little.btf.order, 'little');
    t.is(big.btf.order, 'big');
    t.deepEqual(facts(big), facts(little));
  });

  test(`sections and externs are those that readelf lists: ${program}`, async t => {
    if (!haveTool(t, 'readelf', 'binutils')) return;
    for (const target of TARGETS) {
      const file = programFile(program, target);
      const { programs, externs } = bpfObject(file);
      const { stdout: sections } = await execa('readelf', ['--wide', '--sections', file]);
      const executable = [...sections.matchAll(/^ *\[ *\d+\] (\S+) +PROGBITS +\S+ +\S+ +(\S+) +\S+ +AX /gm)];
      t.deepEqual(
        programs,
        executable.filter(([, , size]) => Number.parseInt(size, 16) > 0).map(([, name]) => name),
      );
      const { stdout: symbols } = await execa('readelf', ['--wide', '--symbols', file]);
      const undefinedOnes = [...symbols.matchAll(/ NOTYPE +(GLOBAL|WEAK) +DEFAULT +UND (\S+)$/gm)]
        .map(([, bind, name]) => ({ name, weak: bind === 'WEAK' }))
        .filter(({ name }) => !name.startsWith('CONFIG_') && name !== 'init_task'); // of type void: kallsyms has it
      const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
      t.deepEqual(externs.map(({ name, weak }) => ({ name, weak })).sort(byName), undefinedOnes.sort(byName));
    }
  });

  test(`the fixture is what clang makes of its source: ${program}`, async t => {
    if (!haveTool(t, 'clang-16', 'clang-16')) return;
    for (const target of TARGETS) {
      const file = join(folder, `${program}.${target}.o`);
      await execa('clang-16', [
        '-target',
        target,
        '-g',
        '-O2',
        '-Wall',
        '-Werror',
        '-c',
        programSource(program),
        '-o',
        file,
      ]);
      t.deepEqual(facts(bpfObject(file)), facts(bpfObject(programFile(program, target))));
    }
  });
}

test('what is no BPF object is refused', t => {
  const codeOf = (file: string): string | undefined =>
    t.throws(() => bpfObject(file), { name: 'CodedError' })?.message.split(':')[0];
  t.regex(codeOf(programSource('core')) ?? '', /not a BPF object/);
  t.regex(codeOf(fixture('armv7-virt/vmlinux')) ?? '', /not a BPF object/);
  t.regex(codeOf(fixture('armv7-virt/dummy.ko')) ?? '', /not a BPF object/);
});

test('section names ask for types as libbpf has it', t => {
  const of = (section: string): unknown => {
    const target = attachTarget(section);
    return target === undefined ? undefined : [target.kind, target.name, target.module, target.optional, target.inRest];
  };
  t.deepEqual(of('fentry/tcp_sendmsg'), [KIND_FUNC, 'tcp_sendmsg', undefined, false, false]);
  t.deepEqual(of('fexit.s/vmlinux:vfs_read'), [KIND_FUNC, 'vfs_read', undefined, false, false]);
  t.deepEqual(of('?fmod_ret/x'), [KIND_FUNC, 'x', undefined, true, false]);
  t.deepEqual(of('fentry/nf_nat:f'), [KIND_FUNC, 'f', 'nf_nat', false, false]);
  t.deepEqual(of('tp_btf/sched_switch'), [KIND_TYPEDEF, 'btf_trace_sched_switch', undefined, false, true]);
  t.deepEqual(of('lsm_cgroup/socket_post_create'), [KIND_FUNC, 'bpf_lsm_socket_post_create', undefined, false, false]);
  t.deepEqual(of('iter.s/task'), [KIND_FUNC, 'bpf_iter_task', undefined, false, true]);
  t.deepEqual(of('lsm'), [KIND_FUNC, '', undefined, false, false]);
  for (const other of [
    'kprobe/do_exit',
    'fentryx/f',
    'freplace/f',
    'struct_ops/x',
    'xdp',
    'tracepoint/a/b',
    '.text',
    'iterator/x',
  ])
    t.is(of(other), undefined, other);
});
