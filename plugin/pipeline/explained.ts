import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Btf } from '../btf/btf.js';
import { NameIndex } from '../btf/names.js';
import { SPLIT_JSON } from '../host/out-folder.js';
import type { Root } from '../roots/root.js';
import { type Closure, closeOver } from '../split/closure.js';
import { Companions } from '../split/companions.js';
import { solidTypes } from '../split/forward.js';
import { asKernel, withInput } from './input.js';
import { readManifest } from './out.js';
import { kernelRoots } from './roots.js';

/** A BTF with the split that is explained: one that was made, or the one that a vmlinux would get. */
export interface Explained {
  readonly btf: Btf;
  readonly names: NameIndex;
  /** Without those of the reason `tag`, which follow from the others. */
  readonly roots: readonly Root[];
  readonly companions: Companions;
  readonly closure: Closure;
}

/** What is explained, as the command line says it. */
export interface Subject {
  /** A vmlinux or an out folder; without one, the out folder `out`. */
  readonly file: string | undefined;
  readonly out: string;
  readonly systemMap?: string | undefined;
}

/**
 * Runs `use` on a vmlinux or an out folder. Throws what opening and the
 * readers of roots throw.
 */
export async function withExplained<T>(
  { file, out, systemMap }: Subject,
  use: (explained: Explained) => T,
): Promise<T> {
  const folder = file === undefined ? out : existsSync(join(file, SPLIT_JSON)) ? file : undefined;
  const manifest = folder === undefined ? undefined : readManifest(folder);
  const input = manifest === undefined ? (file ?? '') : resolve(folder ?? '', manifest.input.file);
  return withInput(
    input,
    undefined,
    opened => {
      const { btf } = opened;
      const names = new NameIndex(btf);
      const roots = (manifest?.roots ?? kernelRoots(asKernel(opened, names, systemMap)).roots).filter(
        ({ reason }) => reason !== 'tag',
      );
      const companions = new Companions(btf, names);
      const closure = closeOver(btf, companions, roots);
      // What is a FWD in the base, or leads to one, is not there for who asks.
      const solid = manifest?.closure === 'forward' ? solidTypes(btf, companions, roots) : undefined;
      const nearest =
        solid === undefined ? closure.nearest : closure.nearest.map((root, id) => (solid[id] === 1 ? root : 0));
      return use({ btf, names, roots, companions, closure: { ...closure, nearest } });
    },
    'refused',
  );
}
