import { join } from 'node:path';
import test from 'ava';
import { runSplit } from '../../plugin/pipeline/split.js';
import { scratchFolder } from '../support/scratch.js';
import {
  checkPlaces,
  coreObjects,
  coreSteps,
  haveBpftool,
  judgeRound,
  judgeUnsplit,
} from './support/core-relocations.js';
import { KernelTypes } from './support/kernel-types.js';
import { CARRIER_BTF } from './support/program-proof.js';
import { ARM64, bootModules, CARRIER, canBoot, sampleFile } from './support/sample.js';
import { moduleSteps } from './support/steps.js';

const folder = scratchFolder(test, 'boot-core');

test.serial(
  'arm64: programs of every kind relocate against the base, and against the rest with the carrier',
  async t => {
    if (!canBoot(t, ARM64) || !haveBpftool(t, 'arm64')) return;
    const objects = coreObjects(true);
    const vmlinux = sampleFile(ARM64, 'vmlinux');
    const boot = (kernel: string, steps: Parameters<typeof bootModules>[5]) =>
      bootModules(ARM64, kernel, folder, [], name => name, steps);
    const before = await boot(vmlinux, coreSteps(objects, 'arm64', 'unsplit'));
    t.deepEqual(judgeUnsplit(new KernelTypes(vmlinux, new Map()), objects, before.probe), []);
    for (const reach of ['complete', 'forward'] as const) {
      const out = join(folder, reach);
      await runSplit({ file: vmlinux, out, compressors: [], reach });
      const types = new KernelTypes(join(out, 'base.btf'), new Map([[CARRIER_BTF, join(out, 'rest.btf')]]));
      t.deepEqual(checkPlaces(types, CARRIER_BTF), []);
      const { probe } = await boot(join(out, 'vmlinux'), [
        ...coreSteps(objects, 'arm64', 'before'),
        ...moduleSteps([CARRIER], name => join(out, name)),
        ...coreSteps(objects, 'arm64', 'after'),
      ]);
      const found = (['before', 'after'] as const).flatMap(when => judgeRound(objects, before.probe, probe, when));
      t.deepEqual(found, [], reach);
    }
  },
);
