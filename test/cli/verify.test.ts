import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CodedError, type ErrorCode } from '../../plugin/errors.js';
import type { Manifest } from '../../plugin/pipeline/manifest.js';
import { verifyOut } from '../../plugin/pipeline/verify.js';
import { cli, ERROR_LINE, sha256Of, splitQuickly } from '../support/cli.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'verify');
const good = join(folder, 'good');
const copy = join(folder, 'copy');
const vmlinux = fixture('armv7-virt/vmlinux');

test.before(async t => {
  t.is((await splitQuickly(vmlinux, good)).exitCode, 0);
  t.is((await splitQuickly(fixture('mips32-malta-be/vmlinux'), join(folder, 'other'))).exitCode, 0);
  cpSync(good, copy, { recursive: true });
});

/** Expects `verify` to end with one line and `exit`, and to name the file that is wrong. */
async function refuses(t: ExecutionContext, what: string, named: string, original = vmlinux): Promise<void> {
  const { exitCode, stdout, stderr } = await cli(['verify', copy, '--original', original]);
  t.is(exitCode, 1, `${what}: ${stderr}`);
  t.is(stdout, '', what);
  t.is(ERROR_LINE.exec(stderr)?.[1], 'verify', `${what}: ${stderr}`);
  t.true(stderr.includes(named), `${what}: ${stderr}`);
}

/** The same without a process of its own, for long tables. */
async function refusesInside(t: ExecutionContext, what: string, named: string, code: ErrorCode): Promise<void> {
  const error = await t.throwsAsync(verifyOut(copy, { original: vmlinux }), { instanceOf: CodedError }, what);
  t.is(error?.code, code, what);
  t.true(error?.place.file?.startsWith(named), `${what}: ${error?.place.file}`);
}

function restore(name: string): void {
  copyFileSync(join(good, name), join(copy, name));
}

function manifestOf(path: string): Manifest {
  return JSON.parse(readFileSync(join(path, 'split.json'), 'utf8')) as Manifest;
}

test.serial('one flipped bit in any file is found, at its start, in its middle and at its end', async t => {
  for (const { name, bytes } of manifestOf(good).files) {
    for (const at of name === 'vmlinux' ? [0, bytes >> 1, bytes - 1] : [bytes >> 1]) {
      const data = readFileSync(join(good, name));
      data[at] ^= 1;
      writeFileSync(join(copy, name), data);
      await refuses(t, `${name} at ${at}`, join(copy, name));
    }
    restore(name);
  }
});

test.serial('a file that is missing, cut or a folder is found', async t => {
  const name = 'rest.btf';
  rmSync(join(copy, name));
  await refuses(t, 'missing', join(copy, name));
  mkdirSync(join(copy, name));
  await refuses(t, 'folder', join(copy, name));
  rmSync(join(copy, name), { recursive: true });
  writeFileSync(join(copy, name), readFileSync(join(good, name)).subarray(0, -1));
  await refuses(t, 'cut', join(copy, name));
  restore(name);
});

test.serial('a file of another split is found', async t => {
  for (const name of ['base.btf', 'vmlinux_btf.ko', 'permutation.u32']) {
    copyFileSync(join(folder, 'other', name), join(copy, name));
    await refuses(t, name, join(copy, name));
    restore(name);
  }
});

/** Changes of one byte that a wrong split would make, with the hash in split.json made to fit. */
test.serial('a wrong file is found even when split.json has its hash', async t => {
  const manifest = manifestOf(good);
  for (const { name, bytes } of manifest.files.filter(file => !file.name.startsWith('report'))) {
    const data = readFileSync(join(good, name));
    // The last byte of base.btf is padding; of the others a name, an id, or the end of a section header.
    const at =
      name === 'vmlinux' ? 0x1000 : name === 'vmlinux_btf.ko' ? data.indexOf('btf_base_sha256=') + 20 : bytes - 3;
    data[at] ^= 1;
    writeFileSync(join(copy, name), data);
    const sha256 = sha256Of(join(copy, name));
    const files = manifest.files.map(file => (file.name === name ? { ...file, sha256 } : file));
    writeFileSync(join(copy, 'split.json'), JSON.stringify({ ...manifest, files }));
    await refuses(t, name, '');
    restore(name);
  }
  restore('split.json');
});

test.serial('a forged carrier is found, whatever of it was forged', async t => {
  const manifest = manifestOf(good);
  const name = 'vmlinux_btf.ko';
  const whole = readFileSync(join(good, name));
  const after = (text: string): number => whole.indexOf(text) + text.length;
  const forged: Readonly<Record<string, Buffer>> = {
    'its vermagic': change(whole, after('vermagic='), '9'),
    'its license': change(whole, after('license='), 'X'),
    'its name in struct module': change(whole, whole.lastIndexOf('vmlinux_btf\0'), 'x'),
    'its machine': change(whole, 18, '\0'),
    'bytes behind it': Buffer.concat([whole, Buffer.from('more')]),
    'a cut one': whole.subarray(0, -4),
    'a lying signature': Buffer.concat([whole, Buffer.alloc(12, 0xff), Buffer.from('~Module signature appended~\n')]),
  };
  for (const [what, data] of Object.entries(forged)) {
    t.notDeepEqual(data, whole, what);
    writeFileSync(join(copy, name), data);
    const sha256 = sha256Of(join(copy, name));
    const files = manifest.files.map(file => (file.name === name ? { ...file, sha256, bytes: data.length } : file));
    writeFileSync(join(copy, 'split.json'), JSON.stringify({ ...manifest, files }));
    await refusesInside(t, what, join(copy, name), 'verify');
  }
  // As a split with --vermagic would say it: then that is what verify tells.
  writeFileSync(join(copy, name), whole);
  writeFileSync(join(copy, 'split.json'), JSON.stringify({ ...manifest, given: { vermagic: '6.12 SMP ' } }));
  await refusesInside(t, 'another vermagic in split.json', join(copy, name), 'verify');
  restore(name);
  restore('split.json');
});

