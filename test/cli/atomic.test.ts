import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { runSplit } from '../../plugin/pipeline/split.js';
import { cli, cliPath, ERROR_LINE, hashesOf, sha256Of, splitQuickly } from '../support/cli.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const KILLS = 12;
const folder = scratchFolder(test, 'atomic');
const vmlinux = fixture('armv7-virt/vmlinux');
const good = join(folder, 'good');
const isStaging = (name: string): boolean => name.startsWith('.vmlinux-btf-');
/** The hashes of a good result, and the milliseconds that a split takes here and now. */
let expected: Record<string, string> = {};
let duration = 0;

test.before(async t => {
  const started = performance.now();
  t.is((await splitQuickly(vmlinux, good)).exitCode, 0);
  duration = performance.now() - started;
  expected = hashesOf(good);
});

function start(out: string, sizes = 'none'): ChildProcess {
  return spawn(process.execPath, [cliPath, 'split', vmlinux, '-o', out, '--sizes', sizes, '--quiet'], {
    stdio: 'ignore',
  });
}

/** Waits until the split has its staging folder. */
async function staged(child: ChildProcess, out: string): Promise<void> {
  while (!existsSync(out) || !readdirSync(out).some(isStaging)) {
    if (child.exitCode !== null) throw new Error(`the split ended with ${child.exitCode} before it wrote`);
    await setTimeout(1);
  }
}

/** Kills at `delay`; then what stands under a final name is whole, and split.json is there only with all the rest. */
async function killAt(t: ExecutionContext, out: string, delay: number): Promise<string> {
  const child = start(out);
  const ended = once(child, 'exit');
  await setTimeout(delay);
  child.kill('SIGKILL');
  await ended;
  const names = existsSync(out) ? readdirSync(out).filter(name => !isStaging(name)) : [];
  for (const name of names) t.is(sha256Of(join(out, name)), expected[name], `${name} after ${delay} ms`);
  if (names.includes('split.json')) t.deepEqual(names.sort(), Object.keys(expected));
  return names.length === 0 ? 'nothing' : names.includes('split.json') ? 'everything' : 'some files';
}

test.serial('a killed split leaves whole files only, and split.json only with all of them', async t => {
  t.timeout(120_000, 'many splits');
  const fresh = join(folder, 'fresh');
  const existing = join(folder, 'existing');
  t.is((await splitQuickly(vmlinux, existing, '--quiet')).exitCode, 0);
  const seen: Record<string, number> = {};
  for (let i = 0; i < KILLS; i++) {
    // Where the files are written and renamed is the end of a run.
    const delay = Math.round(duration * (i % 5 === 0 ? i / KILLS : 0.6 + (0.5 * i) / KILLS));
    const out = i % 2 === 0 ? fresh : existing;
    if (out === fresh) rmSync(fresh, { recursive: true, force: true });
    const left = await killAt(t, out, delay);
    seen[left] = (seen[left] ?? 0) + 1;
    if (out === existing && left !== 'everything')
      t.is((await splitQuickly(vmlinux, out, '--quiet')).exitCode, 0, 'a half-renamed folder is filled again');
  }
  t.log(JSON.stringify(seen));
  for (const out of [fresh, existing]) {
    const { exitCode, stderr } = await splitQuickly(vmlinux, out, '--quiet');
    t.is(exitCode, 0, stderr);
    t.deepEqual(hashesOf(out), expected, 'and no staging folder is left');
    t.is((await cli(['verify', out])).exitCode, 0);
  }
});

test.serial(
  'a split that is killed while it writes leaves its staging folder, and the next run removes it',
  async t => {
    const out = join(folder, 'while-writing');
    const child = start(out);
    const ended = once(child, 'exit');
    await staged(child, out);
    child.kill('SIGKILL');
    await ended;
    t.true(readdirSync(out).every(isStaging));
    t.is((await splitQuickly(vmlinux, out, '--quiet')).exitCode, 0);
    t.deepEqual(hashesOf(out), expected);
  },
);

test.serial('a folder that was killed between two renames is filled again', async t => {
  const out = join(folder, 'half');
  cpSync(good, out, { recursive: true });
  // The window is too short to be met by chance: split.json is not yet renamed, nor is rest.btf.
  const staging = join(out, `.vmlinux-btf-${await deadProcess()}-abcdef`);
  mkdirSync(staging);
  for (const name of ['rest.btf', 'split.json']) renameSync(join(out, name), join(staging, name));
  t.is((await cli(['verify', out])).exitCode, 3);
  t.is((await splitQuickly(vmlinux, out, '--quiet')).exitCode, 0);
  t.deepEqual(hashesOf(out), expected);
});

