import { kindByName } from '../btf/kinds.js';
import type { NameIndex } from '../btf/names.js';
import type { ElfFile } from '../elf/file.js';
import type { Symbols } from '../elf/symbols.js';
import { CodedError } from '../errors.js';
import { BTF_IDS_SECTION, type IdSymbol, idSymbols, isSet, strideOf } from './btf-ids.js';

/**
 * `.BTF_ids` as resolve_btfids will leave it (tools/bpf/resolve_btfids/main.c of 6.12, symbols_resolve and sets_patch): each named word
 * becomes the first type of that kind and name, or 0; a set gets its count from the size of its symbol, and is sorted by id, flags
 * along with their ids. What stands in the words before does not matter. Undefined without the section. Throws `btf-ids`.
 */
export function resolveIds(elf: ElfFile, symbols: Symbols, names: NameIndex): Uint8Array | undefined {
  const section = elf.find(BTF_IDS_SECTION);
  if (section === undefined) return undefined;
  const bytes = Uint8Array.from(elf.data(section));
  const view = new DataView(bytes.buffer);
  const little = elf.header.order === 'little';
  const all = idSymbols(elf, section, symbols);
  for (const symbol of all)
    if (!isSet(symbol)) view.setUint32(symbol.offset, names.first(symbol.name, kindOf(symbol.kind)), little);
  let sorted = 0;
  for (const set of all) {
    if (!isSet(set)) continue;
    const stride = strideOf(set.kind);
    const { offset, size, name } = set;
    // Sets that overlap are refused by readBtfIds; here they must not cost more than the section.
    sorted += size;
    if (size < stride || size % stride !== 0 || offset + size > bytes.length || sorted > bytes.length)
      throw new CodedError('btf-ids', `set ${name} has a size of ${size} bytes`, {
        file: elf.source.name,
        section: BTF_IDS_SECTION,
        offset,
      });
    view.setUint32(offset, size / stride - 1, little);
    sortSet(view, set, stride, little);
  }
  return bytes;
}

function kindOf(name: string): number {
  const kind = kindByName(name);
  if (kind === undefined) throw new RangeError(`no kind ${name}`);
  return kind;
}

/** Entries of a set, which are an id and, in a BTF_SET8, its flags. */
function sortSet(view: DataView, { offset, size }: IdSymbol, stride: 4 | 8, little: boolean): void {
  const entries: { readonly id: number; readonly flags: number }[] = [];
  for (let at = offset + stride; at < offset + size; at += stride)
    entries.push({ id: view.getUint32(at, little), flags: stride === 8 ? view.getUint32(at + 4, little) : 0 });
  entries.sort((a, b) => a.id - b.id);
  entries.forEach(({ id, flags }, i) => {
    const at = offset + stride * (i + 1);
    view.setUint32(at, id, little);
    if (stride === 8) view.setUint32(at + 4, flags, little);
  });
}
