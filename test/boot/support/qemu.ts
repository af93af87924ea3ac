import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** A machine that QEMU emulates, and what its kernels and programs are built with. */
export interface Machine {
  readonly qemu: string;
  /** Debian package of `qemu`. */
  readonly qemuPackage: string;
  readonly arguments: readonly string[];
  /** Name of the serial console on the kernel's command line. */
  readonly console: string;
  /** Prefix of the cross compiler; its libc is needed too. */
  readonly cross: string;
  readonly crossPackage: string;
  /** Debian's name of the architecture; undefined where there is no Debian (12) for it. */
  readonly debian?: string;
  /** How the kernel's Makefile makes the image that boots out of vmlinux; undefined where vmlinux itself boots. */
  readonly objcopy?: readonly string[];
}

export const MALTA: Machine = {
  qemu: 'qemu-system-mips',
  qemuPackage: 'qemu-system-mips',
  arguments: ['-M', 'malta', '-m', '256'],
  console: 'ttyS0',
  cross: 'mips-linux-gnu-',
  crossPackage: 'gcc-mips-linux-gnu libc6-dev-mips-cross',
};

export const MALTA_LE: Machine = {
  ...MALTA,
  qemu: 'qemu-system-mipsel',
  cross: 'mipsel-linux-gnu-',
  crossPackage: 'gcc-mipsel-linux-gnu libc6-dev-mipsel-cross',
  debian: 'mipsel',
};

export const VIRT_ARM64: Machine = {
  qemu: 'qemu-system-aarch64',
  qemuPackage: 'qemu-system-arm',
  arguments: ['-M', 'virt', '-cpu', 'cortex-a57', '-m', '512'],
  console: 'ttyAMA0',
  cross: 'aarch64-linux-gnu-',
  crossPackage: 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross',
  debian: 'arm64',
  // OBJCOPYFLAGS_Image of arch/arm64/boot/Makefile.
  objcopy: ['-O', 'binary', '-R', '.note', '-R', '.note.gnu.build-id', '-R', '.comment', '-S'],
};

export const VIRT_ARM: Machine = {
  qemu: 'qemu-system-arm',
  qemuPackage: 'qemu-system-arm',
  arguments: ['-M', 'virt', '-cpu', 'cortex-a15', '-m', '256'],
  console: 'ttyAMA0',
  cross: 'arm-linux-gnueabihf-',
  crossPackage: 'gcc-arm-linux-gnueabihf libc6-dev-armhf-cross',
  debian: 'armhf',
};

/** `panic=0`: a kernel that panicked says so and stops. Malta does not reboot of itself ("Reboot failed"). */
const COMMAND_LINE = 'rdinit=/init initcall_debug loglevel=8 printk.devkmsg=on printk.time=0 panic=0';

/** The last line of the probe, and what a kernel says when nothing more will come. */
const OVER = /^.*(?:probe: end|---\[ end Kernel panic|System halted).*$/m;

export interface BootOptions {
  /** Seconds until QEMU is killed; 400 when left out: a loaded host emulates ten times slower than an idle one. */
  readonly timeout?: number;
}

/** What `boot` takes, made of a vmlinux as the kernel's Makefile makes it: vmlinux itself, or a file in `folder`. */
export async function bootImage(machine: Machine, vmlinux: string, folder: string): Promise<string> {
  if (machine.objcopy === undefined) return vmlinux;
  const image = join(folder, `${createHash('sha256').update(vmlinux).digest('hex').slice(0, 16)}.Image`);
  await execa(`${machine.cross}objcopy`, [...machine.objcopy, vmlinux, image]);
  return image;
}

/**
 * Boots a kernel with an initramfs and returns what its serial console printed, line ends as `\n`. Never waits for the
 * machine once the probe has ended or the kernel has panicked. A boot that hangs ends with a line `qemu: killed after N s`,
 * one that QEMU refuses with QEMU's own words: the caller judges the text. Throws only when QEMU cannot be started.
 */
export async function boot(
  machine: Machine,
  kernel: string,
  initrd: Uint8Array,
  options: BootOptions = {},
): Promise<string> {
  const { timeout = 400 } = options;
  const folder = await mkdtemp(join(tmpdir(), 'vmlinux-btf-boot-'));
  try {
    const initrdPath = join(folder, 'initramfs.cpio.gz');
    await writeFile(initrdPath, initrd);
    const commandLine = `console=${machine.console} ${COMMAND_LINE}`;
    const qemu = execa(
      machine.qemu,
      [
        ...machine.arguments,
        // Malta and virt bring graphics and network cards, whose ROMs are packages of their own.
        ...['-nographic', '-no-reboot', '-vga', 'none', '-nic', 'none'],
        ...['-kernel', kernel, '-initrd', initrdPath, '-append', commandLine],
      ],
      { stdin: 'ignore', all: true, buffer: false, reject: false, timeout: timeout * 1000, killSignal: 'SIGKILL' },
    );
    let text = '';
    qemu.all.setEncoding('latin1').on('data', (chunk: string) => {
      // Only what may hold a new line end needs a look: the log is half a megabyte.
      const from = text.lastIndexOf('\n') + 1;
      text += chunk.replaceAll('\r', '');
      if (OVER.test(text.slice(from)) && text.endsWith('\n')) qemu.kill('SIGKILL');
    });
    const result = await qemu;
    if (result.code === 'ENOENT') throw new Error(`${machine.qemu} is not installed`);
    return result.timedOut ? `${text}\nqemu: killed after ${timeout} s\n` : text;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
