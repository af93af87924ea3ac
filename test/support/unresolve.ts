import { readFileSync } from 'node:fs';
import { fixture } from './fixtures.js';
import { IndependentElf } from './independent-elf.js';
import { bpftoolNames } from './kernel-roots.js';

/**
 * A vmlinux of the fixtures as it was before resolve_btfids: ids and counts are 0, and each flag stands beside the symbol that it was
 * declared with (include/linux/btf_ids.h), not where its id was sorted to. Made with readelf and bpftool alone.
 */
export async function unresolvedKernel(name: string): Promise<Buffer> {
  const path = fixture(`${name}/vmlinux`);
  const elf = IndependentElf.of(path);
  const types = await bpftoolNames(path);
  const firstOf = new Map<string, number>();
  types.forEach((type, id) => {
    if (!firstOf.has(type)) firstOf.set(type, id);
  });
  const section = elf.section('.BTF_ids');
  const bytes = readFileSync(path);
  // The identification's sixth byte: 1 is little-endian.
  const write = (address: number, value: number): number =>
    bytes[5] === 1
      ? bytes.writeUInt32LE(value, section.offset + address - section.addr)
      : bytes.writeUInt32BE(value, section.offset + address - section.addr);
  const own = elf.symbols.filter(
    symbol => symbol.section === String(section.index) && symbol.name.startsWith('__BTF_ID__'),
  );
  const named = new Map(
    own.flatMap(({ name, value }) => {
      const found = /^__BTF_ID__(func|struct|union|typedef)__(.+)__\d+$/.exec(name);
      return found === null ? [] : [[value, firstOf.get(`${found[1]}:${found[2]}`) ?? 0] as const];
    }),
  );
  for (const address of named.keys()) write(address, 0);
  for (const { name, value, size } of own) {
    const wide = name.startsWith('__BTF_ID__set8__');
    if (!wide && !name.startsWith('__BTF_ID__set__')) continue;
    write(value, 0);
    // More than one word may have been left at 0: those keep their order.
    const flags = new Map<number, number[]>();
    for (let at = value + 8; wide && at < value + size; at += 8)
      flags.set(elf.word(at), [...(flags.get(elf.word(at)) ?? []), elf.word(at + 4)]);
    for (let at = value + 8; wide && at < value + size; at += 8)
      write(at + 4, flags.get(named.get(at) ?? 0)?.shift() ?? 0);
  }
  return bytes;
}
