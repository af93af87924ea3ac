import type { CountedPages } from './probe.js';

export const CLOSURES = ['complete', 'forward'] as const;

/** KiB, of /proc/meminfo. */
export interface Memory {
  readonly total: number;
  /** After the modules of the kernel. */
  readonly available: number;
}

/** What one link came to, in bytes. */
export interface LinkSizes {
  /** The compressed image as make leaves it. */
  readonly image: number;
  /** The same with its `.BTF` zeroed, compressed by the same command. */
  readonly imageZeroed: number;
  /** `.BTF` of vmlinux. */
  readonly btf: number;
  /** `.BTF` of all modules of the build. */
  readonly modules: number;
  /** `.BTF` by module. */
  readonly module: Readonly<Record<string, number>>;
  readonly memory: Memory;
}

/** A link through the hook. */
export interface HookedSizes extends LinkSizes {
  readonly closure: (typeof CLOSURES)[number];
  readonly types: { readonly full: number; readonly base: number };
  readonly rest: number;
  readonly carrier: number;
  readonly carrierXz: number;
  /** With the carrier loaded, after the modules. */
  readonly withCarrier: Memory;
  /** What loading the carrier took; undefined where the kernel has nothing to count pages with. */
  readonly pages?: CountedPages;
  /** Definitions that libbpf found in base and rest: structs, unions, enums, typedefs and functions. */
  readonly walked: number;
  readonly seconds: HookSeconds;
  /** Differences of the boots, and what else was not as it has to be. */
  readonly findings: readonly string[];
}

/** What a build through the hook took more than one without, in seconds from call to return. */
export interface HookSeconds {
  /** Of each link: the scripts that stand for its tools, without the tools themselves; the split is in it. */
  readonly links: readonly number[];
  /** The same of each module. */
  readonly rebased: readonly number[];
  /**
   * All that kbuild does before make begins and after it has ended, of the last one where it links twice: it starts, looks at the last
   * link, checks, makes the carrier and the report.
   */
  readonly around: number;
}

/** What `proveLinked` measured. */
export interface LinkedResult {
  readonly name: string;
  /** Of the kernel, such as 6.12.107. */
  readonly release: string;
  readonly unsplit: LinkSizes;
  readonly split: readonly HookedSizes[];
  readonly initcalls: number;
  readonly messages: number;
  /** Programs that bpftool loaded, and that the probe tried, on the unsplit kernel. */
  readonly programs: { readonly core: number; readonly probe: number };
  readonly findings: readonly string[];
}
