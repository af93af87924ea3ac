import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import * as elf from '../../plugin/elf/constants.js';
import { kernelImage, MACHINES } from '../fuzz/seeds/kernel.js';
import { cli, ERROR_LINE, splitQuickly } from '../support/cli.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'other-machines');

/** R_390_RELATIVE and R_PPC64_RELATIVE, of the linkers' own tables. */
const READ_ONLY = [
  { name: 's390x', order: 'big', machine: elf.EM_S390, relative: 12 },
  { name: 'ppc64le', order: 'little', machine: elf.EM_PPC64, relative: 22 },
] as const;

/** No kernel of these is at hand that has BTF, so they are made: the BTF, ids and stubs of a kernel of 64 bits, under RELATIVE relocations. */
for (const { name, ...machine } of READ_ONLY)
  test(`a kernel of ${name} is read, and not split`, async t => {
    const write = (name: string, bytes: Uint8Array): string => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    const start = 0x10_0000n;
    const vmlinux = write(name, kernelImage({ name, class: 64, flags: 0, start, ...machine }));
    const twin = MACHINES.find(other => other.class === 64 && other.order === machine.order && other.name !== name);
    if (twin === undefined) throw new Error('no machine to compare with');
    const compared = write(`${name}-twin`, kernelImage(twin));

    const [seen, expected] = await Promise.all(
      [vmlinux, compared].map(async file => {
        const { exitCode, stdout, stderr } = await cli(['inspect', file, '--json']);
        t.is(exitCode, 0, stderr);
        return JSON.parse(stdout);
      }),
    );
    t.true(seen.kernel.baseTypes > 0);
    t.deepEqual(seen.kernel, expected.kernel, 'roots, stubs and version are those of another machine');
    t.deepEqual(seen.btf, expected.btf);

    const [why, expectedWhy] = await Promise.all(
      [vmlinux, compared].map(file => cli(['explain', 'tcp_congestion_ops', file, '--json'])),
    );
    t.is(why.exitCode, 0, why.stderr);
    t.is(why.stdout, expectedWhy.stdout);
    t.regex(why.stdout, /struct_ops/);

    const out = join(folder, `${name}.out`);
    const split = await splitQuickly(vmlinux, out);
    t.is(split.exitCode, 3);
    t.is(ERROR_LINE.exec(split.stderr)?.[1], 'arch-unsupported');
    t.false(existsSync(out));
  });
