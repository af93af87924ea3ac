import type { NameIndex } from '../btf/names.js';
import { FileSource, pieces } from '../bytes/source.js';
import { resizeSections } from '../elf/resize-sections.js';
import { CodedError } from '../errors.js';
import { hashSource } from '../host/hash.js';
import { type ModulePath, packModule, unpackModule } from '../host/module-files.js';
import { MODULES_FOLDER, type OutFolder, type WrittenFile } from '../host/out-folder.js';
import { DuplicateFinder, type Duplicates } from '../modules/duplicates.js';
import { type ModulePlan, ModuleRebaser } from '../modules/module-rebaser.js';
import type { ModuleMode } from '../modules/needs.js';
import type { BuiltAgainst } from '../modules/read.js';
import type { Target } from '../modules/rebase.js';
import { withoutSignature } from '../modules/signature.js';
import type { ModuleRow } from '../report/model.js';
import { refuseModule } from './lint.js';
import type { ScannedModules } from './module-roots.js';
import { type OpenModule, withModule } from './open-module.js';
import { type Signing, signFile } from './signing.js';

/** The modules in split.json. */
export interface ManifestModules {
  readonly mode: ModuleMode;
  /** The way from the out folder to the folder that they come from. */
  readonly folder: string;
  readonly files: readonly WrittenFile[];
}

export interface WrittenModules {
  /** Named by their place below the folder of modules. */
  readonly files: readonly WrittenFile[];
  readonly rows: readonly ModuleRow[];
  readonly duplicates: Duplicates;
}

/** Throws `module-signature` when the kernel would refuse what a run without a key writes. */
export function checkSigning({ changing }: ScannedModules, { forced, signer }: Signing): void {
  if (forced !== undefined && signer === undefined && changing > 0)
    throw new CodedError('module-signature', `${forced}, ${changing} modules change`);
}

/** What people must know of the signatures of their modules. */
export function signingWarnings({ signed, changing }: ScannedModules, { forced, signer }: Signing): string[] {
  if (signer !== undefined || forced !== undefined) return [];
  return signed === 0
    ? []
    : [
        `${signed} of ${changing} changed modules lost their signature: pass --sign-key and --sign-cert to sign them again`,
      ];
}

/**
 * Writes every module, re-based onto the base of a split, below the folder of modules of `out`; one at a time. Each is proved
 * from what stands on the disk, and held to the kernel's rules. Throws what its parts throw.
 */
export async function writeModules(
  out: OutFolder,
  scanned: ScannedModules,
  target: Target,
  names: NameIndex,
  signing: Signing,
): Promise<WrittenModules> {
  const rebaser = new ModuleRebaser(target, names, scanned.mode);
  const files: WrittenFile[] = [];
  const rows: ModuleRow[] = [];
  const duplicates = new DuplicateFinder();
  for (const path of scanned.paths) {
    const { file, row } = await withModule(path, scanned.kernel, open =>
      writeModule(out, path, open, scanned.kernel, rebaser, signing, duplicates),
    );
    files.push(file);
    rows.push(row);
  }
  return { files, rows, duplicates: duplicates.found() };
}

async function writeModule(
  out: OutFolder,
  path: ModulePath,
  open: OpenModule,
  kernel: BuiltAgainst,
  rebaser: ModuleRebaser,
  signing: Signing,
  duplicates: DuplicateFinder,
): Promise<{ file: WrittenFile; row: ModuleRow }> {
  const plan = rebaser.plan(open.module);
  const name = `${MODULES_FOLDER}/${path.name}`;
  const mode = Number(open.state.stat.mode) & 0o777;
  const row = describe(path.name, plan, open, signing);
  const { btf, distilled } = open.module;
  if (plan.changes.length === 0) {
    if (btf !== undefined) duplicates.add(btf, distilled !== undefined);
    const source = FileSource.open(path.path);
    try {
      out.writePieces(name, bytesOf(source), mode);
    } finally {
      source.close();
    }
    return { file: { ...out.describe(name), name: path.name }, row };
  }
  const plain = path.packing === undefined ? name : `${name}.unpacked`;
  out.writePieces(plain, resizeSections(open.module.elf, plan.changes), mode);
  await signFile(out.staged(plain), signing, open.hash);
  const staged = FileSource.open(out.staged(plain));
  try {
    const rebased = rebaser.prove(open.module, plan, withoutSignature(staged).body);
    if (rebased !== undefined) {
      refuseModule(rebased, kernel, open.module);
      duplicates.add(rebased, distilled !== undefined);
    }
    if (path.packing !== undefined) {
      await packModule(out.staged(plain), out.staged(name), path.packing);
      const again = await unpackModule(out.staged(name), path.packing);
      if (hashSource(again) !== hashSource(staged))
        throw new CodedError('invariant', 'it does not unpack to what was packed');
      out.discard(plain);
    }
  } finally {
    staged.close();
  }
  return { file: { ...out.describe(name), name: path.name }, row };
}

function* bytesOf(source: FileSource): Generator<Uint8Array> {
  for (const { bytes } of pieces(source)) yield bytes;
}

function describe(name: string, plan: ModulePlan, open: OpenModule, { signer }: Signing): ModuleRow {
  const changed = plan.changes.length > 0;
  return {
    name,
    before: plan.before,
    after: plan.after,
    copied: plan.copied,
    signature: changed
      ? signer !== undefined
        ? 'made'
        : open.signatureBytes > 0
          ? 'dropped'
          : 'none'
      : open.signatureBytes > 0
        ? 'kept'
        : 'none',
  };
}
