import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { LinkRecord } from '../../../plugin/kbuild/side-files.js';
import { walkTypes } from '../../support/type-walk.js';
import { compareBoots } from './boot-log.js';
import { btfOf, judge } from './linked-judge.js';
import type { LinkedKernel } from './linked-kernels.js';
import { LinkedPrograms } from './linked-programs.js';
import { CLOSURES, type HookedSizes, type LinkedResult } from './linked-result.js';
import { type LinkedBoot, ObjectTree } from './object-tree.js';
import { CARRIER_BTF } from './program-proof.js';
import { controlFor } from './sabotage.js';
import { CARRIER, type SampleBoot } from './sample.js';

/**
 * Links a kernel of the cache without and with the hook, boots each, compares, and measures. `folder` takes the object tree and is
 * left with it; nothing in the cache changes. `say` hears of each step.
 */
export async function proveLinked(
  kernel: LinkedKernel,
  folder: string,
  say: (step: string) => void,
  closures: readonly HookedSizes['closure'][] = CLOSURES,
): Promise<LinkedResult> {
  const { modules } = kernel;
  if (!kernel.tracing)
    say('no CONFIG_BPF_EVENTS: programs of networking alone are tried, and the pages of the carrier are not counted');
  say('copying the object tree');
  const tree = await ObjectTree.copy(kernel, folder);
  say('linking without the hook');
  await tree.make(...kernel.goals);
  const original = join(folder, 'unsplit.btf');
  writeFileSync(original, btfOf(tree.file('vmlinux')));
  const programs = new LinkedPrograms(kernel, tree.types('vmlinux'));
  say('booting it');
  const before = await tree.boot(modules, programs.unsplitSteps());
  if (!before.log.complete) throw new Error(`the unsplit kernel does not boot:\n${before.text.slice(-2000)}`);
  const findings = [
    ...compareBoots(before.log, before.log),
    ...modules.filter(name => before.probe.insmod.get(`/${name}`) !== 0).map(name => `unsplit: insmod ${name} fails`),
    ...programs.judgeUnsplit(before.probe),
  ];
  const unsplit = await tree.sizes(before);
  const split: HookedSizes[] = [];
  for (const closure of closures) {
    say(`linking through the hook, ${closure}`);
    const seconds = await tree.hooked('--closure', closure);
    const found: string[] = [];
    const { linked } = tree;
    await tree.hooked('--closure', closure);
    if (tree.linked !== linked) found.push('nothing changed, and it was linked again');
    const [base, rest] = ['base.btf', 'rest.btf'].map(name => tree.file(`.vmlinux-btf/${name}`));
    const walk = await walkTypes(original, base, rest);
    found.push(...walk.wrong.slice(0, 20), ...(walk.wrong.length > 20 ? [`${walk.wrong.length} such`] : []));
    const kernelTypes = tree.types('.vmlinux-btf/base.btf', { [CARRIER_BTF]: rest });
    const boots: LinkedBoot[] = [];
    for (const [which, names, steps] of [
      ['without the carrier at first', modules, programs.splitSteps(kernelTypes, tree.module)],
      ['the carrier last', [...modules, CARRIER], []],
      ['the carrier first', [], programs.carrierFirstSteps(kernelTypes, tree.module)],
    ] as const) {
      say(`booting it, ${which}`);
      const boot = await tree.boot(names, steps);
      boots.push(boot);
      found.push(...judge(tree, before, boot, which));
    }
    const [withoutFirst, carrierLast, carrierFirst] = boots;
    found.push(
      ...programs.judgeSplit(kernelTypes, before.probe, withoutFirst.probe, closure),
      ...programs.judgeCarrierFirst(kernelTypes, before.probe, carrierFirst.probe, statSync(rest).size),
    );
    const pages = carrierFirst.probe.pages.get(`/${CARRIER}`);
    const carrier = tree.file(`.vmlinux-btf/${CARRIER}`);
    const compressed = await execa('xz', ['-6', '--check=crc32', '--stdout', carrier], { encoding: 'buffer' });
    const { figures } = JSON.parse(readFileSync(tree.file('.vmlinux-btf/link.json'), 'utf8')) as LinkRecord;
    const types = { full: figures.full.types, base: figures.base.types, rest: figures.rest.types };
    split.push({
      closure,
      types,
      ...(await tree.sizes(withoutFirst)),
      rest: statSync(rest).size,
      carrier: statSync(carrier).size,
      carrierXz: compressed.stdout.length,
      withCarrier: carrierLast.memory,
      ...(typeof pages === 'object' ? { pages } : {}),
      walked: Object.values(walk.found).reduce((sum, count) => sum + count, 0),
      seconds,
      findings: found,
    });
  }
  say('booting a broken one, which has to be found');
  findings.push(...(await negativeControl(tree, before)));
  return {
    name: kernel.name,
    release: releaseOf(tree),
    unsplit,
    split,
    initcalls: before.log.initcalls.length,
    messages: before.log.messages.length,
    programs: programs.count,
    findings,
  };
}

function releaseOf(tree: ObjectTree): string {
  return readFileSync(tree.file('include/config/kernel.release'), 'utf8').trim();
}

/** The vmlinux that was linked last is spoiled, and the image made of that. */
async function negativeControl(tree: ObjectTree, before: SampleBoot): Promise<string[]> {
  const control = controlFor(before.log, releaseOf(tree));
  if (control === undefined) return ['negative control: no kfuncs of this kernel register without a split'];
  const vmlinux = tree.file('vmlinux');
  const good = join(tree.path, 'vmlinux.good');
  copyFileSync(vmlinux, good);
  writeFileSync(vmlinux, control.spoil(readFileSync(vmlinux)));
  await tree.make(tree.kernel.goals[0]);
  const broken = await tree.boot(tree.kernel.modules);
  copyFileSync(good, vmlinux);
  const differences = compareBoots(before.log, broken.log);
  return differences.some(line => control.shows.test(line))
    ? []
    : [`negative control: ${control.what}, and only this was found: ${differences.join('; ')}`];
}
