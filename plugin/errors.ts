import type { CatalogueEntry, ExitCode } from './errors/entry.js';
import { IMAGE_ERRORS } from './errors/images.js';
import { REPORT_ERRORS } from './errors/reports.js';
import { printable } from './printable.js';

export type { ExitCode } from './errors/entry.js';

/**
 * The one catalogue of coded errors. A finding is data (`code`, file, section, offset, detail); its wording lives
 * here, its exit code too, so that every command says the same thing the same way.
 */

const CATALOGUE = {
  usage: { exit: 2, what: 'wrong usage', hint: 'see vmlinux-btf --help' },
  'roots-file': {
    exit: 2,
    what: 'the roots file is empty or has a line that is neither a type id nor kind:name',
    hint: 'write one id, or one kind:name such as struct:sk_buff, a line',
  },
  'roots-unknown': {
    exit: 2,
    what: 'a root names a type that the BTF has not',
    hint: 'look the name up with vmlinux-btf dump',
  },
  'type-unknown': { exit: 2, what: 'no such type', hint: 'look the name up with vmlinux-btf dump' },
  'root-unknown': { exit: 2, what: 'no root of this kernel', hint: 'vmlinux-btf explain --top 1000 lists them' },
  'keep-rule': {
    exit: 2,
    what: 'a keep rule cannot be read',
    hint: 'write kind:glob, a glob or a preset; docs/keep-rules.md lists them',
  },
  'keep-unknown': {
    exit: 2,
    what: 'a keep rule names a type that the BTF has not',
    hint: 'look the name up with vmlinux-btf dump, or write a glob, which may match nothing',
  },
  config: { exit: 2, what: 'the configuration is wrong', hint: 'see schema/vmlinux-btf.config.schema.json' },
  'out-is-input': {
    exit: 2,
    what: 'the output folder would overwrite the input',
    hint: 'choose another folder with -o',
  },
  'out-foreign': {
    exit: 2,
    what: 'the output folder has a file that no split put there',
    hint: 'choose a new folder with -o',
  },

  'file-unreadable': { exit: 3, what: 'the file cannot be read', hint: 'check the path and its permissions' },
  'file-truncated': {
    exit: 3,
    what: 'the file ends before what its headers promise',
    hint: 'copy or build the file again',
  },
  'file-changed': {
    exit: 3,
    what: 'the file changed while it was read',
    hint: 'wait for the build to finish, then run again',
  },
  'elf-not': { exit: 3, what: 'not an ELF file', hint: 'pass the vmlinux of the build, not packed in anything' },
  'elf-header': { exit: 3, what: 'the ELF header is damaged', hint: 'build the file again' },
  'elf-sections': { exit: 3, what: 'the ELF section headers are damaged', hint: 'build the file again' },
  'elf-section-missing': {
    exit: 3,
    what: 'a section is missing',
    hint: 'build the kernel with CONFIG_DEBUG_INFO_BTF=y and pass its vmlinux',
  },
  'elf-section-twice': { exit: 3, what: 'two sections have one name', hint: 'pass the vmlinux as the build made it' },
  'elf-symbols-missing': {
    exit: 3,
    what: 'the file has no symbol table',
    hint: 'pass the vmlinux of the build before it was stripped of symbols, or its System.map with --system-map',
  },
  'elf-symbols': { exit: 3, what: 'the symbol table is damaged', hint: 'build the file again' },
  'elf-kind': {
    exit: 3,
    what: 'the wrong kind of ELF file',
    hint: 'pass the vmlinux that the link made, no module or object',
  },
  'elf-address': {
    exit: 3,
    what: 'an address lies in no section with data',
    hint: 'pass the vmlinux as the build made it',
  },
  'elf-relocations': {
    exit: 3,
    what: 'the relocations of this kernel cannot be applied',
    hint: 'pass the vmlinux as the build made it, or split its raw BTF with --roots',
  },
  'relocations-missing': {
    exit: 3,
    what: 'a relocatable kernel without its relocations',
    hint: 'its pointers are only known after relocation: pass the file that has them (RISC-V builds: vmlinux.relocs)',
  },
  'arch-unsupported': {
    exit: 3,
    what: 'no modules can be made for this architecture yet',
    hint: 'they can for ARM, arm64, MIPS, RISC-V and x86-64; raw BTF of any architecture can be split with --roots',
  },

  ...IMAGE_ERRORS,
  'btf-missing': { exit: 3, what: 'no BTF in this file', hint: 'build the kernel with CONFIG_DEBUG_INFO_BTF=y' },
  'btf-header': { exit: 3, what: 'the BTF header is damaged', hint: 'extract or build the BTF again' },
  'btf-types': { exit: 3, what: 'the BTF type section is damaged', hint: 'extract or build the BTF again' },
  'btf-strings': { exit: 3, what: 'the BTF string section is damaged', hint: 'extract or build the BTF again' },
  'btf-refused': {
    exit: 3,
    what: 'the kernel refuses this BTF as it is, split or not',
    hint: 'see all of it with vmlinux-btf lint, and make the BTF again',
  },
  'btf-kind': { exit: 3, what: 'a BTF kind that this version does not know', hint: 'update vmlinux-btf' },
  'btf-reference': {
    exit: 3,
    what: 'a BTF reference points nowhere',
    hint: 'for split BTF pass the matching base with -B',
  },
  'btf-limit': {
    exit: 3,
    what: 'the BTF is larger than the kernel accepts',
    hint: 'the kernel takes at most 16 MiB of strings',
  },
  'btf-base': { exit: 3, what: 'the base BTF does not fit', hint: 'pass the base that the split BTF was made on' },

  'bpf-object': {
    exit: 3,
    what: 'not a BPF object',
    hint: 'pass the .bpf.o that clang -target bpf -g made of the program',
  },
  'btf-ext': { exit: 3, what: 'the .BTF.ext section is damaged', hint: 'compile the BPF program again' },
  'core-relocation': {
    exit: 3,
    what: 'a CO-RE relocation cannot be decided',
    hint: 'libbpf refuses it as well: change the program',
  },

  'btf-ids': {
    exit: 3,
    what: 'the .BTF_ids section is damaged',
    hint: 'pass the vmlinux of the finished build, after resolve_btfids',
  },
  'struct-ops': { exit: 3, what: 'a struct_ops cannot be read', hint: 'pass the vmlinux as the build made it' },
  'module-layout': {
    exit: 3,
    what: 'struct module cannot be read from the BTF',
    hint: 'build the kernel with CONFIG_MODULES=y',
  },
  vermagic: { exit: 3, what: 'no vermagic in this kernel', hint: 'pass it with --vermagic' },
  modversions: {
    exit: 3,
    what: 'the CRC of module_layout is not in this kernel',
    hint: 'pass the Module.symvers of the build with --module-symvers',
  },
  'system-map': {
    exit: 3,
    what: 'the System.map cannot be used',
    hint: 'pass the System.map of the same build, as it stands beside its vmlinux',
  },
  'module-symvers': {
    exit: 3,
    what: 'the Module.symvers cannot be used',
    hint: 'pass the Module.symvers of the same build, as it stands beside its vmlinux',
  },

  'modules-folder': {
    exit: 2,
    what: 'no folder of modules',
    hint: 'pass a folder with .ko, .ko.gz, .ko.xz or .ko.zst files in it with --modules',
  },
  kconfig: {
    exit: 2,
    what: 'the kernel configuration cannot be read',
    hint: 'pass the .config of the build with --kconfig',
  },
  'module-signature': {
    exit: 2,
    what: 'the kernel takes signed modules only, and a changed module loses its signature',
    hint: 'pass --sign-key and --sign-cert of the kernel build',
  },
  'module-foreign': {
    exit: 3,
    what: 'the module is of another kernel',
    hint: 'pass only modules of the same build as the vmlinux with --modules',
  },
  'module-damaged': { exit: 3, what: 'the module is damaged', hint: 'copy or build the module again' },

  'out-folder': {
    exit: 3,
    what: 'not the out folder of a split',
    hint: 'run vmlinux-btf split first and pass its -o folder',
  },
  invariant: {
    exit: 1,
    what: 'a proof failed, nothing was written',
    hint: 'this is a defect of vmlinux-btf: please report it with the input',
  },
  lint: {
    exit: 1,
    what: 'the kernel would refuse what was made, nothing was written',
    hint: 'this is a defect of vmlinux-btf: please report it with the input',
  },
  verify: {
    exit: 1,
    what: 'the out folder does not hold what its split promised',
    hint: 'split again; do not install these files',
  },

  'kbuild-config': {
    exit: 2,
    what: 'the kernel is configured without CONFIG_DEBUG_INFO_BTF',
    hint: 'change the configuration, then run make olddefconfig and make again with the same PAHOLE',
  },
  'kbuild-path': {
    exit: 2,
    what: 'make and the kernel’s scripts cannot take this path',
    hint: 'use a path of letters, digits and the characters / . _ + , @ % -',
  },
  'kbuild-none': {
    exit: 3,
    what: 'no split in this object tree',
    hint: 'run make through vmlinux-btf kbuild -- make, or with the variables that vmlinux-btf kbuild prints',
  },
  'kbuild-link': {
    exit: 1,
    what: 'the vmlinux of this object tree is not the one that was split last',
    hint: 'remove its .vmlinux.cmd and .vmlinux.unstripped.cmd and run make again through vmlinux-btf kbuild',
  },
  'kbuild-modules': {
    exit: 1,
    what: 'the modules of this build need other types in the base than the kernel was linked with',
    hint: 'run make again through vmlinux-btf kbuild: it links once more, with what they need',
  },
  /** Told by kbuild/wrapper.sh. */
  'kbuild-ended': { exit: 1, what: 'the kbuild that runs make has ended', hint: 'run make again' },
  'kbuild-copy': {
    exit: 1,
    what: 'a module of this build was not made by our wrappers',
    hint: 'remove the module and run make again through vmlinux-btf kbuild',
  },

  ...REPORT_ERRORS,

  'write-failed': {
    exit: 4,
    what: 'an output cannot be written',
    hint: 'check the free space and the permissions of the folder',
  },
  'tool-missing': { exit: 4, what: 'a tool of the host is missing', hint: 'install it, or pass its path' },
  'tool-failed': { exit: 4, what: 'a tool of the host failed', hint: 'run the tool by hand to see why' },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof CATALOGUE;
/** Every code there is. */
export const ERROR_CODES = Object.keys(CATALOGUE) as readonly ErrorCode[];

/** Where an error was found. All offsets are bytes from the start of the file, or of `section` when it is given. */
export interface ErrorPlace {
  readonly file?: string | undefined;
  readonly section?: string | undefined;
  readonly offset?: number | bigint | undefined;
}

/** An error that a person can act on. Everything else that is thrown is a defect of this program. */
export class CodedError extends Error {
  readonly code: ErrorCode;
  readonly place: ErrorPlace;
  readonly detail: string;

  constructor(code: ErrorCode, detail: string, place: ErrorPlace = {}, cause?: unknown) {
    super(`${CATALOGUE[code].what}: ${detail}`, cause === undefined ? undefined : { cause });
    this.name = 'CodedError';
    this.code = code;
    this.detail = detail;
    this.place = place;
  }

  get exitCode(): ExitCode {
    return CATALOGUE[this.code].exit;
  }

  get hint(): string {
    return CATALOGUE[this.code].hint;
  }

  /** The same error, with the file named: engine code below `pipeline` knows bytes, not paths. */
  in(file: string): CodedError {
    if (this.place.file !== undefined) return this;
    return new CodedError(this.code, this.detail, { ...this.place, file }, this.cause);
  }
}

/** Characters of a detail that are told: it may quote a name of a file, which may have a megabyte. */
const DETAIL_SHOWN = 400;

/** `<what> (<detail>): <where>: <what to do> [<code>]`, one line, without the program's name. */
export function formatError(error: CodedError): string {
  const { file, section, offset } = error.place;
  const where = [file, section, offset === undefined ? undefined : `offset 0x${offset.toString(16)}`]
    .filter(part => part !== undefined && part !== '')
    .join(' ');
  const detail = error.detail.length > DETAIL_SHOWN ? `${error.detail.slice(0, DETAIL_SHOWN)}…` : error.detail;
  const what = `${CATALOGUE[error.code].what} (${detail})`;
  return printable(`${[what, where, error.hint].filter(part => part !== '').join(': ')} [${error.code}]`);
}

/** What `--json` prints instead of a result. */
export function errorToJson(error: CodedError): object {
  const { file, section, offset } = error.place;
  return {
    error: {
      code: error.code,
      what: CATALOGUE[error.code].what,
      detail: error.detail,
      ...(file === undefined ? {} : { file }),
      ...(section === undefined ? {} : { section }),
      ...(offset === undefined ? {} : { offset: Number(offset) }),
      hint: error.hint,
      exitCode: error.exitCode,
    },
  };
}
