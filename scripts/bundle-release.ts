/**
 * Packs the built program into one file for a build system that takes in a host tool as a source archive, with its hashes:
 *
 *     node build/scripts/bundle-release.js [FOLDER]
 *
 * writes vmlinux-btf-VERSION.tar and vmlinux-btf.hash to FOLDER, or to where the examples for Buildroot and Yocto look for them. The same sources give the same bytes on
 * every machine: the bytecode stays out, for it is of one version of Node.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BESIDE, licencesOf } from './licences.js';
import { encodeTar, type TarMember } from './tar.js';

const repository = join(import.meta.dirname, '..', '..');
const folders =
  process.argv.length > 2
    ? process.argv.slice(2)
    : [
        'buildroot-example/package/vmlinux-btf',
        'yocto-example/meta-vmlinux-btf/recipes-devtools/vmlinux-btf/files',
      ].map(folder => join(repository, folder));

/** The program finds package.json, its scripts and elfy where they lie in the repository, so they lie there in the tar. */
const FILES = ['build/bin', ...BESIDE, 'scripts/target', 'LICENSE', 'LICENSES'];
/** Files that belong to nobody's use of the program. */
const NOT = /\/(?:test\/.*|cli\.bytecode)$/;
/** Programs by their place: modes are lost on the way through some archives and file systems. */
const PROGRAMS =
  /^(?:build\/bin\/(?:vmlinux-btf\.cjs|kbuild\/(?:pahole|resolve_btfids))|scripts\/target\/(?:vmlinux-btf-load|init\.d\/.*))$/;

const { name, version, license } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));

const files = FILES.flatMap(filesBelow)
  .filter(path => !NOT.test(path))
  .map(path => ({ path, bytes: readFileSync(join(repository, path)) }));
const licences = { path: 'LICENSES/bundled.txt', bytes: Buffer.from(licencesOf(repository)) };
// What of package.json the program reads; the whole one would promise scripts that are not there.
const manifest = {
  path: 'package.json',
  bytes: Buffer.from(`${JSON.stringify({ name, version, license }, null, 2)}\n`),
};
const inside = [...files, licences, manifest];

const top = `${name}-${version}`;
const members = inside.map(
  ({ path, bytes }): TarMember => ({ path: `${top}/${path}`, bytes, executable: PROGRAMS.test(path) }),
);
const tar = { path: `${top}.tar`, bytes: encodeTar(members) };

const hashed = [tar, ...inside.filter(({ path }) => path.startsWith('LICENSE'))];
const lines = hashed.map(({ path, bytes }) => `sha256  ${createHash('sha256').update(bytes).digest('hex')}  ${path}\n`);
for (const folder of folders) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, tar.path), tar.bytes);
  writeFileSync(join(folder, `${name}.hash`), `# Made with ${tar.path} by npm run bundle\n${lines.join('')}`);
  console.log(join(folder, tar.path));
}

/** Paths from the repository, with slashes. */
function filesBelow(path: string): string[] {
  if (statSync(join(repository, path)).isFile()) return [path];
  return readdirSync(join(repository, path)).flatMap(entry => filesBelow(`${path}/${entry}`));
}
