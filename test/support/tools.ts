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

/**
 * False when a tool is not installed: the test says so and ends. In CI that is a failure, so that a proof never
 * disappears unnoticed.
 */
export function haveTool(t: ExecutionContext, tool: string, debianPackage: string): boolean {
  if (onPath(tool)) return true;
  const message = `not tested: ${tool} is missing (apt-get install ${debianPackage})`;
  if (process.env.CI) t.fail(message);
  else {
    t.log(message);
    t.pass();
  }
  return false;
}

/** Debian keeps bpftool, depmod and modinfo in sbin, which a user's PATH lacks. */
export const toolEnvironment = { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
