import {
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_INT,
  KIND_STRUCT,
  KIND_UNION,
  kindName,
  kindSet,
} from '../btf/kinds.js';
import { measureBytes } from './bytes.js';
import { ChangeReader } from './changes.js';
import { referenceClasses } from './classes.js';
import { type Joined, join, kindOf } from './joined.js';
import { type Matching, matchTypes } from './match.js';
import {
  type Both,
  type DiffSide,
  MOST_CHANGES,
  type SplitSide,
  type TypeChange,
  type TypeDiff,
  VERDICTS,
  type Verdict,
} from './model.js';
import { Spelling } from './spell.js';

/** Kinds whose third word is a size in bytes of memory. */
const HAS_SIZE = kindSet(KIND_INT, KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_ENUM64, KIND_FLOAT, KIND_DATASEC);

/**
 * How the types of `b` differ from those of `a`, in time and memory linear in the words of both. Neither may hold a name of 1,024 bytes
 * or more (checkLengths). `only`: a kind, to which types and bytes are limited. Throws `btf-strings` for a small file whose names would
 * make a huge result.
 */
export function diffTypes(a: DiffSide, b: DiffSide, only?: number): TypeDiff {
  const joined = join(a.btf, b.btf);
  const classes = referenceClasses(joined);
  const all = matchTypes(joined, classes);
  const parts = measureBytes(joined, classes, all, a.btf, b.btf).filter(
    ({ part }) => only === undefined || part === kindName(only),
  );
  const matching = only === undefined ? all : ofKind(joined, all, only);
  const reader = new RowReader(joined, classes, [a.baseTypes, b.baseTypes]);
  const types: TypeChange[] = [];
  for (const id of matching.removed) types.push(reader.row('removed', id, 0));
  for (const id of matching.added) types.push(reader.row('added', 0, id));
  const [was, is] = matching.different;
  for (const [nth, id] of is.entries()) types.push(reader.row(reader.verdict(was[nth], id), was[nth], id));
  const [same, alike] = matching.same;
  let unchanged = 0;
  for (const [nth, id] of same.entries())
    if (reader.moved(id, alike[nth])) types.push(reader.row('moved', id, alike[nth]));
    else unchanged++;
  types.sort(byWeight);
  const sum = (of: (row: (typeof parts)[number]) => number): number => parts.reduce((total, row) => total + of(row), 0);
  const moves = types.filter(
    ({ side }) => side?.before !== undefined && side.after !== undefined && side.before !== side.after,
  );
  const toBase = moves.filter(({ side }) => side?.after === 'base').length;
  const known = a.baseTypes !== undefined && b.baseTypes !== undefined;
  return {
    verdicts: countVerdicts(types),
    unchanged,
    ...(known ? { moved: { toBase, toRest: moves.length - toBase } } : {}),
    bytes: {
      before: sum(row => row.bytes.before),
      after: sum(row => row.bytes.after),
      up: sum(row => row.up),
      down: sum(row => row.down),
    },
    parts,
    types,
  };
}

/** The types of one kind; those of a pair have the same. */
function ofKind(joined: Joined, { same, different, removed, added }: Matching, kind: number): Matching {
  const some = (ids: readonly number[]): number[] => ids.filter(id => kindOf(joined, id) === kind);
  return {
    same: [some(same[0]), some(same[1])],
    different: [some(different[0]), some(different[1])],
    removed: some(removed),
    added: some(added),
  };
}

function countVerdicts(types: readonly TypeChange[]): Record<Verdict, number> {
  const counts: Record<Verdict, number> = { added: 0, removed: 0, grown: 0, shrunk: 0, changed: 0, moved: 0 };
  for (const { verdict } of types) counts[verdict]++;
  return counts;
}

