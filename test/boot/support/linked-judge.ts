import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { MemorySource } from '../../../plugin/bytes/source.js';
import { ElfFile } from '../../../plugin/elf/file.js';
import { compareBoots } from './boot-log.js';
import { CARRIER, type SampleBoot } from './sample.js';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const shown = (bytes: Uint8Array): { size: number; sha256: string } => ({ size: bytes.length, sha256: sha256(bytes) });

/** `.BTF` of an ELF file. */
export function btfOf(path: string): Uint8Array {
  const elf = ElfFile.open(new MemorySource(readFileSync(path), path));
  return elf.data(elf.section('.BTF'));
}

/** Where the files of a linked kernel are. */
export interface LinkedFiles {
  readonly kernel: { readonly modules: readonly string[] };
  /** Of the object tree. */
  file(path: string): string;
  /** By the module's file name. */
  module(name: string): string;
}

/** What is wrong with the boot of a split kernel that loaded its modules and the carrier: sentences, none for a good one. */
export function judge(tree: LinkedFiles, before: SampleBoot, after: SampleBoot, which: string): string[] {
  const names = [...tree.kernel.modules, CARRIER];
  const found = compareBoots(before.log, after.log);
  if (after.probe.progLoad !== 0) found.push(`no BPF program loads: ${after.probe.progLoad}`);
  for (const name of names) {
    const result = after.probe.insmod.get(`/${name}`);
    if (result !== 0) found.push(`insmod ${name}: ${result}`);
  }
  const side = (name: string): Uint8Array => readFileSync(tree.file(`.vmlinux-btf/${name}`));
  const files = new Map<string, Uint8Array>([['vmlinux', side('base.btf')]]);
  for (const name of names)
    files.set(name.slice(0, -'.ko'.length), name === CARRIER ? side('rest.btf') : btfOf(tree.module(name)));
  for (const [name, bytes] of files) {
    const [is, must] = [after.probe.btf.get(name), shown(bytes)];
    if (is?.sha256 !== must.sha256)
      found.push(`/sys/kernel/btf/${name} has ${is?.size} bytes, not the ${must.size} of its file`);
  }
  return found.map(sentence => `${which}: ${sentence}`);
}
