import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fixture } from './fixtures.js';

/** Where the modules among the fixtures stand below /lib/modules/VERSION. */
export const INSTALLED: Readonly<Record<string, string>> = {
  'tcp_bbr.ko': 'kernel/net/ipv4/tcp_bbr.ko',
  'dummy.ko': 'kernel/drivers/net/dummy.ko',
};

/** A folder as modules_install makes it, of the fixtures of a kernel. */
export function moduleFolder(folder: string, kernel: string): string {
  for (const [name, place] of Object.entries(INSTALLED)) {
    mkdirSync(dirname(join(folder, place)), { recursive: true });
    copyFileSync(fixture(`${kernel}/${name}`), join(folder, place));
  }
  return folder;
}
