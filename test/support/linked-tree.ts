import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ElfPatch } from './elf-patch.js';
import { fixture } from './fixtures.js';
import { unresolvedKernel } from './unresolve.js';

/** Kernels of 32 bit among the fixtures: {@link ElfPatch} knows no others. */
export type LinkedKernel = 'armv7-virt' | 'mips32-malta-be' | 'armv7-virt-7.2';

/**
 * An object tree in the state in which the kernel's link calls pahole (6.x) or resolve_btfids (7.x): `.tmp_vmlinux1` with unresolved
 * ids, and the BTF as those tools leave it. The tools themselves are fakes that do nothing, for their work is done.
 */
export async function linkingTree(name: LinkedKernel, objtree: string): Promise<string> {
  const tools = join(objtree, 'tools', 'bpf', 'resolve_btfids');
  mkdirSync(tools, { recursive: true });
  for (const tool of [join(tools, 'resolve_btfids'), join(objtree, 'pahole')])
    writeFileSync(tool, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  writeFileSync(
    join(objtree, '.config'),
    'CONFIG_MODULES=y\nCONFIG_DEBUG_INFO_BTF=y\nCONFIG_DEBUG_INFO_BTF_MODULES=y\n',
  );
  const linked = new ElfPatch(await unresolvedKernel(name));
  const finished = new ElfPatch(readFileSync(fixture(`${name}/vmlinux`))).elf;
  if (name === 'armv7-virt-7.2') {
    writeFileSync(join(objtree, '.tmp_vmlinux1.BTF'), finished.data(finished.section('.BTF')));
    writeFileSync(join(objtree, '.tmp_vmlinux1.BTF_ids'), finished.data(finished.section('.BTF_ids')));
    // No .BTF yet: another name, and nothing that is loaded.
    const section = linked.section('.BTF');
    linked.bytes.fill(0, section.offset, section.offset + section.size);
    linked.header('.BTF', 'name', 0);
  }
  // pahole adds it with objcopy, or libelf: it is not loaded.
  else linked.header('.BTF', 'flags', 0);
  const file = join(objtree, '.tmp_vmlinux1');
  writeFileSync(file, linked.bytes);
  return file;
}

/** Writes `vmlinux` as the last link makes it of the fixture: `base` is its `.BTF`, `ids` its `.BTF_ids`. */
export function linkVmlinux(name: LinkedKernel, objtree: string, base: Uint8Array, ids: Uint8Array): void {
  const patch = new ElfPatch(readFileSync(fixture(`${name}/vmlinux`)));
  const [btf, btfIds] = [patch.section('.BTF'), patch.section('.BTF_ids')];
  patch.bytes.set(base, btf.offset);
  patch.bytes.set(ids, btfIds.offset);
  patch.header('.BTF', 'size', base.length);
  writeFileSync(join(objtree, 'vmlinux'), patch.bytes);
}
