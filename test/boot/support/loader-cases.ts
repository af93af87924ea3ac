import type { Attempt } from './busybox.js';
import { CARRIER } from './sample.js';

export const LOAD = '/usr/sbin/vmlinux-btf-load';

/** What the loader is tried with, and what has to come of it. */
export interface Case extends Attempt {
  readonly code: number;
  /** A pattern for all that it says; nothing is said when left out. */
  readonly says?: RegExp;
  /** Whether the carrier is in the kernel afterwards. */
  readonly after: 'loaded' | 'absent';
}

const MODULES = '/lib/modules/$(uname -r)';
/** With a config.gz in /proc; the samples' kernels show none. busybox finds itself through /proc. */
const configured = (folder: string, command: string): string =>
  `mkdir /${folder}/self; ln -s /bin/busybox /${folder}/self/exe; mount --bind /${folder} /proc; ${command}; code=$?; umount /proc; (exit $code)`;

/** In the place of a tool, where the samples' kernels have no reason to refuse; `says` in busybox's words. */
const instead = (tool: string, says: string, options: string): string =>
  `(${tool}() { echo "${says}"; return 1; }; set -- ${options}; . ${LOAD})`;

/** In the order of one boot. The files that they name are those of the test's initramfs. */
export const cases: readonly Case[] = [
  {
    name: 'nothing-installed',
    command: LOAD,
    code: 3,
    says: /^\S+: no vmlinux_btf\.ko: \/lib\/modules\/6\.12/,
    after: 'absent',
  },
  {
    name: 'wrong-usage',
    command: `${LOAD} --chekc`,
    code: 2,
    says: /: wrong usage: --chekc: see --help\|$/,
    after: 'absent',
  },
  {
    name: 'check',
    command: `${LOAD} --check /good.ko`,
    code: 0,
    says: /: fits: \/good\.ko: \/sys\/kernel\/btf\/vmlinux\|$/,
    after: 'absent',
  },
  { name: 'check-quietly', command: `${LOAD} --quiet --check /good.ko`, code: 0, after: 'absent' },
  {
    name: 'check-as-nobody',
    command: `su nobody -c '${LOAD} --check /good.ko'`,
    code: 0,
    says: /: fits: /,
    after: 'absent',
  },
  {
    name: 'load-as-nobody',
    command: `su nobody -c '${LOAD} /good.ko'`,
    code: 8,
    says: /: only root may .*: user 99: run it as root/,
    after: 'absent',
  },
  {
    name: 'another-build',
    command: `${LOAD} /other.ko`,
    code: 1,
    says: /: the carrier is of another kernel build: \/other\.ko wants BTF [0-9a-f]{64}, \/sys\/kernel\/btf\/vmlinux is [0-9a-f]{64}: install/,
    after: 'absent',
  },
  {
    name: 'check-another-build',
    command: `${LOAD} --check --quiet /other.ko`,
    code: 1,
    says: /: the carrier is of another kernel build: /,
    after: 'absent',
  },
  {
    name: 'insmod-another-build',
    command: 'insmod /other.ko',
    code: 22,
    says: /^insmod: can't insert '\/other\.ko': /,
    after: 'absent',
  },
  {
    name: 'truncated',
    command: `${LOAD} /short.ko`,
    code: 9,
    says: /: the kernel refused it: \/short\.ko: install .* \[insmod: can't insert '\/short\.ko': invalid module format\]\|$/,
    after: 'absent',
  },
  {
    name: 'bad-types',
    command: `${LOAD} /bad.ko`,
    code: 9,
    says: /: the kernel refused it: \/bad\.ko: .* \[.*failed to validate module \[vmlinux_btf\] BTF: -22\]\|$/,
    after: 'absent',
  },
  {
    name: 'unsigned',
    command: instead('insmod', "insmod: can't insert '/good.ko': Key was rejected by service", '/good.ko'),
    code: 7,
    says: /: the kernel takes signed modules only: \/good\.ko: sign it .* \[insmod: .* Key was rejected by service\]\|$/,
    after: 'absent',
  },
  {
    name: 'no-key',
    command: instead('insmod', "insmod: can't insert '/good.ko': Required key not available", '/good.ko'),
    code: 7,
    says: /: the kernel takes signed modules only: /,
    after: 'absent',
  },
  {
    name: 'no-hash',
    command: `${LOAD} /no-hash.ko`,
    code: 3,
    says: /: no btf_base_sha256 in it: \/no-hash\.ko: /,
    after: 'absent',
  },
  {
    name: 'no-carrier',
    command: `${LOAD} /no-carrier.ko`,
    code: 3,
    says: /: no btf_base_sha256 in it: \/no-carrier\.ko: /,
    after: 'absent',
  },
  {
    name: 'no-file',
    command: `${LOAD} /nothing.ko`,
    code: 3,
    says: /: no such file, or not to be read: \/nothing\.ko: /,
    after: 'absent',
  },
  {
    name: 'no-types',
    command: `${LOAD} /no-types.ko`,
    code: 6,
    says: /: the kernel takes no types from modules: no \/sys\/kernel\/btf\/vmlinux_btf: .* \[it is unloaded again\]\|$/,
    after: 'absent',
  },
  {
    name: 'no-types-in-the-carrier',
    command: configured('with', `${LOAD} /no-types.ko`),
    code: 3,
    says: /: loaded, but there are no types in it: \/no-types\.ko: .* \[it is unloaded again\]\|$/,
    after: 'absent',
  },
  {
    name: 'no-types-wanted',
    command: configured('without', `${LOAD} /good.ko`),
    code: 6,
    says: /: the kernel takes no types from modules: \/proc\/config\.gz: it needs CONFIG_DEBUG_INFO_BTF_MODULES=y\|$/,
    after: 'absent',
  },
  {
    name: 'no-btf',
    command: `mount -t tmpfs none /sys/kernel/btf; ${LOAD} /good.ko; code=$?; umount /sys/kernel/btf; (exit $code)`,
    code: 5,
    says: /: the kernel shows no BTF: \/sys\/kernel\/btf\/vmlinux: it needs CONFIG_DEBUG_INFO_BTF=y\|$/,
    after: 'absent',
  },
  {
    name: 'no-sysfs',
    command: `umount /sys; ${LOAD} /good.ko; code=$?; mount -t sysfs sys /sys; (exit $code)`,
    code: 5,
    says: /: no \/sys\/kernel: sysfs is not mounted: /,
    after: 'absent',
  },
  {
    name: 'no-unpacker',
    command: `${LOAD} /good.ko.zst`,
    code: 4,
    says: /: zstd is missing: \/good\.ko\.zst is compressed: install it\|$/,
    after: 'absent',
  },
  {
    name: 'half-unpacked',
    command: `${LOAD} /short.ko.gz; code=$?; ls /tmp; (exit $code)`,
    code: 3,
    says: /: it does not unpack: \/short\.ko\.gz: [^|]*\|$/,
    after: 'absent',
  },

  {
    name: 'load-found',
    command: `mkdir -p ${MODULES}/kernel ${MODULES}/updates; cp /other.ko ${MODULES}/kernel/${CARRIER}; cp /good.ko ${MODULES}/updates/${CARRIER}; ${LOAD}`,
    code: 0,
    says: /: loaded: \/lib\/modules\/6\.12\S+\/updates\/vmlinux_btf\.ko: \/sys\/kernel\/btf\/vmlinux_btf\|$/,
    after: 'loaded',
  },
  {
    name: 'load-again',
    command: LOAD,
    code: 0,
    says: /^vmlinux-btf-load: loaded already: \/sys\/kernel\/btf\/vmlinux_btf\|$/,
    after: 'loaded',
  },
  {
    name: 'in-use',
    command: instead('rmmod', "rmmod: can't unload module 'vmlinux_btf': Resource temporarily unavailable", '--unload'),
    code: 9,
    says: /: the kernel does not let it go: vmlinux_btf: .* \[rmmod: .* Resource temporarily unavailable\]\|$/,
    after: 'loaded',
  },
  { name: 'unload', command: `${LOAD} --unload`, code: 0, says: /: unloaded: vmlinux_btf\|$/, after: 'absent' },
  { name: 'unload-again', command: `${LOAD} --unload`, code: 0, says: /: not loaded: vmlinux_btf\|$/, after: 'absent' },
  {
    name: 'load-gz',
    command: `${LOAD} /good.ko.gz; code=$?; ls /tmp; (exit $code)`,
    code: 0,
    says: /^\S+: loaded: \/good\.ko\.gz: [^|]*\|$/,
    after: 'loaded',
  },
  {
    name: 'unload-as-nobody',
    command: `su nobody -c '${LOAD} --unload'`,
    code: 8,
    says: /: only root may /,
    after: 'loaded',
  },
  { name: 'unload-gz', command: `${LOAD} --unload --quiet`, code: 0, after: 'absent' },
  { name: 'load-xz', command: `TMPDIR=/nowhere ${LOAD} --quiet /good.ko.xz`, code: 0, after: 'loaded' },
  { name: 'init-stop', command: '/etc/init.d/S20vmlinux-btf stop', code: 0, after: 'absent' },
  { name: 'init-status-stopped', command: '/etc/init.d/S20vmlinux-btf status', code: 3, after: 'absent' },
  { name: 'init-start', command: '/etc/init.d/S20vmlinux-btf start', code: 0, after: 'loaded' },
  { name: 'init-restart', command: '/etc/init.d/S20vmlinux-btf restart', code: 0, after: 'loaded' },
  { name: 'init-status', command: '/etc/init.d/S20vmlinux-btf status', code: 0, after: 'loaded' },
  { name: 'rmmod', command: 'rmmod vmlinux_btf', code: 0, after: 'absent' },
  // busybox modprobe passes over the `install` of modprobe.d, and the kernel decides.
  {
    name: 'modprobe',
    command: `rm ${MODULES}/kernel/${CARRIER}; depmod && modprobe vmlinux_btf`,
    code: 0,
    after: 'loaded',
  },
  { name: 'modprobe-remove', command: 'modprobe -r vmlinux_btf', code: 0, after: 'absent' },
  {
    name: 'modprobe-another-build',
    command: `cp /other.ko ${MODULES}/updates/${CARRIER}; modprobe vmlinux_btf`,
    code: 1,
    says: /^modprobe: can't load module vmlinux_btf /,
    after: 'absent',
  },
  {
    name: 'no-modules-any-more',
    command: `echo 1 >/proc/sys/kernel/modules_disabled; ${LOAD} /good.ko`,
    code: 9,
    says: /: no module can be loaded before the next boot: kernel\.modules_disabled=1: /,
    after: 'absent',
  },
];
