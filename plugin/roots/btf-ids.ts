import type { Btf } from '../btf/btf.js';
import { kindName } from '../btf/kinds.js';
import { EndianReader } from '../bytes/endian.js';
import type { ElfFile, ElfSection } from '../elf/file.js';
import type { Symbols } from '../elf/symbols.js';
import { CodedError } from '../errors.js';
import type { Reason, Root } from './root.js';

export const BTF_IDS_SECTION = '.BTF_ids';
const PREFIX = '__BTF_ID__';

/** A word of `.BTF_ids` that holds a type id. */
export interface IdSlot {
  /** Byte offset in the section. */
  readonly offset: number;
  /** 0 where resolve_btfids found no type. */
  readonly id: number;
}

/** Where the ids of a BTF_SET or BTF_SET8 stand: bytes from the start of the section. */
export interface SetPlace {
  readonly first: number;
  readonly end: number;
  /** Bytes from id to id. */
  readonly stride: 4 | 8;
}

export interface BtfIds {
  readonly section: ElfSection;
  readonly roots: readonly Root[];
  readonly slots: readonly IdSlot[];
  readonly sets: readonly SetPlace[];
  /** Symbols that resolve_btfids left at 0, as `kind:name`. */
  readonly unresolved: readonly string[];
}

/** One `__BTF_ID__…` symbol; `offset` in bytes from the start of the section. */
export interface IdSymbol {
  readonly kind: string;
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/** A BTF_SET or BTF_SET8: words from `offset` to `end`, ids from `first` on, `stride` bytes apart. */
interface IdSet extends SetPlace {
  readonly kind: 'set' | 'set8';
  readonly name: string;
  readonly offset: number;
}

/**
 * Reads `.BTF_ids` by its symbols (include/linux/btf_ids.h): only a symbol says which word is an id. Every id is checked
 * against the name and kind of its symbol, so that a section of another build is refused. Undefined when the kernel
 * has no such section. `resolved`: what resolve_btfids makes of the section, where it does not stand in the file yet. Throws
 * `btf-ids`.
 */
export function readBtfIds(elf: ElfFile, symbols: Symbols, btf: Btf, resolved?: Uint8Array): BtfIds | undefined {
  const section = elf.find(BTF_IDS_SECTION);
  if (section === undefined) return undefined;
  if (resolved !== undefined && resolved.length !== section.size)
    throw bad(elf, `${resolved.length} bytes were resolved for a section of ${section.size}`, 0);
  const words = resolved === undefined ? elf.reader(section) : new EndianReader(resolved, elf.header.order);
  const { ids, labels } = readSymbols(elf, section, symbols);
  if (ids.length === 0 && section.size > 0) throw bad(elf, 'no symbol names its words', 0);
  const measured = symbols.sized ? ids : measureSets(elf, words, ids, labels);
  const sets = readSets(elf, words, measured);
  const listed = ids.filter(symbol => !isSet(symbol));

  const roots: Root[] = [];
  const slots: IdSlot[] = [];
  const unresolved: string[] = [];
  const inSet = new Set<IdSymbol>();
  const byOffset = listed.toSorted((a, b) => a.offset - b.offset);
  for (const set of sets) {
    const members = byOffset.slice(countBelow(byOffset, set.first), countBelow(byOffset, set.end));
    for (const member of members) inSet.add(member);
    readSetIds(elf, words, set, members, btf, { roots, slots, unresolved });
  }
  for (const symbol of listed) {
    if (inSet.has(symbol)) continue;
    const id = readId(elf, words, symbol.offset, btf);
    slots.push({ offset: symbol.offset, id });
    if (id === 0) unresolved.push(wantedName(symbol));
    else if (typeName(btf, id) !== wantedName(symbol))
      throw bad(elf, `id ${id} is ${typeName(btf, id)}, its symbol says ${wantedName(symbol)}`, symbol.offset);
    else {
      const source = labelBefore(labels, symbol.offset) ?? wantedName(symbol);
      roots.push({ id, reason: listReason(source), source });
    }
  }
  slots.sort((a, b) => a.offset - b.offset);
  return { section, roots, slots, sets, unresolved };
}

/**
 * Byte offsets of every word of `.BTF_ids` that may hold an id, ascending, whatever stands there: for a module whose BTF is
 * or will be gone. Empty without the section. Throws `btf-ids`.
 */
export function idOffsets(elf: ElfFile, symbols: Symbols): number[] {
  const section = elf.find(BTF_IDS_SECTION);
  if (section === undefined || section.size === 0) return [];
  const words = elf.reader(section);
  const { ids } = readSymbols(elf, section, symbols);
  if (ids.length === 0) throw bad(elf, 'no symbol names its words', 0);
  const offsets = new Set(ids.filter(symbol => !isSet(symbol)).map(symbol => symbol.offset));
  for (const { first, end, stride } of readSets(elf, words, ids))
    for (let offset = first; offset < end; offset += stride) offsets.add(offset);
  return [...offsets].sort((a, b) => a - b);
}

function bad(elf: ElfFile, detail: string, offset: number): CodedError {
  return new CodedError('btf-ids', detail, { file: elf.source.name, section: BTF_IDS_SECTION, offset });
}

/** Every `__BTF_ID__…` symbol of the section, in the order of the table. Throws `btf-ids`. */
export function idSymbols(elf: ElfFile, section: ElfSection, symbols: Symbols): readonly IdSymbol[] {
  return readSymbols(elf, section, symbols).ids;
}

export function isSet(symbol: IdSymbol): boolean {
  return symbol.kind === 'set' || symbol.kind === 'set8';
}

function wantedName(symbol: IdSymbol): string {
  return `${symbol.kind}:${symbol.name}`;
}

function typeName(btf: Btf, id: number): string {
  return `${kindName(btf.kind(id))}:${btf.name(id)}`;
}

type Label = { readonly name: string; readonly offset: number };

/** A System.map does not say to which section a symbol belongs: one of another kernel shows by its addresses. */
function checkAllInside(elf: ElfFile, section: ElfSection, symbols: Symbols): void {
  const prefix = Buffer.from(PREFIX, 'latin1');
  for (let i = 1; i < symbols.count; i++) {
    if (!symbols.nameStartsWith(i, prefix)) continue;
    const offset = symbols.value(i) - section.addr;
    if (offset < 0n || offset >= BigInt(section.size))
      throw bad(elf, `${symbols.name(i)} lies outside the section`, Number(offset));
  }
}

/**
 * Without sizes, the set's own count says where it ends. The next list or set starts there, or behind words of 0: no id may
 * lie between, and the count may not reach beyond.
 */
function measureSets(
  elf: ElfFile,
  words: EndianReader,
  ids: readonly IdSymbol[],
  labels: readonly Label[],
): IdSymbol[] {
  const starts = [...labels, ...ids.filter(isSet)].sort((a, b) => a.offset - b.offset);
  const listed = new Set(ids.filter(symbol => !isSet(symbol)).map(({ offset }) => offset));
  const measured = new Set<number>();
  return ids.map(symbol => {
    if (!isSet(symbol)) return symbol;
    const { kind, offset, name } = symbol;
    // Each word behind a set is looked at once.
    if (measured.has(offset)) throw bad(elf, `set ${name} starts where another does`, offset);
    measured.add(offset);
    const limit = starts[countBelow(starts, offset + 1)]?.offset ?? words.length;
    const stride = strideOf(kind);
    const count = words.u32(offset);
    const end = offset + stride * (count + 1);
    const room = Math.floor((limit - offset) / stride) - 1;
    const counts = `set ${name} counts ${count}`;
    if (end > limit) throw bad(elf, `${counts}, up to the next symbol there is room for ${room}`, offset);
    for (let at = end; at < limit; at += 4)
      if (words.u32(at) !== 0 || listed.has(at)) throw bad(elf, `${counts}, an id follows behind it`, at);
    return { ...symbol, size: end - offset };
  });
}

/** Bytes from id to id of a set of this kind. */
export function strideOf(kind: string): 4 | 8 {
  return kind === 'set8' ? 8 : 4;
}

function readSymbols(elf: ElfFile, section: ElfSection, symbols: Symbols): { ids: IdSymbol[]; labels: Label[] } {
  if (!symbols.sized) checkAllInside(elf, section, symbols);
  const ids: IdSymbol[] = [];
  const labels: Label[] = [];
  for (const symbol of symbols.inSection(section)) {
    const offset = Number(symbol.value - section.addr);
    if (!symbol.name.startsWith(PREFIX)) {
      // Mapping symbols of ARM ($d) and the section's own symbol name no list.
      if (symbol.name !== '' && !symbol.name.startsWith('$')) labels.push({ name: symbol.name, offset });
      continue;
    }
    if (offset < 0 || offset % 4 !== 0 || offset + 4 > section.size)
      throw bad(elf, `${symbol.name} lies outside the section`, offset);
    const parsed = /^(func|struct|union|typedef|set|set8)__(.+)$/.exec(symbol.name.slice(PREFIX.length));
    if (parsed === null) throw bad(elf, `${symbol.name} is of no known form`, offset);
    const [, kind, tail] = parsed;
    const isSetSymbol = kind === 'set' || kind === 'set8';
    ids.push({ kind, name: isSetSymbol ? tail : tail.replace(/__\d+$/, ''), offset, size: symbol.size });
  }
  // Lists that the configuration left empty share their place with the next one: the name decides, in every table.
  labels.sort((a, b) => a.offset - b.offset || (a.name < b.name ? -1 : 1));
  return { ids, labels };
}

function readSet(elf: ElfFile, words: EndianReader, symbol: IdSymbol): IdSet {
  const stride = strideOf(symbol.kind);
  const { offset, size, name } = symbol;
  if (size < stride || size % stride !== 0 || offset + size > words.length)
    throw bad(elf, `set ${name} has a size of ${size} bytes`, offset);
  const set: IdSet = {
    kind: stride === 8 ? 'set8' : 'set',
    name,
    offset,
    first: offset + stride,
    stride,
    end: offset + size,
  };
  const count = size / stride - 1;
  if (words.u32(offset) !== count)
    throw bad(elf, `set ${name} counts ${words.u32(offset)}, its symbol has room for ${count}`, offset);
  return set;
}

/**
 * All sets, in the order of their symbols. No two may share a word: resolve_btfids would sort it twice, and 60,000 sets over the
 * same ids would each be read whole.
 */
function readSets(elf: ElfFile, words: EndianReader, ids: readonly IdSymbol[]): IdSet[] {
  const sets = ids.filter(isSet).map(symbol => readSet(elf, words, symbol));
  const ascending = sets.toSorted((a, b) => a.offset - b.offset);
  const wrong = ascending.findIndex((set, i) => i > 0 && set.offset < ascending[i - 1].end);
  if (wrong >= 0)
    throw bad(elf, `set ${ascending[wrong].name} overlaps set ${ascending[wrong - 1].name}`, ascending[wrong].offset);
  return sets;
}

interface Found {
  readonly roots: Root[];
  readonly slots: IdSlot[];
  readonly unresolved: string[];
}

/** resolve_btfids sorts a set after it resolved the names: within a set, names and ids agree only as a whole. */
function readSetIds(
  elf: ElfFile,
  words: EndianReader,
  set: IdSet,
  members: readonly IdSymbol[],
  btf: Btf,
  found: Found,
): void {
  // BTF_ID_UNUSED leaves a word without a symbol, for ids that the configuration lacks.
  if (members.length > (set.end - set.first) / set.stride)
    throw bad(elf, `set ${set.name} has ${members.length} symbols`, set.offset);
  const wanted = new Set(members.map(wantedName));
  const reason = setReason(set);
  const resolved = new Set<string>();
  let previous = 0;
  for (let offset = set.first; offset < set.end; offset += set.stride) {
    const id = readId(elf, words, offset, btf);
    found.slots.push({ offset, id });
    if (id < previous) throw bad(elf, `set ${set.name} is not sorted`, offset);
    previous = id;
    if (id === 0) continue;
    const name = typeName(btf, id);
    if (!wanted.has(name)) throw bad(elf, `id ${id} is ${name}, which set ${set.name} does not name`, offset);
    resolved.add(name);
    found.roots.push({ id, reason, source: set.name });
  }
  for (const name of wanted) if (!resolved.has(name)) found.unresolved.push(name);
}

function readId(elf: ElfFile, words: EndianReader, offset: number, btf: Btf): number {
  const id = words.u32(offset);
  if (id >= btf.endId) throw bad(elf, `type id ${id}, the last is ${btf.endId - 1}`, offset);
  return id;
}

/** The last list label at or before a word: BTF_ID_LIST puts it in front of the first id. */
function labelBefore(labels: readonly Label[], offset: number): string | undefined {
  return labels[countBelow(labels, offset + 1) - 1]?.name;
}

/** How many of what ascends by offset stand before one. */
function countBelow(ascending: readonly { readonly offset: number }[], offset: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle].offset < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function setReason(set: IdSet): Reason {
  if (set.kind === 'set8') {
    // No flag tells these sets from kfuncs: BTF_KFUNCS_START declares both (net/bpf/test_run.c).
    return /fmod_?ret|modify_return/.test(set.name) ? 'fmod_ret' : 'kfunc';
  }
  if (/deny/.test(set.name)) return 'deny-list';
  if (/hooks$/.test(set.name)) return 'lsm';
  return /kfunc/.test(set.name) ? 'kfunc' : 'helper';
}

/** Lists carry no flag that tells their use: the name under which kernel/bpf, net and drivers declare them does. */
const LIST_REASONS: readonly (readonly [RegExp, Reason])[] = [
  [/dtor/, 'dtor'],
  [/kfunc|^kf_arg_btf_ids$/, 'kfunc'],
  [/^bpf_ctx_convert/, 'ctx'],
  [/^st_ops_ids$|struct_ops/, 'struct_ops'],
  [/map_btf_ids?$|^btf_bpf_map_id$/, 'map'],
  [/iter|^btf_seq_file_ids$|^btf_netlink_sock_id$|^btf_fib6_info_id$|^btf_bpf_(prog|link)_id$/, 'iterator'],
];

function listReason(list: string): Reason {
  return LIST_REASONS.find(([pattern]) => pattern.test(list))?.[1] ?? 'helper';
}
