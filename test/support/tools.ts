import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { ExecutionContext } from 'ava';

function onPath(tool: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some(folder => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Always false. The test says what is missing and ends; in CI that is a failure, so that a proof never disappears unnoticed. */
export function missing(t: ExecutionContext, what: string): false {
  const message = `not tested: ${what}`;
  if (process.env.CI) t.fail(message);
  else {
    t.log(message);
    t.pass();
  }
  return false;
}

/** False when a tool is not installed: see `missing`. */
export function haveTool(t: ExecutionContext, tool: string, debianPackage: string): boolean {
  return onPath(tool) || missing(t, `${tool} is missing (apt-get install ${debianPackage})`);
}

/** Debian keeps bpftool, depmod and modinfo in sbin, which a user's PATH lacks. */
export const toolEnvironment = { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
