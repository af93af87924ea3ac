import { readFileSync } from 'node:fs';

/** From package.json, two folders above the compiled file. */
function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export const TOOL = { name: 'vmlinux-btf', version: readVersion() } as const;
