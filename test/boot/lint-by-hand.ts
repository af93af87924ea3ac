import { argv, exit, stdout } from 'node:process';
import { LINT_CASES } from '../support/lint/cases.js';
import { compareWithKernel } from './support/lint-boot.js';
import { MALTA, VIRT_ARM } from './support/qemu.js';

/**
 * What `lint.test.ts` does with the kernel of a fixture, with any other 32-bit kernel that has modules and an initramfs:
 * `node build/test/boot/lint-by-hand.js arm|mips VMLINUX [IMAGE [QEMU-OPTION…]]`, QEMU's options (`-M midway -m 256 -dtb FILE`) for a kernel
 * that the machine of the tests does not fit. Ends with 1 when lint and the kernel differ.
 */
const [architecture, vmlinux, image, ...options] = argv.slice(2);
const machine = architecture === 'arm' ? VIRT_ARM : MALTA;
const { differences, ...counts } = await compareWithKernel(
  {
    machine: options.length === 0 ? machine : { ...machine, arguments: options },
    vmlinux,
    ...(image === undefined ? {} : { image }),
  },
  LINT_CASES,
);
stdout.write(`${[...differences, JSON.stringify(counts)].join('\n')}\n`);
exit(differences.length > 0 ? 1 : 0);
