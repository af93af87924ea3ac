import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { CodedError } from '../../plugin/errors.js';
import { applyKeepRules, keepRoots, keepWarnings, PRESETS, parseKeepRule } from '../../plugin/roots/keep.js';
import { BtfBuilder } from '../support/build-btf.js';
import { fixture } from '../support/fixtures.js';
import { bpftoolNames, withKernel } from '../support/kernel-roots.js';
import { WHOLE_KERNELS } from '../support/kernels.js';
import { haveTool } from '../support/tools.js';

function keptIds(btf: Btf, rule: string): readonly number[] {
  return applyKeepRules(btf, new NameIndex(btf), [parseKeepRule(rule, 'test')])[0].ids;
}

/** Rules, and what they mean for the names that bpftool prints, as `kind:name`. */
const RULES: readonly (readonly [string, RegExp])[] = [
  ['struct:sk_buff', /^struct:sk_buff$/],
  ['sk_buff', /^\w+:sk_buff$/],
  ['func:tcp_*', /^func:tcp_/],
  ['btf_trace_*', /^\w+:btf_trace_/],
  ['*:*_ops', /^\w+:.*_ops$/],
  ['struct:??', /^struct:..$/],
  ['enum:*map*type*', /^enum:.*map.*type/],
  ['typedef:u8', /^typedef:u8$/],
  ['fentry-all', /^func:./],
  ['tp_btf', /^(typedef:btf_trace_|func:__bpf_trace_)/],
  ['percpu', /^datasec:\.data\.\.percpu/],
];

for (const kernel of WHOLE_KERNELS) {
  test(`each rule keeps what its words say of the names that bpftool prints: ${kernel}`, async t => {
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    const names = await bpftoolNames(fixture(`${kernel}/vmlinux`));
    await withKernel(kernel, ({ btf }) => {
      for (const [rule, meaning] of RULES) {
        const named = [...names.keys()].filter(id => meaning.test(names[id] ?? '') && !names[id].endsWith(':(anon)'));
        t.is(keptIds(btf, rule).join(), named.join(), rule);
        // The MIPS kernel has one processor and so no per-cpu section.
        t.is(named.length > 0, rule !== 'percpu' || kernel !== 'mips32-malta-be', rule);
      }
    });
  });

  test(`core-types are structs and enums that most kernels have: ${kernel}`, async t => {
    await withKernel(kernel, ({ btf }) => {
      const wanted = PRESETS.get('core-types') ?? [];
      const ids = keptIds(btf, 'core-types');
      t.true(wanted.length > 40 && ids.length > wanted.length * 0.8);
      const names = new Set(wanted.map(({ name }) => name));
      for (const id of ids) t.true(names.has(btf.name(id)));
    });
  });
}

test('lsm keeps hooks with the structs that their parameters point to', t => {
  const b = new BtfBuilder();
  const file = b.struct('file', 4, []);
  const other = b.struct('other', 4, []);
  const hook = b.func('bpf_lsm_file_open', b.funcProto(0, [{ name: 'file', type: b.ptr(b.const(file)) }]));
  b.func('file_open', b.funcProto(0, [{ name: 'other', type: b.ptr(other) }]));
  t.deepEqual(keptIds(Btf.decode(b.build()), 'lsm'), [file, hook]);
});

function small(): Btf {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  b.struct('task_struct', 4, [{ name: 'pid', type: int, bits: 0 }]);
  b.struct('', 4, [{ name: 'anonymous', type: int, bits: 0 }]);
  b.func('tcp_sendmsg', b.funcProto(0, []));
  return Btf.decode(b.build());
}

function errorOf(t: { is: (a: unknown, b: unknown) => void }, action: () => unknown): { code: string; detail: string } {
  try {
    action();
  } catch (error) {
    if (error instanceof CodedError) return { code: error.code, detail: error.detail };
    throw error;
  }
  t.is('no error', 'an error');
  return { code: '', detail: '' };
}

test('a rule that cannot be read is an error that says where it stands', t => {
  for (const rule of ['', ' ', 'struct:', ':x', 'struct:x ', 'nonsense:x', 'x'.repeat(2000)]) {
    const { code, detail } = errorOf(t, () => parseKeepRule(rule, 'keep[3] of file'));
    t.is(code, 'keep-rule', rule);
    t.regex(detail, /^keep\[3\] of file: /);
  }
  t.regex(errorOf(t, () => parseKeepRule('strukt:x', '--keep')).detail, /did you mean struct\?/);
});

test('an exact name that the BTF has not is an error with the nearest, a glob or a preset a warning', t => {
  const btf = small();
  const unknown = errorOf(t, () => keptIds(btf, 'struct:task_strukt'));
  t.is(unknown.code, 'keep-unknown');
  t.regex(unknown.detail, /did you mean struct:task_struct\?$/);
  t.regex(errorOf(t, () => keptIds(btf, 'fentry_all')).detail, /did you mean fentry-all\?$/);
  t.notRegex(errorOf(t, () => keptIds(btf, 'func:completely_different')).detail, /did you mean/);
  const kept = applyKeepRules(
    btf,
    new NameIndex(btf),
    ['func:udp_*', 'percpu', 'task_*'].map(rule => parseKeepRule(rule, 'test')),
  );
  t.is(keepWarnings(kept).length, 2);
  t.deepEqual(keepRoots(kept), [{ id: 2, reason: 'keep', source: 'task_*' }]);
});

test('types without a name are kept by no glob', t => {
  t.deepEqual(keptIds(small(), '*'), [1, 2, 5]);
});
