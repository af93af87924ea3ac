import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { runSplit } from '../../plugin/pipeline/split.js';
import { scratchFolder } from '../support/scratch.js';
import { bootBusybox, haveBusybox } from './support/busybox.js';
import { ARM64, CARRIER, canBoot, sampleFile } from './support/sample.js';

/** Arguments of kprobe events by name, which the kernel looks up in its BTF (kernel/trace/trace_btf.c). */

const folder = scratchFolder(test, 'boot-events');

const event = (name: string, probe: string): { name: string; command: string } => ({
  name,
  command: `echo 'p:t/${name} ${probe}' >>/sys/kernel/tracing/kprobe_events && grep -c '/${name} ' /sys/kernel/tracing/kprobe_events`,
});

test.serial('arm64: probe events take arguments by type from the base, and from the rest with the carrier', async t => {
  if (!canBoot(t, ARM64) || !haveBusybox(t)) return;
  const out = join(folder, 'out');
  const { base } = await splitOf(out);
  for (const [name, kept] of [
    ['tcp_slow_start', true],
    ['vfs_read', false],
  ] as const)
    t.is(base.includes(`\0${name}\0`), kept, `the test wants ${name} ${kept ? 'in the base' : 'in the rest'}`);

  const { outcomes } = await bootBusybox(
    ARM64.machine,
    join(out, 'vmlinux'),
    folder,
    [{ path: CARRIER, data: readFileSync(join(out, CARRIER)) }],
    [
      { name: 'tracefs', command: 'mount -t tracefs tracefs /sys/kernel/tracing' },
      event('base', 'tcp_slow_start acked=acked'),
      event('absent', 'vfs_read count=count'),
      { name: 'why', command: 'cat /sys/kernel/tracing/error_log' },
      { name: 'carrier', command: `insmod /${CARRIER}` },
      event('rest', 'vfs_read count=count'),
      event('member', 'vfs_read flags=file->f_flags'),
    ],
  );
  const codes = [...outcomes].map(([name, { code }]) => [name, code]);
  t.deepEqual(codes, [
    ['tracefs', 0],
    ['base', 0],
    ['absent', 1],
    ['why', 0],
    ['carrier', 0],
    ['rest', 0],
    ['member', 0],
  ]);
  t.regex(outcomes.get('why')?.says ?? '', /trace_kprobe: error: No BTF entry for this probe point/);
  for (const name of ['base', 'rest', 'member']) t.is(outcomes.get(name)?.says, '1|', name);
});

async function splitOf(out: string): Promise<{ readonly base: string }> {
  await runSplit({ file: sampleFile(ARM64, 'vmlinux'), out, compressors: [] });
  return { base: readFileSync(join(out, 'base.btf'), 'latin1') };
}
