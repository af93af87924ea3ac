import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { Report } from '../../plugin/report/model.js';
import { readelfHeader } from '../elf/readelf.js';
import { cli, splitQuickly } from '../support/cli.js';
import { ElfPatch } from '../support/elf-patch.js';
import { fixture } from '../support/fixtures.js';
import { type LoaderKernel, refusals } from '../support/kernel-loader.js';
import { SAMPLE_KERNELS } from '../support/kernels.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'given-vermagic');

/** Without MODVERSIONS, and with. */
for (const kernel of ['armv7-virt', 'mips32-malta-be'] as const) {
  const vmlinux = fixture(`${kernel}/vmlinux`);
  const module = readFileSync(fixture(`${kernel}/tcp_bbr.ko`));
  const field = module.indexOf('\0vermagic=') + '\0vermagic='.length;
  const own = module.subarray(field, module.indexOf(0, field)).toString('latin1');
  const { class: elfClass, order } = readelfHeader(vmlinux);

  test(`--vermagic is warned of when the kernel refuses the carrier: ${kernel}`, async t => {
    t.regex(own, /^6\.12\.\S+ .*mod_unload/);
    const versions = own.includes('modversions');
    for (const given of [
      own,
      own.trimEnd(),
      own.replace(/^\S+/, '6.12.999-other'),
      own.replace(/^\S+/, '7.2.0'),
      versions ? own.replace(' modversions', '') : own.replace('mod_unload', 'mod_unload preempt'),
    ]) {
      const out = join(folder, kernel);
      const { exitCode, stderr } = await splitQuickly(vmlinux, out, '--quiet', '--vermagic', given);
      t.is(exitCode, 0, `${given}: ${stderr}`);
      const carrier = readFileSync(join(out, 'vmlinux_btf.ko'));
      const crc = carrier.indexOf('module_layout\0') - elfClass / 8;
      const expected: LoaderKernel = {
        class: elfClass === 64 ? 64 : 32,
        order: order === 'little' ? 'little' : 'big',
        machine: SAMPLE_KERNELS[kernel].machine,
        ...thisModule(module),
        vermagic: own,
        layoutCrc: versions && given.includes('modversions') ? carrier.readUInt32BE(crc) : versions ? 1 : undefined,
      };
      const refused = refusals(carrier, expected).filter(said => said.startsWith('version magic'));
      const { warnings } = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as Report;
      if (refused.length === 0) {
        t.is(stderr, '', given);
        t.false(warnings.some(warning => warning.includes('vermagic')));
      } else {
        const warning = `this kernel refuses the carrier: its vermagic is '${own}', the given one '${given}'`;
        t.is(stderr, `vmlinux-btf: warning: ${warning}\n`);
        t.true(warnings.includes(warning));
      }
      const verified = await cli(['verify', out]);
      t.is(verified.exitCode, 0, verified.stderr);
    }
  });
}

function thisModule(module: Buffer): Pick<LoaderKernel, 'moduleBytes' | 'nameOffset'> {
  const elf = new ElfPatch(module);
  const { offset, size } = elf.section('.gnu.linkonce.this_module');
  return { moduleBytes: size, nameOffset: module.subarray(offset, offset + size).indexOf('tcp_bbr\0') };
}

test('the rules are those of the kernel, whatever --vermagic says', async t => {
  const vmlinux = fixture('armv7-virt/vmlinux');
  const out = join(folder, 'rules');
  // Types sorted by name, as 7.2 has them, are not asked of a 6.12; 6.1 takes fewer names of sections.
  for (const vermagic of ['7.2.0 SMP ', '6.1.0 SMP ']) {
    const { exitCode, stderr } = await splitQuickly(vmlinux, out, '--vermagic', vermagic);
    t.is(exitCode, 0, stderr);
  }
});
