import { appendFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../errors.js';
import { sha256 } from '../host/hash.js';
import { writeWhole } from '../host/write-whole.js';
import type { ManifestRoot } from '../pipeline/manifest.js';
import type { SplitFigures } from '../report/measure.js';
import type { ModuleRoot } from './module-roots.js';
import type { LinkOptions } from './options.js';

/** In the object tree. */
export const SIDE_FOLDER = '.vmlinux-btf';

/** What a link leaves there. */
export const SIDE_FILES = {
  /** The BTF before the split, as pahole (6.x) or resolve_btfids (7.x) made it. */
  original: 'original.btf',
  /** base ++ rest. */
  full: 'full.btf',
  base: 'base.btf',
  rest: 'rest.btf',
  permutation: 'permutation.u32',
  /** Id in the base of each id of the original, 0 for what is not there: for modules that are re-based. */
  inBase: 'in_base.u32',
  /** How much of each the base has, a byte each (levels.ts). */
  levels: 'in_base_levels.u8',
  /** `.BTF_ids` with ids of the base. */
  ids: 'btf_ids.bin',
  roots: 'roots.json',
} as const;

/** Below it, each module as it would be on the unsplit kernel: with its types numbered on from {@link SIDE_FILES.original}. */
export const COPIES_FOLDER = 'modules';
/** What modules were found to need; the next link takes it. */
const MODULE_ROOTS = 'module-roots.json';

/** Written last and removed first: without it there is no split. */
const LINK = 'link.json';
const LOG = 'log';

export const ADAPTERS = ['pahole', 'resolve_btfids'] as const;
export type Adapter = (typeof ADAPTERS)[number];

/** The last link that was split. */
export interface LinkRecord {
  readonly schemaVersion: 2;
  readonly tool: { readonly name: string; readonly version: string };
  /** The tool that the split came after. */
  readonly adapter: Adapter;
  /** File that was linked, such as `.tmp_vmlinux1`. */
  readonly linked: string;
  readonly options: LinkOptions;
  /** SHA-256 of each BPF object of the options. */
  readonly objects: readonly string[];
  /** What was known of the needs of modules. */
  readonly moduleRoots: readonly ModuleRoot[];
  /** What the report has of the split itself. */
  readonly figures: SplitFigures;
  readonly warnings: readonly string[];
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
}

/** `.vmlinux-btf/` of an object tree. */
export class SideFolder {
  readonly path: string;

  constructor(objtree: string) {
    this.path = join(objtree, SIDE_FOLDER);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Takes the record of the last link away: from here on there is no split, until {@link record}. Throws `write-failed`. */
  clear(): void {
    try {
      mkdirSync(this.path, { recursive: true });
      rmSync(this.file(LINK), { force: true });
    } catch (error) {
      throw new CodedError(
        'write-failed',
        (error as NodeJS.ErrnoException).code ?? String(error),
        { file: this.path },
        error,
      );
    }
  }

  write(name: string, bytes: Uint8Array): LinkRecord['files'][number] {
    writeWhole(this.file(name), [bytes], []);
    return { name, bytes: bytes.length, sha256: sha256(bytes) };
  }

  record(link: LinkRecord): void {
    writeWhole(this.file(LINK), [Buffer.from(`${JSON.stringify(link, null, 1)}\n`)], []);
    const { figures, linked, adapter, files } = link;
    const base = files.find(file => file.name === SIDE_FILES.base);
    const line = `after ${adapter} of ${linked}: ${figures.base.types} of ${figures.full.types} types, base.btf ${base?.bytes} bytes, SHA-256 ${base?.sha256}\n`;
    appendFileSync(this.file(LOG), line);
  }

  /** Undefined when nothing has been split here, or by another version. */
  link(): LinkRecord | undefined {
    try {
      const link = JSON.parse(readFileSync(this.file(LINK), 'utf8')) as LinkRecord;
      return link.schemaVersion === 2 ? link : undefined;
    } catch {
      return undefined;
    }
  }

  /** Empty when modules have not been looked at yet. */
  moduleRoots(): readonly ModuleRoot[] {
    try {
      const roots = JSON.parse(readFileSync(this.file(MODULE_ROOTS), 'utf8')) as unknown;
      return Array.isArray(roots) && roots.every(isModuleRoot) ? roots : [];
    } catch {
      return [];
    }
  }

  writeModuleRoots(roots: readonly ModuleRoot[]): void {
    writeWhole(this.file(MODULE_ROOTS), [Buffer.from(`${JSON.stringify(roots, null, 1)}\n`)], []);
  }

  /** A side file as the link left it. Throws `kbuild-link` when it is missing or another. */
  read(link: LinkRecord, name: string): Uint8Array {
    const told = link.files.find(file => file.name === name);
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(this.file(name));
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? 'read failed';
      throw new CodedError('kbuild-link', why, { file: this.file(name) }, error);
    }
    if (told === undefined || sha256(bytes) !== told.sha256)
      throw new CodedError('kbuild-link', 'its SHA-256 is not the one in link.json', { file: this.file(name) });
    return bytes;
  }

  roots(link: LinkRecord): readonly ManifestRoot[] {
    return JSON.parse(Buffer.from(this.read(link, SIDE_FILES.roots)).toString('utf8')) as ManifestRoot[];
  }
}

function isModuleRoot(value: Partial<ModuleRoot> | null): value is ModuleRoot {
  return [value?.kind, value?.name, value?.source].every(text => typeof text === 'string');
}
