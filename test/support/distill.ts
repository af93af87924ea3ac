import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Btf } from '../../plugin/btf/btf.js';
import * as kinds from '../../plugin/btf/kinds.js';
import { Rebaser, type Target } from '../../plugin/modules/rebase.js';
import { wholeInBase } from '../../plugin/split/levels.js';
import { BtfBuilder } from './build-btf.js';

export interface Distilled {
  /** `.BTF.base`: names and sizes. */
  readonly base: Uint8Array;
  /** `.BTF` on it. */
  readonly btf: Uint8Array;
  /** Id of each own type in `.BTF`, by its id in the module's BTF on vmlinux. */
  readonly newId: (id: number) => number | undefined;
}

const NAMED = new Set([
  kinds.KIND_INT,
  kinds.KIND_FLOAT,
  kinds.KIND_STRUCT,
  kinds.KIND_UNION,
  kinds.KIND_ENUM,
  kinds.KIND_FWD,
]);

/**
 * What `pahole --btf_features=distilled_base` makes of a module (btf__distill_base of libbpf): the named types of vmlinux
 * that the module's types lead to, without members, become `.BTF.base`; pointers, prototypes and the like go to the module.
 */
export function distill(original: Btf, module: Btf): Distilled {
  const b = new BtfBuilder({ order: original.order });
  const idOf = new Uint32Array(original.endId);
  const met = new Set<number>();
  const visit = (id: number): void => {
    if (id === 0 || id >= original.endId || met.has(id)) return;
    met.add(id);
    const kind = original.kind(id);
    const name = original.name(id);
    if (name !== '' && NAMED.has(kind)) {
      const start = original.start(id);
      const size = original.sizeOrType(id);
      const flag = kind === kinds.KIND_FWD && original.kindFlag(id);
      idOf[id] = b.record(kind, name, { flag }, size, ...(kind === kinds.KIND_INT ? [original.words[start + 3]] : []));
      return;
    }
    for (let at = original.starts[id - 1] + 2; at < original.starts[id]; at++)
      if (original.roles[at] === kinds.ROLE_TYPE) visit(original.words[at]);
  };
  for (const [at, role] of module.roles.entries()) if (role === kinds.ROLE_TYPE) visit(module.words[at]);
  const base = b.build();
  const target: Target = { original, base: Btf.decode(base), inBase: wholeInBase(idOf), reach: 'complete' };
  const { bytes, newId } = new Rebaser(target).rebase(module);
  return { base, btf: bytes, newId };
}

/** A copy of a module with other contents of `.BTF` and `.BTF_ids`, and with a `.BTF.base`; binutils write it. */
export function writeDistilled(
  objcopy: string,
  from: string,
  to: string,
  { base, btf }: Distilled,
  ids?: Uint8Array,
): void {
  const sections: [string, Uint8Array][] = [
    ['.BTF', btf],
    ...(ids === undefined ? [] : [['.BTF_ids', ids] as [string, Uint8Array]]),
  ];
  const args: string[] = [];
  for (const [name, bytes] of sections) {
    writeFileSync(`${to}${name}`, bytes);
    args.push('--update-section', `${name}=${to}${name}`);
  }
  writeFileSync(`${to}.BTF.base`, base);
  execFileSync(objcopy, [...args, '--add-section', `.BTF.base=${to}.BTF.base`, from, to], { stdio: 'pipe' });
}
