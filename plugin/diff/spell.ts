import {
  infoKind,
  infoKindFlag,
  infoVlen,
  KIND_ARRAY,
  KIND_CONST,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_PTR,
  KIND_RESTRICT,
  KIND_STRUCT,
  KIND_TYPE_TAG,
  KIND_UNION,
  KIND_VOLATILE,
} from '../btf/kinds.js';
import { NameBudget } from '../btf/names.js';
import type { Joined } from './joined.js';

/** Types that one spelling looks at, and characters that it has: enough for what people write. */
const MOST_STEPS = 32;
const MOST_CHARACTERS = 120;

const KEYWORDS: Readonly<Record<number, string>> = {
  [KIND_STRUCT]: 'struct',
  [KIND_UNION]: 'union',
  [KIND_ENUM]: 'enum',
  [KIND_ENUM64]: 'enum',
};
const QUALIFIERS: Readonly<Record<number, string>> = {
  [KIND_CONST]: 'const',
  [KIND_VOLATILE]: 'volatile',
  [KIND_RESTRICT]: 'restrict',
};

/** Names and types of two joined BTFs in words. Characters are bytes (latin1). */
export class Spelling {
  readonly #joined: Joined;
  readonly #budget: NameBudget;
  #steps = 0;

  constructor(joined: Joined) {
    this.#joined = joined;
    this.#budget = new NameBudget({ stringEnd: joined.strings.length });
  }

  /** Throws `btf-strings` when a small file has made too much text of its names. */
  name(number: number): string {
    if (number === 0) return '';
    const { strings } = this.#joined;
    const end = strings.indexOf(0, number);
    this.#budget.spend(end - number);
    return Buffer.from(strings.buffer, strings.byteOffset, strings.byteLength).toString('latin1', number, end);
  }

  nameOfType(id: number): string {
    const { words, starts } = this.#joined;
    return id === 0 ? '' : this.name(words[starts[id]]);
  }

  /** As C writes a declaration without its name: `const struct sk_buff *`, `int (*)(void)`, `u8 [16]`. */
  type(id: number): string {
    this.#steps = 0;
    const text = this.#declare(id, '');
    return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
  }

  /** `inner`: what stands around the name in a declaration. */
  #declare(id: number, inner: string): string {
    const put = (text: string): string => (inner === '' ? text : `${text} ${inner}`);
    if (this.#steps++ >= MOST_STEPS) return put('…');
    if (id === 0) return put('void');
    const { words, starts } = this.#joined;
    const at = starts[id];
    const kind = infoKind(words[at + 1]);
    const target = words[at + 2];
    if (kind === KIND_PTR) return this.#declare(target, `*${inner}`);
    if (kind === KIND_ARRAY) return this.#declare(words[at + 3], `${parenthesized(inner)}[${words[at + 5]}]`);
    if (kind === KIND_FUNC_PROTO) return this.#declare(target, `${parenthesized(inner)}(${this.#parameters(at)})`);
    const qualifier = QUALIFIERS[kind];
    if (qualifier !== undefined) {
      const pointer = target !== 0 && infoKind(words[starts[target] + 1]) === KIND_PTR;
      if (pointer) return this.#declare(target, inner === '' ? qualifier : `${qualifier} ${inner}`);
      return `${qualifier} ${this.#declare(target, inner)}`;
    }
    if (kind === KIND_TYPE_TAG) return `__${this.nameOfType(id)} ${this.#declare(target, inner)}`;
    if (kind === KIND_FWD) return put(`${infoKindFlag(words[at + 1]) ? 'union' : 'struct'} ${this.nameOfType(id)}`);
    const keyword = KEYWORDS[kind];
    if (keyword === undefined) return put(this.nameOfType(id) || '?');
    return put(`${keyword} ${this.nameOfType(id) || '{…}'}`);
  }

  #parameters(at: number): string {
    const { words } = this.#joined;
    const count = infoVlen(words[at + 1]);
    const spelled: string[] = [];
    for (let i = 0; i < count && this.#steps < MOST_STEPS; i++) {
      const type = words[at + 4 + i * 2];
      // A last parameter of type void says that there may be more.
      spelled.push(type === 0 && i === count - 1 ? '...' : this.#declare(type, ''));
    }
    if (spelled.length < count) spelled.push('…');
    return spelled.join(', ') || 'void';
  }
}

/** Before brackets: a pointer binds weaker than they do. */
function parenthesized(inner: string): string {
  return /^[\w*]*\*|^(const|volatile|restrict)\b/.test(inner) ? `(${inner})` : inner;
}
