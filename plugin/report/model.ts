import type { Duplicates } from '../modules/duplicates.js';
import type { Reason } from '../roots/root.js';
import type { PartSize } from '../split/partition.js';
import type { Added, Reach } from '../split/split.js';

/** What was split. */
export interface InputFile {
  /** The name without its folder; in split.json, the way from the out folder. */
  readonly file: string;
  readonly kind: 'vmlinux' | 'btf';
  readonly bytes: number;
  readonly sha256: string;
}

/** Everything measured of one split, once. Renderers take it and nothing else. All sizes are bytes. */
export interface Report {
  readonly schemaVersion: 1;
  readonly tool: { readonly name: string; readonly version: string };
  readonly input: InputFile & {
    /** Of its BTF; more than `full.bytes` where it holds names that no type uses, less where names share their ends. */
    readonly btfBytes: number;
    /** Absent for bare BTF. */
    readonly architecture?: string;
    readonly vermagic?: string;
  };
  readonly closure: Reach;
  /** Closure `forward`: what `full` has more than the input. */
  readonly forward?: Added;
  readonly full: Side;
  readonly base: Side;
  readonly rest: Side;
  /** NULs behind the strings of the base, which fill the section of a finished vmlinux; not counted in `base`. */
  readonly padding: number;
  readonly kinds: readonly KindRow[];
  /** Each byte of the full BTF once: they add up to `full.bytes`, and without the row `rest` to `base.bytes`. */
  readonly reasons: readonly ReasonRow[];
  readonly largest: readonly TypeRow[];
  readonly image?: ImageReport;
  readonly carrier?: Measured;
  /** Absent when no modules were given. */
  readonly modules?: ModulesReport;
  /** What takes more than the split to find out; absent in the report that a split writes. */
  readonly analysis?: Analysis;
  /** Command line of each compressor that was run, or why it was not. */
  readonly compressors: Readonly<Record<string, string>>;
  readonly proved: readonly string[];
  readonly warnings: readonly string[];
}

/** What the command `report` finds out about a split. */
export interface Analysis {
  /** What would leave the base without each root, set of roots, subsystem, keep rule and reason; by `per`, most bytes first. */
  readonly retained: readonly RetainedRow[];
  /** The base by how many pointers are followed from what the roots use: closure `forward` first, `complete` last. */
  readonly curve: readonly Count[];
  /** Each byte of the full BTF once: they add up to `full.bytes`. Largest first. */
  readonly treemap: readonly Leaf[];
}

/** A keep rule is one of the command line or the configuration; subsystems are told by names (report/subsystem.ts). */
export const RETAINED_PER = ['root', 'set', 'subsystem', 'rule', 'reason'] as const;

export interface RetainedRow extends Count {
  readonly per: (typeof RETAINED_PER)[number];
  /** Of a root kind:name, such as `func:bpf_skb_ct_lookup`. */
  readonly name: string;
  readonly roots: number;
}

/** A type, or all types of a reason and kind that are not told by name. */
export interface Leaf extends Count {
  readonly reason: ReasonRow['reason'];
  /** Empty for the header, and for strings that no type names. */
  readonly kind: string;
  /** Empty for an anonymous type; absent for types together. */
  readonly name?: string;
}

export const COMPRESSOR_NAMES = ['gzip', 'xz', 'zstd'] as const;

/** Name of the compressor that the kernel's configuration tells (CONFIG_KERNEL_*); of images alone. */
export const KERNEL_COMPRESSOR = 'kernel';

/** Bytes by compressor; null where the host lacks it. */
export type Compressed = Readonly<Record<string, number | null>>;

/** Something as it is, and compressed. */
export interface Measured {
  readonly bytes: number;
  readonly compressed: Compressed;
}

export interface Side extends PartSize, Measured {}

export interface KindRow {
  readonly kind: string;
  readonly full: Count;
  readonly base: Count;
  readonly rest: Count;
}

export interface Count {
  readonly types: number;
  readonly bytes: number;
}

export interface ReasonRow {
  /** A reason for the base; or `rest`, or `header`. */
  readonly reason: Reason | 'rest' | 'header';
  /** Roots that give this reason. */
  readonly roots: number;
  readonly types: number;
  readonly typeBytes: number;
  readonly stringBytes: number;
  readonly bytes: number;
}

export interface TypeRow {
  /** Id in the input. */
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly bytes: number;
  readonly side: 'base' | 'rest';
}

export interface ModulesReport {
  readonly mode: 'keep' | 'prune' | 'strip';
  /** Of all modules together. */
  readonly before: Count;
  readonly after: Count;
  readonly rows: readonly ModuleRow[];
  /** Types of which more than one module has a copy, after the split. Absent in reports of earlier versions. */
  readonly duplicates?: Duplicates;
}

export interface ModuleRow {
  /** Its place below the folder of modules. */
  readonly name: string;
  /** Its BTF: `.BTF` and `.BTF.base`. */
  readonly before: Count;
  readonly after: Count;
  /** Types that are copied from vmlinux, because the base lacks them; part of `after`. */
  readonly copied: number;
  readonly signature: 'none' | 'kept' | 'dropped' | 'made';
}

export interface ImageReport {
  /** Linked with the base; `before` is then this image with the whole BTF in the place of the base, not a link of its own. */
  readonly linked?: true;
  /** Loadable bytes of vmlinux, as a boot image is compressed from them. */
  readonly before: Measured;
  readonly after: Measured;
  /** RAM that `after` holds for as long as it runs: all bytes of its `.BTF`, and one pointer for each type in it (btf->types). */
  readonly ramResident: number;
  /** RAM that the kernel saves: one pointer for each type that left (btf->types); when linked, the bytes of `.BTF` as well. */
  readonly ramSaved: number;
  /** RAM that a kernel linked with the base would save on top: the bytes of `.BTF` that are padding here. */
  readonly ramSavedByRelinking: number;
}
