import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { fixture, repository } from '../support/fixtures.js';
import { haveTool } from '../support/tools.js';
import { type BootLog, compareBoots, readBootLog } from './support/boot-log.js';
import { initramfs } from './support/initramfs.js';
import { compileProbe, type ProbeReport, readProbe } from './support/probe.js';
import { boot, MALTA } from './support/qemu.js';
import { dropKfunc, hideFunction } from './support/sabotage.js';

/** Built before the split, as its kernel was. */
const OLD_MODULES = ['tcp_bbr.ko', 'dummy.ko'];
const CARRIER = 'vmlinux_btf.ko';
const MINUTE = 60_000;

interface Boot {
  /** Up to the first old module: what must be equal. */
  readonly log: BootLog;
  readonly probe: ProbeReport;
  readonly text: string;
}

interface Split {
  readonly out: string;
  /** The unsplit kernel, booted without the carrier. */
  readonly unsplit: Boot;
}

const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-mips-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

function haveTools(t: ExecutionContext): boolean {
  t.timeout(10 * MINUTE, 'booting under emulation');
  return haveTool(t, MALTA.qemu, MALTA.qemuPackage) && haveTool(t, `${MALTA.cross}gcc`, MALTA.crossPackage);
}

/** Boots with the probe as /init; it loads the carrier, if there is one, then the old modules. */
async function bootWith(kernel: string, carrier?: string): Promise<Boot> {
  const modules = [
    ...(carrier === undefined ? [] : [{ path: CARRIER, data: readFileSync(carrier) }]),
    ...OLD_MODULES.map(path => ({ path, data: readFileSync(fixture(`mips32-malta-be/${path}`)) })),
  ];
  const list = modules.map(({ path }) => `/${path}\n`).join('');
  const init = { path: 'init', data: readFileSync(compileProbe(MALTA.cross)), mode: 0o755 };
  const files = [init, { path: 'modules.list', data: Buffer.from(list) }, ...modules];
  const text = await boot(MALTA, kernel, initramfs(files));
  return { log: readBootLog(text, { until: `probe: loading /${OLD_MODULES[0]}` }), probe: readProbe(text), text };
}

let prepared: Promise<Split> | undefined;

/** The split and the boot that every test compares with, made once. */
function prepare(): Promise<Split> {
  prepared ??= (async () => {
    const vmlinux = fixture('mips32-malta-be/vmlinux');
    const out = join(folder, 'out');
    const cli = join(repository, 'build', 'bin', 'vmlinux-btf.cjs');
    await execa(process.execPath, [cli, 'split', vmlinux, '-o', out, '--sizes', 'none']);
    return { out, unsplit: await bootWith(vmlinux) };
  })();
  return prepared;
}

function shown(path: string): { size: number; sha256: string } {
  const bytes = readFileSync(path);
  return { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

// One after the other: two emulators at once would starve each other of the time that their timeouts count.
test.serial('a MIPS kernel that was split post-link boots as the unsplit one does', async t => {
  if (!haveTools(t)) return;
  const { out, unsplit } = await prepare();
  const split = await bootWith(join(out, 'vmlinux'), join(out, CARRIER));

  if (!split.log.complete) t.log(split.text.slice(-4000));
  t.deepEqual(compareBoots(unsplit.log, split.log), []);
  t.is(unsplit.probe.progLoad, 0);
  t.is(split.probe.progLoad, 0);

  t.deepEqual(split.probe.btf.get('vmlinux'), shown(join(out, 'base.btf')));
  t.is(split.probe.insmod.get(`/${CARRIER}`), 0);
  t.deepEqual(split.probe.btf.get('vmlinux_btf'), shown(join(out, 'rest.btf')));
  // CONFIG_MODVERSIONS=y: without the right CRC of module_layout insmod fails with -8 and one of these lines.
  t.notRegex(split.text, /no symbol version for|disagrees about version/);
  t.deepEqual(split.log.taints, ['vmlinux_btf: loading out-of-tree module taints kernel.']);

  for (const name of OLD_MODULES) {
    t.is(unsplit.probe.insmod.get(`/${name}`), 0);
    t.is(split.probe.insmod.get(`/${name}`), -22, `${name} refers to types by their old ids and has to be refused`);
  }
  t.log(`${unsplit.log.initcalls.length} initcalls compared, ${unsplit.log.messages.length} messages`);
  t.log(`MemTotal ${unsplit.probe.memTotal} KiB unsplit, ${split.probe.memTotal} KiB split`);
});

for (const [mistake, sabotage, finding] of [
  [
    'a struct_ops stub that was left out',
    (vmlinux: Uint8Array) => hideFunction(vmlinux, 'bpf_tcp_ca_cong_avoid'),
    /Cannot find the stub function bpf_tcp_ca_cong_avoid in btf/,
  ],
  [
    'a kfunc that was left out',
    (vmlinux: Uint8Array) => dropKfunc(vmlinux, 'bpf_task_acquire'),
    /initcall kfunc_init returned 0, now -22/,
  ],
] as const)
  test.serial(`negative control: ${mistake} is found`, async t => {
    if (!haveTools(t)) return;
    const { out, unsplit } = await prepare();
    const broken = join(folder, 'broken');
    writeFileSync(broken, sabotage(readFileSync(join(out, 'vmlinux'))));
    const boot = await bootWith(broken, join(out, CARRIER));
    const differences = compareBoots(unsplit.log, boot.log);
    t.true(boot.log.complete, 'the sabotage went too far: the kernel has to boot, or the control proves nothing');
    t.regex(differences.join('\n'), finding);
  });
