// Options that more than one command has.

export const text = { type: 'string', requiresArg: true } as const;
export const outOption = { ...text, alias: 'o', default: 'out', describe: 'folder of the results' } as const;
export const jsonOption = { type: 'boolean', default: false, describe: 'print JSON' } as const;
export const quietOption = { type: 'boolean', default: false, describe: 'print nothing when all is well' } as const;
export const mapOption = { ...text, describe: 'System.map of the build, for a vmlinux without symbols' } as const;
export const symversOption = {
  ...text,
  describe: 'Module.symvers of the build, for the CRC of module_layout',
} as const;
/** May be given more than once; of all other options the last one counts. */
export const listOption = { type: 'string', array: true, requiresArg: true, default: [] as string[] } as const;
export const closureOption = {
  ...text,
  default: 'complete',
  describe: 'what a root brings along: complete, forward (FWDs for what is only pointed to), auto',
} as const;
export const sizesOption = {
  ...text,
  default: 'gzip,xz,zstd,kernel',
  describe: 'compressors to measure with (kernel: what its configuration says, for the image), or none',
} as const;
export const keepOption = { ...listOption, describe: 'keep rule: kind:glob, a glob or a preset; repeatable' } as const;
export const keepForOption = { ...listOption, describe: 'BPF object whose needs are kept; repeatable' } as const;
export const configOption = {
  ...text,
  describe: 'configuration (default: vmlinux-btf.config.json, if there)',
} as const;
export const moduleBtfOption = {
  ...text,
  choices: ['keep', 'prune', 'strip'] as const,
  default: 'keep' as const,
  describe: 'what of the BTF of modules stays: all, what they register, nothing',
} as const;
export const baseOption = { ...text, alias: 'B', describe: 'base BTF (a file with it) of split BTF' } as const;