test.serial('a staging folder is abandoned when its process is another one by now', async t => {
  const out = join(folder, 'same-id');
  // A process that is there, and its start (proc_pid_stat(5)): this one, as some other split.
  const [started] = readFileSync('/proc/self/stat', 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ')
    .slice(19);
  const made = (name: string): string => {
    mkdirSync(join(out, name), { recursive: true });
    writeFileSync(join(out, name, 'rest.btf'), 'half');
    return name;
  };
  const before = made(`.vmlinux-btf-${process.pid}-${Number(started) - 1}-abcdef`);
  const running = made(`.vmlinux-btf-${process.pid}-${started}-abcdef`);
  t.is((await splitQuickly(vmlinux, out, '--quiet')).exitCode, 0);
  t.false(existsSync(join(out, before)), 'of a process that had the id before');
  t.true(existsSync(join(out, running)), 'of the process that has it');

  // The same id again, as in a container where every split is process 2.
  await runSplit({ file: vmlinux, out, compressors: [] });
  t.false(existsSync(join(out, running)), 'this process has no split under way but this one');
  t.deepEqual(hashesOf(out), expected);
});

test.serial('two splits of one process leave each other alone', async t => {
  const out = join(folder, 'one-process');
  let second: Promise<unknown> | undefined;
  const onStage = (stage: string): void => {
    if (stage === 'measuring') second ??= runSplit({ file: vmlinux, out, compressors: [] });
  };
  await runSplit({ file: vmlinux, out, compressors: ['gzip'], onStage });
  await second;
  t.deepEqual(readdirSync(out).sort(), Object.keys(expected));
});

async function deadProcess(): Promise<number | undefined> {
  const child = spawn('true');
  await once(child, 'exit');
  return child.pid;
}

test.serial('the staging folder of a split that still runs is not touched', async t => {
  const out = join(folder, 'two');
  const slow = start(out, 'gzip');
  const ended = once(slow, 'exit');
  await staged(slow, out);
  t.is((await splitQuickly(vmlinux, out, '--quiet')).exitCode, 0);
  t.deepEqual(await ended, [0, null]);
  t.deepEqual(readdirSync(out).sort(), Object.keys(expected));
  t.is((await cli(['verify', out])).exitCode, 0);
});

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  test.serial(`${signal} ends a split with ${code} and takes the staging folder away`, async t => {
    for (const out of [join(folder, signal), good]) {
      const child = start(out, 'xz');
      const ended = once(child, 'exit');
      await staged(child, out);
      child.kill(signal);
      t.deepEqual(await ended, [code, null]);
      t.is(existsSync(out), out === good, 'a folder that the split made is gone, another stays');
    }
    t.deepEqual(hashesOf(good), expected);
  });
}

test.serial('a file that no split made is neither replaced nor removed', async t => {
  const out = join(folder, 'foreign');
  mkdirSync(out);
  const mine = join(out, 'vmlinux');
  writeFileSync(mine, 'mine');
  for (const more of [[], ['--roots', join(folder, 'roots')]]) {
    writeFileSync(join(folder, 'roots'), 'struct:sk_buff\n');
    const { exitCode, stderr } = await splitQuickly(vmlinux, out, ...more);
    t.is(exitCode, 2);
    t.is(ERROR_LINE.exec(stderr)?.[1], 'out-foreign', stderr);
    t.true(stderr.includes(mine));
    t.deepEqual(readdirSync(out), ['vmlinux']);
  }
});

test.serial('other files in the out folder stay', async t => {
  const out = join(folder, 'others');
  mkdirSync(out);
  writeFileSync(join(out, 'notes.txt'), 'mine');
  t.is((await splitQuickly(vmlinux, out, '--quiet')).exitCode, 0);
  t.deepEqual(readdirSync(out).sort(), [...Object.keys(expected), 'notes.txt'].sort());
});

test.serial('an out folder whose vmlinux is the input is refused, by whatever path', async t => {
  const link = join(folder, 'link');
  execFileSync('ln', ['-s', 'good', link]);
  for (const [input, out] of [
    [join(good, 'vmlinux'), good],
    [join(good, 'vmlinux'), link],
    [join(link, 'vmlinux'), good],
  ]) {
    const { exitCode, stderr } = await splitQuickly(input, out);
    t.is(exitCode, 2);
    t.is(ERROR_LINE.exec(stderr)?.[1], 'out-is-input', stderr);
    t.deepEqual(hashesOf(good), expected);
  }
});

/** A file system of `size` at `place`; false, with a word about it, where that is not possible. */
function mounted(t: ExecutionContext, place: string, size: string): boolean {
  mkdirSync(place);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', place], { stdio: 'pipe' });
    return true;
  } catch {
    const message = 'not tested: a full disk needs a tmpfs, and mounting one needs root';
    if (process.env.CI) t.fail(message);
    else t.log(message);
    return false;
  }
}

test.serial('a full disk is a matter of the host, and leaves nothing', async t => {
  for (const [size, name] of [
    ['64k', 'base.btf'],
    ['6m', 'full.btf'],
    ['10m', 'vmlinux'],
    ['19m', 'vmlinux_btf.ko'],
  ]) {
    const place = join(folder, `disk-${size}`);
    if (!mounted(t, place, size)) return t.pass();
    try {
      const out = join(place, 'out');
      const { exitCode, stdout, stderr } = await splitQuickly(vmlinux, out);
      t.is(exitCode, 4, size);
      t.is(stdout, '');
      t.is(ERROR_LINE.exec(stderr)?.[1], 'write-failed', stderr);
      t.regex(stderr, /\(ENOSPC\)/);
      t.true(stderr.includes(join(out, name)), stderr);
      t.deepEqual(readdirSync(place), [], 'not even the folder');
    } finally {
      execFileSync('umount', [place]);
    }
  }
});

test.serial('on a terminal a split tells what it does, on one line that it clears again', async t => {
  if (!haveTool(t, 'script', 'bsdutils')) return;
  const args = [cliPath, 'split', vmlinux, '-o', join(folder, 'terminal'), '--sizes', 'gzip', '--quiet'];
  const command = [process.execPath, ...args].map(word => `'${word}'`).join(' ');
  const screen = execFileSync('script', ['-qec', command, '/dev/null'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  t.regex(screen, /^(\r\u001b\[Kvmlinux-btf: [a-z ]+ …)+(\r\u001b\[K)+$/);
});
