import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { cacheFolder } from '../../support/cache.js';
import { missing } from '../../support/tools.js';
import { type InitramfsFile, initramfs } from './initramfs.js';
import { boot, bootImage, type Machine } from './qemu.js';

/** A command line for the target's shell, under the name that its outcome is found by. */
export interface Attempt {
  readonly name: string;
  /** Run by busybox ash as root; with what it leaves behind (mounts, files) the later ones have to live. */
  readonly command: string;
}

export interface Outcome {
  readonly code: number;
  /** stdout and stderr, each line ended by `|`. */
  readonly says: string;
  /** Whether vmlinux_btf was loaded afterwards. */
  readonly loaded: boolean;
  /** Hex SHA-256 of /sys/kernel/btf/vmlinux_btf afterwards; undefined when it is not there. */
  readonly shown: string | undefined;
  /** What the kernel itself said while the command ran. */
  readonly kernel: readonly string[];
}

const busybox = join(cacheFolder, 'busybox', 'arm64');

/** False when scripts/busybox.sh has not been run: the test says so and ends; in CI that is a failure. */
export function haveBusybox(t: ExecutionContext): boolean {
  return existsSync(busybox) || missing(t, `${busybox} is missing (run scripts/busybox.sh)`);
}

/** busybox is its own init: it reads /etc/inittab. The samples' kernels have no BINFMT_SCRIPT, so the shell is named. */
const INITTAB = '::sysinit:/bin/busybox sh /attempts.sh\n';

/** Everything is said through /dev/kmsg, for the reasons that test/boot/probe/probe.c gives. */
const PROLOGUE = `
export PATH=/bin
/bin/busybox mkdir -p /proc /sys /dev /tmp /run
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
attempt() {
  echo "<5>probe: begin $1" >/dev/kmsg
  says=$(eval "$2" 2>&1)
  code=$?
  state=absent
  # Of the kernel's own /sys: an attempt may have hidden it.
  [ ! -d /sys/module/vmlinux_btf ] || state=loaded
  [ ! -e /sys/kernel/btf/vmlinux_btf ] || state=$(sha256sum </sys/kernel/btf/vmlinux_btf)
  echo "<5>probe: attempt $1 $code \${state%% *} $(echo "$says" | tr '\\n' '|')" >/dev/kmsg
}
`;

/**
 * Boots a kernel of arm64 with busybox and runs the attempts in their order. `folder` takes the image. Keys are their
 * names, without those that the machine did not come to. Throws only when QEMU cannot be started.
 */
export async function bootBusybox(
  machine: Machine,
  vmlinux: string,
  folder: string,
  files: readonly InitramfsFile[],
  attempts: readonly Attempt[],
): Promise<{ readonly outcomes: ReadonlyMap<string, Outcome>; readonly text: string }> {
  const quoted = (command: string): string => `'${command.replaceAll("'", `'\\''`)}'`;
  const lines = attempts.map(({ name, command }) => `attempt ${name} ${quoted(command)}\n`);
  const script = `${PROLOGUE}${lines.join('')}echo "<5>probe: end" >/dev/kmsg\n`;
  const program = readFileSync(busybox);
  const initrd = initramfs([
    { path: 'init', data: program, mode: 0o755 },
    { path: 'bin/busybox', data: program, mode: 0o755 },
    { path: 'etc/inittab', data: Buffer.from(INITTAB) },
    { path: 'attempts.sh', data: Buffer.from(script) },
    ...files,
  ]);
  const text = await boot(machine, await bootImage(machine, vmlinux, folder), initrd);
  return { outcomes: readOutcomes(text), text };
}

function readOutcomes(text: string): Map<string, Outcome> {
  const outcomes = new Map<string, Outcome>();
  let kernel: string[] = [];
  for (const line of text.split('\n')) {
    const begin = /\bprobe: begin \S+$/.test(line);
    const [, name, code, state, says] = /\bprobe: attempt (\S+) (\d+) (\S+) (.*)$/.exec(line) ?? [];
    if (begin) kernel = [];
    else if (name === undefined) kernel.push(line);
    else {
      const shown = state.length === 64 ? state : undefined;
      outcomes.set(name, { code: Number(code), says, loaded: state !== 'absent', shown, kernel });
    }
  }
  return outcomes;
}
