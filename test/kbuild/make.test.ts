import test from 'ava';
import { missingBtf } from '../../plugin/kbuild/cause.js';
import { aftermathOf, readMakeLine } from '../../plugin/kbuild/make.js';
import { DEFAULT_OPTIONS, decodeOptions, encodeOptions } from '../../plugin/kbuild/options.js';
import { parseConfig } from '../../plugin/modules/kconfig.js';

for (const [line, objtree, goals] of [
  ['', '/w', []],
  ['ARCH=arm zImage modules -j4', '/w', ['zImage', 'modules']],
  ['-C src O=../obj ARCH=arm', '/w/obj', []],
  ['-Csrc vmlinux', '/w/src', ['vmlinux']],
  ['--directory src -C sub O=/abs', '/abs', []],
  ['O=obj -C /src', '/src/obj', []],
  ['-f Makefile -j 8 -s vmlinux', '/w', ['vmlinux']],
  ['KBUILD_OUTPUT=obj O=', '/w/obj', []],
] as const)
  test(`the object tree and the targets of make ${line}`, t => {
    const words = line.split(' ').filter(word => word !== '');
    t.deepEqual(readMakeLine(words, '/w'), { objtree, goals: [...goals] });
  });

test('KBUILD_OUTPUT of the environment is the object tree, O= goes before it', t => {
  t.is(readMakeLine([], '/w', 'out').objtree, '/w/out');
  t.is(readMakeLine(['O=other'], '/w', 'out').objtree, '/w/other');
  t.is(readMakeLine([], '/w', '').objtree, '/w');
});

test('what make built decides what is done afterwards', t => {
  for (const goals of [[], ['zImage', 'modules'], ['olddefconfig', 'all'], ['bindeb-pkg']])
    t.is(aftermathOf(goals), 'finish', goals.join());
  t.is(aftermathOf(['olddefconfig']), 'check-config');
  for (const goals of [['defconfig'], ['menuconfig'], ['tinyconfig', 'my.config'], ['mrproper'], ['clean', 'help']])
    t.is(aftermathOf(goals), 'nothing', goals.join());
});

test('options go through make and the shell as they are', t => {
  const options = {
    closure: 'forward',
    keep: ["func:tcp_*'!()~ $x", 'tp_btf'],
    keepFor: ['/a b/c.o'],
    moduleBtf: 'prune',
  } as const;
  t.regex(encodeOptions(options), /^[\w%.-]+$/);
  t.deepEqual(decodeOptions(encodeOptions(options)), { ...options });
  t.is(decodeOptions(undefined), DEFAULT_OPTIONS);
  for (const bad of ['x', '%', '%7B%7D', encodeURIComponent('{"closure":"complete","keep":[1],"keepFor":[]}')])
    t.throws(() => decodeOptions(bad), { code: 'usage' }, bad);
});

const GOOD = {
  PAHOLE_VERSION: '124',
  BPF_SYSCALL: 'y',
  DEBUG_INFO: 'y',
  DEBUG_INFO_DWARF4: 'y',
} as const;

for (const [change, cause] of [
  [{ DEBUG_INFO_BTF: 'y' }, undefined],
  [{ PAHOLE_VERSION: '0' }, /did not tell its version/],
  [{ PAHOLE_VERSION: '115' }, /1\.15 is too old/],
  [{ BPF_SYSCALL: 'n' }, /BPF_SYSCALL=y/],
  [{ DEBUG_INFO: 'n' }, /needs debug information/],
  [{ DEBUG_INFO_REDUCED: 'y' }, /cannot be with CONFIG_DEBUG_INFO_REDUCED=y/],
  [{ DEBUG_INFO_SPLIT: 'y' }, /CONFIG_DEBUG_INFO_SPLIT/],
  [{ GCC_PLUGIN_RANDSTRUCT: 'y' }, /GCC_PLUGIN_RANDSTRUCT/],
  [{ PAHOLE_VERSION: '120', DEBUG_INFO_DWARF4: 'n' }, /needs CONFIG_DEBUG_INFO_DWARF4/],
  [{ PAHOLE_VERSION: '121' }, /may be too old/],
  [{}, /nothing else is in its way/],
] as const)
  test(`why there is no BTF: ${JSON.stringify(change)}`, t => {
    const lines = Object.entries({ ...GOOD, ...change }).map(([name, value]) =>
      value === 'n' ? `# CONFIG_${name} is not set\n` : `CONFIG_${name}=${value}\n`,
    );
    const told = missingBtf(parseConfig(lines.join('')));
    if (cause === undefined) t.is(told, undefined);
    else t.regex(told ?? '', cause);
  });
