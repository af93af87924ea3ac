import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Btf } from '../btf/btf.js';
import { NameIndex } from '../btf/names.js';
import { SPLIT_JSON } from '../host/out-folder.js';
import type { Root } from '../roots/root.js';
import { Companions } from '../split/companions.js';
import { NeedGraph } from '../split/need-graph.js';
import { type Reached, reachedBy } from '../split/reached.js';
import { asKernel, withInput } from './input.js';
import { readManifest } from './out.js';
import { kernelRoots } from './roots.js';

/** A BTF with the split that is explained: one that was made, or the one that a vmlinux would get. */
export interface Explained {
  readonly btf: Btf;
  readonly names: NameIndex;
  /** Without those of the reason `tag`, which follow from the others. */
  readonly roots: readonly Root[];
  /** What all of them keep. */
  readonly base: Reached;
  /** What other roots would keep, with the same closure. */
  reachedBy(roots: readonly Root[]): Reached;
  /** What needs what, with the same closure. */
  needs(): NeedGraph;
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
      const companions = Companions.of(btf, names);
      const closure = manifest?.closure ?? 'complete';
      const reachedFrom = (some: readonly Root[]): Reached => reachedBy(btf, names, companions, some, closure);
      const needs = (): NeedGraph => new NeedGraph(btf, companions, closure);
      return use({ btf, names, roots, base: reachedFrom(roots), reachedBy: reachedFrom, needs });
    },
    'refused',
  );
}
