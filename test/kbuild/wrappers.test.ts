import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'wrappers');
const wrappers = join(repository, 'build', 'bin', 'kbuild');

/** A folder with fake tools that write down how they were called. */
interface Bench {
  readonly at: string;
  readonly run: (
    wrapper: string,
    words: readonly string[],
    more?: Record<string, string>,
    cwd?: string,
  ) => Promise<Run>;
}

interface Run {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** `tool: word|word|…`, in order. */
  readonly calls: readonly string[];
}

function script(path: string, text: string): string {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** `name: word|word|` of each call goes to the file `calls`; `then`: what the tool does besides. */
function fake(path: string, at: string, name: string, then = ''): string {
  return script(path, `{ printf '%s: ' ${name}; printf '%s|' "$@"; echo; } >>'${at}/calls'\n${then}`);
}

function bench(pahole = '', node = '', resolver = ''): Bench {
  const at = mkdtempSync(join(folder, 'bench-'));
  mkdirSync(join(at, 'bin'));
  const tools = join(at, 'tools', 'bpf', 'resolve_btfids');
  mkdirSync(tools, { recursive: true });
  fake(join(at, 'bin', 'pahole'), at, 'pahole', pahole);
  fake(join(at, 'bin', 'node'), at, 'node', node);
  fake(join(tools, 'resolve_btfids'), at, 'resolve_btfids', resolver);
  for (const name of ['.tmp_vmlinux1', '.tmp_vmlinux.btf', 'dummy.ko', 'vmlinux']) writeFileSync(join(at, name), 'ELF');
  return {
    at,
    run: async (wrapper, words, more = {}, cwd = at) => {
      const { exitCode, stdout, stderr } = await execa(join(wrappers, wrapper), words, {
        cwd,
        // The first of PATH is the folder of the wrappers: they must not find themselves.
        env: { PATH: `${wrappers}:${join(at, 'bin')}:/usr/bin:/bin`, objtree: '.', ...more },
        extendEnv: false,
        reject: false,
      });
      const calls = existsSync(join(at, 'calls')) ? readFileSync(join(at, 'calls'), 'utf8').trim().split('\n') : [];
      return { exitCode, stdout, stderr, calls };
    },
  };
}

const program = join(wrappers, '..', 'vmlinux-btf.cjs');
/** As the kernel's scripts write them; `wrappers/../` is how a wrapper names the program beside it. */
const started = (tool: string, file: string): string =>
  `node: ${wrappers}/../vmlinux-btf.cjs|kbuild|--after|${tool}|${file}|`;

test('the program that the wrappers start is there', t => t.true(existsSync(program)));

for (const [what, words] of [
  ['a module', ['-J', '--btf_gen_floats', '-j', '--lang_exclude=rust', '--btf_base', 'vmlinux', 'dummy.ko']],
  ['a module, with =', ['-J', '--btf_base=vmlinux', '.tmp_vmlinux1']],
  ['vmlinux of 7.x', ['-J', '-j', '--btf_encode_detached=.tmp_vmlinux1.BTF.1', '.tmp_vmlinux1']],
  ['a finished vmlinux', ['-J', 'vmlinux']],
  ['a look at a type', ['-C', 'sk buff', '.tmp_vmlinux1']],
  ['nothing', []],
] as const)
  test(`pahole: ${what} goes straight to the real one, word by word`, async t => {
    const { run } = bench('exit 7');
    const { exitCode, calls, stderr } = await run('pahole', words);
    t.deepEqual(calls, [`pahole: ${words.length === 0 ? '|' : words.map(word => `${word}|`).join('')}`]);
    t.is(exitCode, 7);
    t.is(stderr, '');
  });

for (const wrapper of ['pahole', 'resolve_btfids'])
  test(`${wrapper} --version is what the real one prints`, async t => {
    const { run } = bench('echo v1.24', '', 'echo v1.24');
    const { stdout, calls, exitCode } = await run(wrapper, ['--version']);
    t.deepEqual([stdout, exitCode, calls], ['v1.24', 0, [`${wrapper}: --version|`]]);
  });

for (const file of ['.tmp_vmlinux1', '.tmp_vmlinux.btf'])
  test(`pahole -J on ${file}: the real one, then the split`, async t => {
    const { run, at } = bench();
    const { exitCode, calls } = await run('pahole', ['-J', '-j', file]);
    t.is(exitCode, 0);
    t.deepEqual(calls, [`pahole: -J|-j|${file}|`, started('pahole', file)]);
    t.true(existsSync(join(at, file)));
  });

test('pahole: a failure of the real one is ours, nothing is split, and no file is left to link with', async t => {
  const { run, at } = bench('echo "pahole: no DWARF" >&2; exit 3');
  const { exitCode, calls, stderr } = await run('pahole', ['-J', '.tmp_vmlinux1']);
  t.is(exitCode, 3);
  t.is(stderr, 'pahole: no DWARF');
  t.is(calls.length, 1);
  t.false(existsSync(join(at, '.tmp_vmlinux1')));
});

test('pahole: a failure of the split fails with its line, and no file is left to link with', async t => {
  const { run, at } = bench('', 'echo "vmlinux-btf: a proof failed" >&2; exit 1');
  // What link-vmlinux.sh of an earlier link made of the BTF, by the names of 6.12 and 6.1.
  const stale = ['.tmp_vmlinux1.btf.o', '.btf.vmlinux.bin.o'].map(name => join(at, name));
  for (const file of stale) writeFileSync(file, 'the whole BTF');
  const { exitCode, stderr } = await run('pahole', ['-J', '.tmp_vmlinux1']);
  t.is(exitCode, 1);
  t.is(stderr, 'vmlinux-btf: a proof failed');
  for (const file of [join(at, '.tmp_vmlinux1'), ...stale]) t.false(existsSync(file), file);
});

test('pahole: without Node no file is left to link with', async t => {
  const { run, at } = bench();
  const { exitCode } = await run('pahole', ['-J', '.tmp_vmlinux1'], { VMLINUX_BTF_NODE: '/nowhere/node' });
  t.is(exitCode, 127);
  t.false(existsSync(join(at, '.tmp_vmlinux1')));
});

test('pahole: without a real one it is one line', async t => {
  const { run, at } = bench();
  // readlink has to be found.
  const { exitCode, stderr } = await run('pahole', ['--version'], await onlyReadlink(at));
  t.is(exitCode, 4);
  t.regex(stderr, /^vmlinux-btf: a tool of the host is missing \(pahole\): [^\n]+ \[tool-missing\]$/);
});

async function onlyReadlink(at: string): Promise<{ PATH: string }> {
  mkdirSync(join(at, 'small'));
  symlinkSync((await execa('sh', ['-c', 'command -v readlink'])).stdout, join(at, 'small', 'readlink'));
  return { PATH: `${wrappers}:${join(at, 'small')}` };
}

test('pahole: one that was given goes before PATH; a link to the wrapper on PATH is not the real one', async t => {
  const { run, at } = bench();
  mkdirSync(join(at, 'links'));
  symlinkSync(join(wrappers, 'pahole'), join(at, 'links', 'pahole'));
  const PATH = `${join(at, 'links')}:${join(at, 'bin')}:/usr/bin:/bin`;
  t.deepEqual((await run('pahole', ['--version'], { PATH })).calls, ['pahole: --version|']);
  const other = fake(join(at, 'other'), at, 'other');
  t.deepEqual((await run('pahole', ['--version'], { PATH, VMLINUX_BTF_PAHOLE: other })).calls, [
    'pahole: --version|',
    'other: --version|',
  ]);
});

for (const [what, words] of [
  ['vmlinux of 6.x', ['vmlinux']],
  ['a module of 6.x', ['-b', 'vmlinux', 'dummy.ko']],
  ['a module of 7.x', ['--btf_base', 'vmlinux', '--btf', 'dummy.ko.BTF.1', 'dummy.ko']],
  ['patching', ['--patch_btfids', '.tmp_vmlinux1.BTF_ids', 'vmlinux.unstripped']],
] as const)
  test(`resolve_btfids: ${what} goes straight to the real one`, async t => {
    const { run } = bench('', '', 'exit 7');
    const { exitCode, calls } = await run('resolve_btfids', words);
    t.deepEqual(calls, [`resolve_btfids: ${words.map(word => `${word}|`).join('')}`]);
    t.is(exitCode, 7);
  });

test('resolve_btfids --btf on vmlinux: the real one, then the split', async t => {
  const { run } = bench();
  const words = ['--fatal_warnings', '--btf', '.tmp_vmlinux1.BTF.1', '.tmp_vmlinux1'];
  const { exitCode, calls } = await run('resolve_btfids', words);
  t.is(exitCode, 0);
  t.deepEqual(calls, [
    `resolve_btfids: ${words.map(word => `${word}|`).join('')}`,
    started('resolve_btfids', '.tmp_vmlinux1'),
  ]);
});

test('resolve_btfids: a failure of the real one, or of the split, is ours', async t => {
  const words = ['--btf', '.tmp_vmlinux1.BTF.1', '.tmp_vmlinux1'];
  const first = await bench('', '', 'exit 255').run('resolve_btfids', words);
  t.deepEqual([first.exitCode, first.calls.length], [255, 1]);
  const second = await bench('', 'exit 3').run('resolve_btfids', words);
  t.deepEqual([second.exitCode, second.calls.length], [3, 2]);
});

test('resolve_btfids: without a real one it is one line', async t => {
  const { exitCode, stderr } = await bench().run('resolve_btfids', ['vmlinux'], { objtree: '/nowhere' });
  t.is(exitCode, 4);
  t.regex(stderr, /^vmlinux-btf: a tool of the host is missing \(resolve_btfids\): \/nowhere[^\n]+ \[tool-missing\]$/);
});

/** A tree whose vmlinux was split, with a module. */
function splitTree(pahole = '', node = '', resolver = ''): Bench {
  const made = bench(pahole, node, resolver);
  mkdirSync(join(made.at, '.vmlinux-btf'));
  writeFileSync(join(made.at, '.vmlinux-btf', 'original.btf'), 'BTF');
  mkdirSync(join(made.at, 'net'));
  writeFileSync(join(made.at, 'net', 'x.ko'), 'ELF');
  return made;
}

const COPY = '.vmlinux-btf/modules/net/x.ko';

test('pahole on a module of a split tree: on a copy, with the types of the unsplit kernel', async t => {
  for (const [given, passed] of [
    [
      ['--btf_base', 'vmlinux'],
      ['--btf_base', './.vmlinux-btf/original.btf'],
    ],
    [['--btf_base=vmlinux'], ['--btf_base=./.vmlinux-btf/original.btf']],
  ]) {
    const { at, run } = splitTree();
    const { exitCode, calls } = await run('pahole', ['-J', '-j', ...given, '--lang_exclude=a b', 'net/x.ko']);
    t.is(exitCode, 0);
    t.deepEqual(calls, [`pahole: ${['-J', '-j', ...passed, '--lang_exclude=a b', `./${COPY}`].join('|')}|`]);
    t.is(readFileSync(join(at, COPY), 'utf8'), 'ELF');
  }
});

test('pahole on a module: when the real one fails there is no copy, and the next step fails', async t => {
  const { at, run } = splitTree('exit 3', '', '[ -f "$3" ]');
  t.is((await run('pahole', ['-J', '--btf_base', 'vmlinux', 'net/x.ko'])).exitCode, 3);
  t.false(existsSync(join(at, COPY)));
  const { exitCode, calls } = await run('resolve_btfids', ['-b', 'vmlinux', 'net/x.ko']);
  t.is(exitCode, 1);
  t.false(calls.some(call => call.startsWith('node')));
});

test('resolve_btfids on a module of a split tree: on the copy, then it is re-based', async t => {
  const { run } = splitTree();
  const { exitCode, calls } = await run('resolve_btfids', ['-b', 'vmlinux', 'net/x.ko']);
  t.is(exitCode, 0);
  t.deepEqual(calls, [
    `resolve_btfids: -b|./.vmlinux-btf/original.btf|./${COPY}|`,
    `${started('pahole', '').slice(0, -1)}--objtree|.|net/x.ko|`,
  ]);
});

test('pahole on a module of 7.x: what it writes beside it has the types of the unsplit kernel', async t => {
  const { at, run } = splitTree();
  const words = (base: string): string[] => [
    '-J',
    '--btf_base',
    base,
    '--btf_encode_detached=net/x.ko.BTF.1',
    'net/x.ko',
  ];
  const { exitCode, calls } = await run('pahole', words('./vmlinux'));
  t.is(exitCode, 0);
  t.deepEqual(calls, [`pahole: ${words('./.vmlinux-btf/original.btf').join('|')}|`]);
  t.false(existsSync(join(at, COPY)));
});

test('resolve_btfids on a module of 7.x: beside it, then the copy is put together and the module re-based', async t => {
  const { at, run } = splitTree();
  script(join(at, 'bin', 'my-objcopy'), `echo "objcopy: $*" >>'${at}/calls'\n[ $# -lt 4 ] || cp "$3" "$4"`);
  const resolve = async (...base: readonly string[]): Promise<readonly string[]> => {
    const words = [...base, '--btf', 'net/x.ko.BTF.1', 'net/x.ko'];
    const { exitCode, calls } = await run('resolve_btfids', words, { OBJCOPY: 'my-objcopy' });
    t.is(exitCode, 0);
    return calls;
  };
  const node = `${started('resolve_btfids', '').slice(0, -1)}--objtree|.|net/x.ko|`;
  const real = (...base: readonly string[]): string =>
    `resolve_btfids: ${base.join('|')}|--btf|net/x.ko.BTF.1|net/x.ko|`;
  const objcopy = `objcopy: --add-section .BTF=net/x.ko.BTF net/x.ko ./${COPY}`;
  t.deepEqual(await resolve('--btf_base', './vmlinux'), [
    real('--btf_base', './.vmlinux-btf/original.btf'),
    objcopy,
    node,
  ]);
  t.is(readFileSync(join(at, COPY), 'utf8'), 'ELF');
  for (const name of ['.BTF_ids', '.BTF.base']) writeFileSync(join(at, `net/x.ko${name}`), '');
  t.deepEqual((await resolve('-b./vmlinux')).slice(3), [
    real('-b./.vmlinux-btf/original.btf'),
    objcopy,
    `objcopy: --add-section .BTF.base=net/x.ko.BTF.base ./${COPY}`,
    `resolve_btfids: --patch_btfids|net/x.ko.BTF_ids|./${COPY}|`,
    node,
  ]);
});

test('resolve_btfids on a module of 7.x: when the real one or objcopy fails, so does it, and nothing is re-based', async t => {
  const failing = splitTree('', '', 'exit 5');
  const words = ['--btf_base', './vmlinux', '--btf', 'net/x.ko.BTF.1', 'net/x.ko'];
  const one = await failing.run('resolve_btfids', words);
  t.deepEqual([one.exitCode, one.calls.length], [5, 1]);
  const { run, at } = splitTree();
  script(join(at, 'bin', 'my-objcopy'), 'exit 6');
  const other = await run('resolve_btfids', words, { OBJCOPY: 'my-objcopy' });
  t.deepEqual([other.exitCode, other.calls.length], [6, 1]);
});

for (const wrapper of ['pahole', 'resolve_btfids'])
  test(`${wrapper}: a module of another tree goes straight to the real one`, async t => {
    const { at, run } = splitTree();
    const words = wrapper === 'pahole' ? ['-J', '--btf_base', 'vmlinux'] : ['-b', 'vmlinux'];
    for (const file of ['../x.ko', join(at, 'net', 'x.ko')]) {
      const { calls } = await run(wrapper, [...words, file]);
      t.is(calls.at(-1), `${wrapper}: ${[...words, file].join('|')}|`);
    }
    // From 6.13 on make of the kernel runs in the folder of that tree, and names the object tree.
    const elsewhere = mkdtempSync(join(folder, 'module-'));
    const base = join(at, 'vmlinux');
    const own = words.map(word => (word === 'vmlinux' ? base : word));
    const { calls } = await run(wrapper, [...own, 'x.ko'], { objtree: at }, elsewhere);
    t.is(calls.at(-1), `${wrapper}: ${[...own, 'x.ko'].join('|')}|`);
    t.false(existsSync(join(at, '.vmlinux-btf', 'modules')));
  });
