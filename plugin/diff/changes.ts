import {
  infoKindFlag,
  infoVlen,
  KIND_DATASEC,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_INT,
  KIND_STRUCT,
  KIND_TYPEDEF,
  KIND_UNION,
  KIND_VAR,
} from '../btf/kinds.js';
import { type Joined, kindOf } from './joined.js';
import { type FlatMember, MemberReader } from './members.js';
import type { Change } from './model.js';
import { Spelling } from './spell.js';

/** Of FUNC and VAR. */
const LINKAGES = ['static', 'global', 'extern'];
const linkage = (value: number): string => LINKAGES[value] ?? `linkage ${value}`;

/** BTF_INT_SIGNED, BTF_INT_CHAR, BTF_INT_BOOL. */
const ENCODINGS = ['unsigned', 'signed', 'char', 'signed char', 'bool'];

/** What differs in two types of one name and kind, in words. */
export class ChangeReader {
  readonly #joined: Joined;
  readonly #classes: Uint32Array;
  readonly #spelling: Spelling;
  readonly #members: MemberReader;

  constructor(joined: Joined, classes: Uint32Array, spelling = new Spelling(joined)) {
    this.#joined = joined;
    this.#classes = classes;
    this.#spelling = spelling;
    this.#members = new MemberReader(joined);
  }

