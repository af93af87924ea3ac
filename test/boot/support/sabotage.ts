import { Btf } from '../../../plugin/btf/btf.js';
import { KIND_STRUCT, kindName } from '../../../plugin/btf/kinds.js';
import { NameIndex } from '../../../plugin/btf/names.js';
import { MemorySource } from '../../../plugin/bytes/source.js';
import { ElfFile } from '../../../plugin/elf/file.js';
import { type ElfSymbol, SymbolTable } from '../../../plugin/elf/symbols.js';
import type { BootLog } from './boot-log.js';

/**
 * Splits that are wrong on purpose. Each takes a finished vmlinux without a base BTF and returns a copy with one
 * mistake in it, of the kind that a splitter makes when it forgets a root: the boot test has to find it.
 */

/**
 * As if the type `name` had been left out of the base: the last letter of its name in the BTF becomes `_`, so that nobody who
 * looks it up by name finds it. Types and ids stay as they are, and the name stays one that the kernel accepts
 * (btf_name_valid_identifier), for otherwise the whole BTF would be refused.
 */
export function hideType(vmlinux: Uint8Array, kind: number, name: string): Uint8Array {
  const broken = Uint8Array.from(vmlinux);
  const elf = ElfFile.open(new MemorySource(broken, 'vmlinux'));
  const section = elf.section('.BTF');
  const btf = Btf.decode(elf.data(section));
  const names = new NameIndex(btf);
  const ids = names.all(name, kind);
  if (ids.length === 0) throw new Error(`no ${kindName(kind)} ${name} in this vmlinux: nothing to hide`);
  const hidden = `${name.slice(0, -1)}_`;
  if (hidden === name || names.all(hidden).length > 0) throw new Error(`${name} cannot be hidden as ${hidden}`);
  const strings = section.offset + btf.header.length + btf.header.strings.offset;
  for (const id of ids) broken.set(Buffer.from(hidden, 'latin1'), strings + btf.nameOffset(id));
  return broken;
}

/** A kfunc, and the initcall that registers the set it is in and returns -22 without it. */
const CONTROLS = [
  { kfunc: 'bpf_task_acquire', initcall: 'kfunc_init' },
  { kfunc: 'bpf_dynptr_from_skb', initcall: 'bpf_kfunc_init' },
  { kfunc: 'tcp_reno_ssthresh', initcall: 'bpf_tcp_ca_kfunc_init' },
  { kfunc: 'bpf_xdp_metadata_rx_hash', initcall: 'xdp_metadata_init' },
];

/** A mistake, and the difference by which a boot has to show it. */
export interface Control {
  readonly what: string;
  readonly spoil: (vmlinux: Uint8Array) => Uint8Array;
  readonly shows: RegExp;
}

/** Before 6.4 the kernel registers a set whatever its ids are (no btf_check_kfunc_protos): it misses the struct of a struct_ops. */
const BEFORE_PROTOS: Control = {
  what: 'struct tcp_congestion_ops was hidden',
  spoil: vmlinux => hideType(vmlinux, KIND_STRUCT, 'tcp_congestion_ops'),
  shows: /Cannot find struct tcp_congestion_ops in btf_vmlinux/,
};

/**
 * The first kfunc whose initcall succeeds on the unsplit kernel: one that fails there would show no difference. `release`: as uname
 * tells it.
 */
export function controlFor({ initcalls }: BootLog, release: string): Control | undefined {
  const [major, minor] = release.split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 4)) return BEFORE_PROTOS;
  const control = CONTROLS.find(({ initcall }) => {
    const values = initcalls.filter(({ name }) => name === initcall).map(({ value }) => value);
    return values.length > 0 && values.every(value => value === 0);
  });
  return (
    control && {
      what: `${control.kfunc} was dropped`,
      spoil: vmlinux => dropKfunc(vmlinux, control.kfunc),
      shows: new RegExp(`initcall ${control.initcall} returned 0(?:, 0)*, now .*-22`),
    }
  );
}

/**
 * As if the FUNC of kfunc `name` had been left out of the base: its ids in the kfunc sets of `.BTF_ids` become 0, which is
 * what resolve_btfids leaves of a name that it does not find.
 */
export function dropKfunc(vmlinux: Uint8Array, name: string): Uint8Array {
  const broken = Uint8Array.from(vmlinux);
  const elf = ElfFile.open(new MemorySource(broken, 'vmlinux'));
  const section = elf.section('.BTF_ids');
  const symbols = [...SymbolTable.read(elf).inSection(section)];
  const sets = symbols.filter(symbol => symbol.name.startsWith('__BTF_ID__set8__'));
  const isInSet = (symbol: ElfSymbol): boolean =>
    sets.some(set => symbol.value >= set.value && symbol.value < set.value + BigInt(set.size));
  const prefix = `__BTF_ID__func__${name}__`;
  const ids = symbols.filter(
    symbol => symbol.name.startsWith(prefix) && /^\d+$/.test(symbol.name.slice(prefix.length)) && isInSet(symbol),
  );
  if (ids.length === 0) throw new Error(`no kfunc ${name} in the sets of this vmlinux: nothing to drop`);
  for (const id of ids) {
    const at = section.offset + Number(id.value - section.addr);
    broken.fill(0, at, at + 4);
  }
  return broken;
}
