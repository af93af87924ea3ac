import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { haveTool } from '../support/tools.js';
import { haveLibbpf } from '../support/type-walk.js';
import { haveBpftool } from './support/core-relocations.js';
import { proveLinked } from './support/linked.js';
import { builtTree, isBuilt, type LinkedKernel, linkedKernel } from './support/linked-kernels.js';

const MINUTE = 60_000;
/** Names of kernels; 1 is the one that is built soonest. */
const asked = process.env.VMLINUX_BTF_LINK ?? '';
const kernels = (asked === '1' ? 'armv7-virt-lean' : asked).split(',').filter(name => name !== '');

/** Minutes of compiling stand before this test: it runs when asked for, on an object tree of scripts/kernels/build.sh. */
function canLink(t: ExecutionContext, { name, machine }: LinkedKernel): boolean {
  t.timeout(40 * MINUTE, 'linking a kernel three times and booting it under emulation');
  if (!isBuilt(name)) {
    t.fail(`no object tree in ${builtTree(name)}: scripts/kernels/build.sh ${name}`);
    return false;
  }
  return (
    haveTool(t, machine.qemu, machine.qemuPackage) &&
    haveTool(t, `${machine.cross}gcc`, machine.crossPackage) &&
    haveTool(t, 'pahole', 'dwarves') &&
    haveLibbpf(t) &&
    (machine.debian === undefined || haveBpftool(t, machine.debian))
  );
}

if (kernels.length === 0)
  test('no kernel is linked', t => {
    t.log('not tested: VMLINUX_BTF_LINK=1, or names of kernels, asks for it');
    t.pass();
  });

for (const kernel of kernels.map(linkedKernel))
  test.serial(`${kernel.name}, linked through the hook: it boots as the unsplit kernel does`, async t => {
    if (!canLink(t, kernel)) return;
    const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-linked-'));
    try {
      const result = await proveLinked(kernel, folder, step => t.log(step));
      t.deepEqual(result.findings, []);
      for (const link of result.split) {
        t.deepEqual(link.findings, [], link.closure);
        t.true(link.btf < result.unsplit.btf * 0.35, `${link.btf} of ${result.unsplit.btf} bytes`);
        const gained = (link.memory.total - result.unsplit.memory.total) * 1024;
        // Sections of the image are aligned: up to a megabyte more or less.
        t.true(Math.abs(gained - (result.unsplit.btf - link.btf)) < 1 << 20, `MemTotal gained ${gained}`);
        t.true(link.image < result.unsplit.image * 0.95);
        t.log(
          `${link.closure}: .BTF ${result.unsplit.btf} → ${link.btf}, image ${result.unsplit.image} → ${link.image}`,
        );
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
