import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import test from 'ava';
import { haveTool } from '../support/tools.js';
import { cpio, initramfs } from './support/initramfs.js';

const files = [
  { path: 'init', data: Buffer.from('#!'), mode: 0o755 },
  { path: 'lib/modules/a.ko', data: Buffer.from('12345') },
  { path: 'lib/modules/empty', data: new Uint8Array(0) },
];

test('cpio(1) unpacks what was packed', t => {
  if (!haveTool(t, 'cpio', 'cpio')) return;
  const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-cpio-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'archive'), cpio(files));
  const unpack = ['-i', '--quiet', '--no-preserve-owner', '-F', 'archive'];
  execFileSync('cpio', unpack, { cwd: folder });
  for (const { path, data } of files) t.deepEqual(readFileSync(join(folder, path)), Buffer.from(data));
  t.is(statSync(join(folder, 'init')).mode & 0o777, 0o755);
  t.is(statSync(join(folder, 'lib/modules/a.ko')).mode & 0o777, 0o644);
  const listing = execFileSync('cpio', ['-t', '--quiet', '-F', 'archive'], { cwd: folder, encoding: 'utf8' });
  t.deepEqual(listing.trim().split('\n'), ['init', 'lib', 'lib/modules', 'lib/modules/a.ko', 'lib/modules/empty']);
});

test('every entry starts at a multiple of four bytes and the archive ends with its trailer', t => {
  const archive = cpio(files);
  t.is(archive.length % 4, 0);
  const starts = [...archive.toString('latin1').matchAll(/070701/g)].map(match => match.index);
  t.is(starts.length, 6);
  t.true(starts.every(start => start % 4 === 0));
  t.regex(archive.toString('latin1'), /TRAILER!!!\0+$/);
});

test('the same files give the same bytes', t => {
  t.deepEqual(initramfs(files), initramfs(files));
  t.deepEqual(gunzipSync(initramfs(files)), cpio(files));
});

test('a path that the kernel would unpack elsewhere is refused', t => {
  const data = new Uint8Array(0);
  for (const path of ['', '/init', 'a//b', './init', '../init', 'lib/', 'TRAILER!!!'])
    t.throws(() => cpio([{ path, data }]), { message: /no path for an initramfs/ }, path);
  t.throws(() => cpio([...files, { path: 'init', data }]), { message: /twice/ });
});