function change(bytes: Buffer, at: number, text: string): Buffer {
  const copy = Buffer.from(bytes);
  copy.write(text, at, 'latin1');
  return copy;
}

test.serial('verify tells that a vermagic was given, not found', async t => {
  const out = join(folder, 'given');
  t.is((await splitQuickly(vmlinux, out, '--vermagic', '6.12.1 SMP other ')).exitCode, 0);
  const { exitCode, stdout, stderr } = await cli(['verify', out]);
  t.is(exitCode, 0, stderr);
  t.regex(stdout, /with the given vermagic '6\.12\.1 SMP other '\n/);
  t.notRegex((await cli(['verify', good])).stdout, /given/);
});

test.serial('a split.json that was edited is found', async t => {
  const manifest = manifestOf(good);
  const { input, roots, files, types } = manifest;
  const [first, ...others] = roots;
  const edits: Readonly<Record<string, object>> = {
    'another input': { input: { ...input, sha256: input.sha256.replace(/^./, digit => (digit === '0' ? '1' : '0')) } },
    'another size of the input': { input: { ...input, bytes: input.bytes + 1 } },
    'bare BTF': { input: { ...input, kind: 'btf' } },
    'another count': { types: { ...types, base: types.base + 1 } },
    'another padding': { padding: manifest.padding + 1 },
    'another root': { roots: [{ ...first, id: first.id + 1 }, ...others] },
    'a root of no type': { roots: [{ ...first, id: 0x7fffffff }, ...others] },
    'another new id': { roots: [{ ...first, newId: first.newId + 1 }, ...others] },
    'another name': { roots: [{ ...first, name: 'other' }, ...others] },
    'another kind': { roots: [{ ...first, kind: 'VAR' }, ...others] },
    'another reason': { roots: [{ ...first, reason: first.reason === 'keep' ? 'map' : 'keep' }, ...others] },
    'another source': { roots: [{ ...first, source: 'other' }, ...others] },
    'one root less': { roots: others },
    'the last root less': { roots: roots.slice(0, -1) },
    'one root twice': { roots: [first, ...roots] },
    'no roots': { roots: [] },
    'one file less': { files: files.slice(1) },
    'one file twice': { files: [...files, files[0]] },
    'another file size': { files: files.map(file => ({ ...file, bytes: file.bytes + 1 })) },
    'another file hash': { files: files.map(file => ({ ...file, sha256: file.sha256.replace(/./g, '0') })) },
  };
  for (const [what, edit] of Object.entries(edits)) {
    writeFileSync(join(copy, 'split.json'), JSON.stringify({ ...manifest, ...edit }));
    await refusesInside(t, what, what === 'another input' ? vmlinux : copy, 'verify');
  }
  restore('split.json');
});

test.serial('a split.json of another shape is no out folder', async t => {
  const manifest = manifestOf(good);
  const texts = [
    '',
    'null',
    '[]',
    '{}',
    '{',
    ...[
      { schemaVersion: 2 },
      { input: null },
      { roots: [null] },
      { roots: [{ id: -1 }] },
      { types: null },
      { files: 'x' },
      { given: 'x', modules: 1 },
      { given: { vermagic: 1 } },
      { given: { layoutCrc: -1 } },
      { files: [{ ...manifest.files[0], name: '../vmlinux' }] },
    ].map(edit => JSON.stringify({ ...manifest, ...edit })),
  ];
  for (const text of texts) {
    writeFileSync(join(copy, 'split.json'), text);
    await refusesInside(t, text.slice(0, 40), join(copy, 'split.json'), 'out-folder');
  }
  restore('split.json');
});

test.serial('another original is refused', async t => {
  const other = fixture('mips32-malta-be/vmlinux');
  await refuses(t, 'another kernel', other, other);
  const changed = join(folder, 'changed');
  const bytes = readFileSync(vmlinux);
  bytes[0x2000] ^= 1;
  writeFileSync(changed, bytes);
  await refuses(t, 'one bit', changed, changed);
});

test.serial('an original that is gone is named', async t => {
  const { exitCode, stderr } = await cli(['verify', copy, '--original', join(folder, 'gone')]);
  t.is(exitCode, 3);
  t.is(ERROR_LINE.exec(stderr)?.[1], 'file-unreadable');
  t.true(stderr.includes(join(folder, 'gone')));
});

test.serial('the copy is whole again: every case above failed for its own reason', async t => {
  const { exitCode, stderr } = await cli(['verify', copy, '--original', vmlinux]);
  t.is(exitCode, 0, stderr);
});
