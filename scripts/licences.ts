import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Packages beside the bundle, not in it; folders from the repository. */
export const BESIDE = ['node_modules/elfy', 'node_modules/endian-reader'];

/** Names of files with the terms of a package; some packages have them at the end of their README only. */
const TERMS = [/^licen[cs]e/i, /^copying/i, /^readme/i];

/** Folders of the packages whose code is in the bundle (bundled-packages.json, which bundle.ts leaves) or beside it, from the repository. */
export function packagesIn(repository: string): string[] {
  const bundled = JSON.parse(readFileSync(join(repository, 'build', 'bundled-packages.json'), 'utf8')) as string[];
  return [...bundled, ...BESIDE].sort();
}

/** The terms of all packages that are given along, one after the other. */
export function licencesOf(repository: string): string {
  return packagesIn(repository)
    .map(path => {
      const folder = join(repository, path);
      const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const title = `${name} ${version}: ${license}`;
      return `${title}\n${'='.repeat(title.length)}\n\n${termsOf(folder).trim()}\n`;
    })
    .join('\n\n');
}

function termsOf(folder: string): string {
  const names = readdirSync(folder);
  const file = TERMS.map(form => names.find(name => form.test(name))).find(name => name !== undefined);
  if (file === undefined) throw new Error(`${folder}: no terms of use`);
  const text = readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n');
  return /^readme/i.test(file) ? licencePart(text, folder) : text;
}

function licencePart(readme: string, folder: string): string {
  const at = readme.search(/^#+ *licen[cs]e/im);
  if (at < 0) throw new Error(`${folder}: its README has no part about its licence`);
  return readme.slice(at);
}
