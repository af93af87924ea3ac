import type { Btf } from '../btf/btf.js';
import { KIND_TYPE_TAG, kindByName, kindName, ROLE_TYPE } from '../btf/kinds.js';
import type { NameIndex } from '../btf/names.js';
import type { Root } from '../roots/root.js';
import { levelBehind, settledLevel, WHOLE } from '../split/levels.js';
import type { Reach } from '../split/split.js';

/** A type of vmlinux that modules need in the base, by name: ids are others after the next link. */
export interface ModuleRoot {
  readonly kind: string;
  readonly name: string;
  /** Why, in words. */
  readonly source: string;
}

/**
 * The `module` roots of a split by name, each once, in order of kind and name, but for what is in the base without them. What a
 * root without a name needs stands for it: a pointer or a prototype is compared by what it consists of, so that two modules may
 * each have their own. `inBase`: by id, how much of a type is there anyway (levels.ts).
 */
export function namedRoots(btf: Btf, roots: readonly Root[], inBase: Uint8Array, reach: Reach): ModuleRoot[] {
  const { words, roles, starts } = btf;
  const levels = new Uint8Array(btf.endId);
  const found = new Map<string, ModuleRoot>();
  for (const { id: root, reason, source } of roots) {
    if (reason !== 'module') continue;
    const queue: [id: number, level: number][] = [[root, WHOLE]];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const [id, much] = next;
      if (id === 0) continue;
      const kind = btf.kind(id);
      const named = { kind: kindName(kind).toLowerCase(), name: btf.name(id), source };
      const level = settledLevel(much, kind, named.name !== '');
      if (levels[id] >= level || inBase[id] >= level) continue;
      levels[id] = level;
      // What a tag on a type is called is no name of a type.
      if (named.name === '' || kind === KIND_TYPE_TAG) {
        const behind = reach === 'forward' ? levelBehind(level, kind) : WHOLE;
        for (let at = starts[id - 1] + 2; at < starts[id]; at++)
          if (roles[at] === ROLE_TYPE) queue.push([words[at], behind]);
      } else if (level === WHOLE && !found.has(textOf(named))) found.set(textOf(named), named);
    }
  }
  return [...found.values()].sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
}

/** Every type of those names, as roots. A name that the kernel no longer has is none. */
export function rootsOfNames(names: NameIndex, wanted: readonly ModuleRoot[]): Root[] {
  return wanted.flatMap(({ kind, name, source }) =>
    names.all(name, kindByName(kind)).map((id): Root => ({ id, reason: 'module', source })),
  );
}

/** Whether the same types are wanted, whatever for. */
export function sameNames(a: readonly ModuleRoot[], b: readonly ModuleRoot[]): boolean {
  return a.length === b.length && a.every((root, i) => textOf(root) === textOf(b[i]));
}

/** `kind:name`. */
export function textOf({ kind, name }: ModuleRoot): string {
  return `${kind}:${name}`;
}