/** What changed most bytes of BTF first, then of memory, then the largest; then by verdict, kind, name and id, so that the order is one. */
function byWeight(x: TypeChange, y: TypeChange): number {
  const weight = ({ before, after }: Both): number => Math.abs(after - before);
  return (
    weight(y.record) - weight(x.record) ||
    (y.size === undefined ? 0 : weight(y.size)) - (x.size === undefined ? 0 : weight(x.size)) ||
    y.record.after - x.record.after ||
    VERDICTS.indexOf(x.verdict) - VERDICTS.indexOf(y.verdict) ||
    compare(x.kind, y.kind) ||
    compare(x.name, y.name) ||
    x.id.before - y.id.before ||
    x.id.after - y.id.after
  );
}

function compare(x: string, y: string): number {
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Makes the rows of a result; types are joint ids, 0 for one that is not there. */
class RowReader {
  readonly #joined: Joined;
  readonly #baseTypes: readonly [number | undefined, number | undefined];
  readonly #spelling: Spelling;
  readonly #changes: ChangeReader;

  constructor(joined: Joined, classes: Uint32Array, baseTypes: readonly [number | undefined, number | undefined]) {
    this.#joined = joined;
    this.#baseTypes = baseTypes;
    this.#spelling = new Spelling(joined);
    this.#changes = new ChangeReader(joined, classes, this.#spelling);
  }

  /** Of two types that differ. */
  verdict(a: number, b: number): Verdict {
    const by = this.#size(b) - this.#size(a);
    return by > 0 ? 'grown' : by < 0 ? 'shrunk' : 'changed';
  }

  moved(a: number, b: number): boolean {
    const [before, after] = [this.#side(0, a), this.#side(1, b)];
    return before !== undefined && after !== undefined && before !== after;
  }

  row(verdict: Verdict, a: number, b: number): TypeChange {
    const present = b === 0 ? a : b;
    const changes = a === 0 || b === 0 || verdict === 'moved' ? [] : this.#changes.changes(a, b);
    const both = (of: (id: number) => number): Both => ({ before: a === 0 ? 0 : of(a), after: b === 0 ? 0 : of(b) });
    const { starts, sides } = this.#joined;
    const kind = kindOf(this.#joined, present);
    return {
      verdict,
      kind: kindName(kind),
      name: this.#name(present, kind),
      id: { before: a === 0 ? 0 : a - sides[0].shift, after: b === 0 ? 0 : b - sides[1].shift },
      ...(HAS_SIZE[kind] === 0 ? {} : { size: both(id => this.#size(id)) }),
      record: both(id => (starts[id + 1] - starts[id]) * 4),
      ...this.#sides(a, b),
      changes: changes.slice(0, MOST_CHANGES),
      ...(changes.length > MOST_CHANGES ? { more: changes.length - MOST_CHANGES } : {}),
    };
  }

  #name(id: number, kind: number): string {
    const name = this.#spelling.nameOfType(id);
    if (kind !== KIND_DECL_TAG) return name;
    const { words, starts } = this.#joined;
    const target = words[starts[id] + 2];
    const component = words[starts[id] + 3] | 0;
    const part = component < 0 ? '' : `, component ${component}`;
    const what =
      target === 0 ? 'void' : `${kindName(kindOf(this.#joined, target))} ${this.#spelling.nameOfType(target)}`;
    return `${name} of ${what}${part}`;
  }

  #size(id: number): number {
    return HAS_SIZE[kindOf(this.#joined, id)] === 0 ? 0 : this.#joined.words[this.#joined.starts[id] + 2];
  }

  #side(nth: 0 | 1, id: number): SplitSide | undefined {
    const baseTypes = this.#baseTypes[nth];
    if (id === 0 || baseTypes === undefined) return undefined;
    return id - this.#joined.sides[nth].first < baseTypes ? 'base' : 'rest';
  }

  #sides(a: number, b: number): Pick<TypeChange, 'side'> {
    if (this.#baseTypes.includes(undefined)) return {};
    const [before, after] = [this.#side(0, a), this.#side(1, b)];
    return { side: { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) } };
  }
}