  /**
   * `a` and `b` are joint ids of one kind whose records differ. Empty when only their size does. Throws `btf-strings`: see
   * {@link Spelling.name}.
   */
  changes(a: number, b: number): Change[] {
    const read = BY_KIND[kindOf(this.#joined, a)];
    return read === undefined ? [] : read(this, a, b);
  }

  composite(a: number, b: number): Change[] {
    const changes: Change[] = [];
    const { gone, kept, come } = pairByName(this.#members.members(a), this.#members.members(b));
    for (const member of gone)
      changes.push({ what: 'removed', of: 'member', name: this.#name(member), before: this.#spellMember(member) });
    for (const [was, is] of kept) {
      const name = this.#name(is);
      if (was.width !== is.width || this.#differ(was.type, is.type))
        changes.push({
          what: 'retyped',
          of: 'member',
          name,
          before: this.#spellMember(was),
          after: this.#spellMember(is),
        });
      if (was.bits !== is.bits) changes.push({ what: 'moved', of: 'member', name, by: is.bits - was.bits });
    }
    for (const member of come)
      changes.push({ what: 'added', of: 'member', name: this.#name(member), after: this.#spellMember(member) });
    // Sizes are told elsewhere; with one size, it is the nameless structs within that differ.
    const { words, starts } = this.#joined;
    if (changes.length === 0 && words[starts[a] + 2] === words[starts[b] + 2])
      changes.push({ what: 'regrouped', of: 'member', name: '' });
    return changes;
  }

  enumeration(a: number, b: number): Change[] {
    const { gone, kept, come } = pairByName(this.#values(a), this.#values(b));
    const changes: Change[] = gone.map(({ name, text }) => this.#value('removed', name, { before: text }));
    for (const [was, is] of kept)
      if (was.text !== is.text) changes.push(this.#value('value', is.name, { before: was.text, after: is.text }));
    changes.push(...come.map(({ name, text }) => this.#value('added', name, { after: text })));
    if (changes.length === 0 && this.#flag(a) === this.#flag(b) && this.#word(a, 2) === this.#word(b, 2))
      changes.push({ what: 'regrouped', of: 'value', name: '' });
    return [
      ...this.#flags('encoding', this.#flag(a) ? 'signed' : 'unsigned', this.#flag(b) ? 'signed' : 'unsigned'),
      ...changes,
    ];
  }

  function(a: number, b: number): Change[] {
    const [was, is] = [this.#word(a, 2), this.#word(b, 2)];
    const changes = this.#flags('linkage', linkage(infoVlen(this.#word(a, 1))), linkage(infoVlen(this.#word(b, 1))));
    if (!this.#differ(was, is)) return changes;
    if (this.#isProto(was) && this.#isProto(is)) return [...changes, ...this.#prototype(was, is)];
    return [...changes, this.#retyped('type', 0, was, is)];
  }

  target(a: number, b: number): Change[] {
    const [was, is] = [this.#word(a, 2), this.#word(b, 2)];
    return this.#differ(was, is) ? [this.#retyped('type', 0, was, is)] : [];
  }

  variable(a: number, b: number): Change[] {
    return [...this.#flags('linkage', linkage(this.#word(a, 3)), linkage(this.#word(b, 3))), ...this.target(a, b)];
  }

  section(a: number, b: number): Change[] {
    const { gone, kept, come } = pairByName(this.#variables(a), this.#variables(b));
    const named = (what: 'added' | 'removed', { name }: { name: number }): Change => ({
      what,
      of: 'variable',
      name: this.#spelling.name(name),
    });
    const changes: Change[] = gone.map(entry => named('removed', entry));
    for (const [was, is] of kept) {
      const name = this.#spelling.name(is.name);
      if (was.size !== is.size)
        changes.push({ what: 'resized', of: 'variable', name, before: `${was.size}`, after: `${is.size}` });
      if (was.offset !== is.offset) changes.push({ what: 'moved', of: 'variable', name, by: is.offset - was.offset });
    }
    return [...changes, ...come.map(entry => named('added', entry))];
  }

  forward(a: number, b: number): Change[] {
    return this.#flags('type', this.#flag(a) ? 'union' : 'struct', this.#flag(b) ? 'union' : 'struct');
  }

  integer(a: number, b: number): Change[] {
    return this.#flags('encoding', encoding(this.#word(a, 3)), encoding(this.#word(b, 3)));
  }

  #prototype(a: number, b: number): Change[] {
    const changes: Change[] = [];
    if (this.#differ(this.#word(a, 2), this.#word(b, 2)))
      changes.push(this.#retyped('result', 0, this.#word(a, 2), this.#word(b, 2)));
    const [as, bs] = [this.#parameters(a), this.#parameters(b)];
    if (as.length === bs.length) {
      for (const [i, is] of bs.entries()) {
        if (this.#differ(as[i].type, is.type)) changes.push(this.#retyped('parameter', is.name, as[i].type, is.type));
        if (as[i].name !== is.name)
          changes.push({
            what: 'renamed',
            of: 'parameter',
            name: `${i + 1}`,
            before: this.#spelling.name(as[i].name),
            after: this.#spelling.name(is.name),
          });
      }
      return changes;
    }
    const { gone, kept, come } = pairByName(as, bs);
    for (const { name, type } of gone)
      changes.push({
        what: 'removed',
        of: 'parameter',
        name: this.#spelling.name(name),
        before: this.#spelling.type(type),
      });
    for (const [was, is] of kept)
      if (this.#differ(was.type, is.type)) changes.push(this.#retyped('parameter', is.name, was.type, is.type));
    for (const { name, type } of come)
      changes.push({
        what: 'added',
        of: 'parameter',
        name: this.#spelling.name(name),
        after: this.#spelling.type(type),
      });
    return changes;
  }

  #word(id: number, nth: number): number {
    return this.#joined.words[this.#joined.starts[id] + nth];
  }

  #flag(id: number): boolean {
    return infoKindFlag(this.#word(id, 1));
  }

  #differ(a: number, b: number): boolean {
    return this.#classes[a] !== this.#classes[b];
  }

  #isProto(id: number): boolean {
    return id !== 0 && kindOf(this.#joined, id) === KIND_FUNC_PROTO;
  }

  #name({ name }: { readonly name: number }): string {
    return this.#spelling.name(name);
  }

  #spellMember({ type, width }: FlatMember): string {
    const text = this.#spelling.type(type);
    return width === 0 ? text : `${text} : ${width}`;
  }

  #retyped(of: Change['of'], name: number, before: number, after: number): Change {
    return {
      what: 'retyped',
      of,
      name: this.#spelling.name(name),
      before: this.#spelling.type(before),
      after: this.#spelling.type(after),
    };
  }

  #value(what: Change['what'], name: number, told: Pick<Change, 'before' | 'after'>): Change {
    return { what, of: 'value', name: this.#spelling.name(name), ...told };
  }

  #flags(of: Change['of'], before: string, after: string): Change[] {
    return before === after ? [] : [{ what: 'flags', of, name: '', before, after }];
  }

  #values(id: number): { readonly name: number; readonly text: string }[] {
    const { words } = this.#joined;
    const signed = this.#flag(id);
    const wide = kindOf(this.#joined, id) === KIND_ENUM64;
    return this.#elements(id, wide ? 3 : 2, at => {
      const bits = (wide ? BigInt(words[at + 2]) << 32n : 0n) | BigInt(words[at + 1]);
      return { name: words[at], text: `${signed ? BigInt.asIntN(wide ? 64 : 32, bits) : bits}` };
    });
  }

  #parameters(id: number): { readonly name: number; readonly type: number }[] {
    const { words } = this.#joined;
    return this.#elements(id, 2, at => ({ name: words[at], type: words[at + 1] }));
  }

  #variables(id: number): { readonly name: number; readonly offset: number; readonly size: number }[] {
    const { words, starts } = this.#joined;
    return this.#elements(id, 3, at => ({
      name: words[at] === 0 ? 0 : words[starts[words[at]]],
      offset: words[at + 1],
      size: words[at + 2],
    }));
  }

  #elements<T>(id: number, length: number, read: (at: number) => T): T[] {
    const start = this.#joined.starts[id] + 3;
    return Array.from({ length: infoVlen(this.#word(id, 1)) }, (_, i) => read(start + i * length));
  }
}

/** Index: the kind. FLOAT has nothing but its size; a DECL_TAG that differs is another tag. */
const BY_KIND: ((reader: ChangeReader, a: number, b: number) => Change[])[] = [];
BY_KIND[KIND_INT] = (reader, a, b) => reader.integer(a, b);
BY_KIND[KIND_STRUCT] = (reader, a, b) => reader.composite(a, b);
BY_KIND[KIND_UNION] = (reader, a, b) => reader.composite(a, b);
BY_KIND[KIND_ENUM] = (reader, a, b) => reader.enumeration(a, b);
BY_KIND[KIND_ENUM64] = (reader, a, b) => reader.enumeration(a, b);
BY_KIND[KIND_FWD] = (reader, a, b) => reader.forward(a, b);
BY_KIND[KIND_TYPEDEF] = (reader, a, b) => reader.target(a, b);
BY_KIND[KIND_FUNC] = (reader, a, b) => reader.function(a, b);
BY_KIND[KIND_VAR] = (reader, a, b) => reader.variable(a, b);
BY_KIND[KIND_DATASEC] = (reader, a, b) => reader.section(a, b);

function encoding(data: number): string {
  const value = (data >>> 24) & 0xf;
  const offset = (data >>> 16) & 0xff;
  return `${ENCODINGS[value] ?? `encoding ${value}`}, ${data & 0xff} bits${offset === 0 ? '' : ` from bit ${offset}`}`;
}

/** Elements of two lists that bear one name, in order where several do; and what only one list has. */
function pairByName<T extends { readonly name: number }>(
  as: readonly T[],
  bs: readonly T[],
): { readonly gone: T[]; readonly kept: (readonly [T, T])[]; readonly come: T[] } {
  const waiting = new Map<number, T[]>();
  for (let nth = bs.length - 1; nth >= 0; nth--) {
    const list = waiting.get(bs[nth].name);
    if (list === undefined) waiting.set(bs[nth].name, [bs[nth]]);
    else list.push(bs[nth]);
  }
  const gone: T[] = [];
  const kept: (readonly [T, T])[] = [];
  for (const a of as) {
    const b = waiting.get(a.name)?.pop();
    if (b === undefined) gone.push(a);
    else kept.push([a, b]);
  }
  const free = new Set([...waiting.values()].flat());
  return { gone, kept, come: bs.filter(b => free.has(b)) };
}
