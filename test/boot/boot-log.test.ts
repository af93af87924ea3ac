import test from 'ava';
import { compareBoots, readBootLog } from './support/boot-log.js';
import { readProbe } from './support/probe.js';

const UNSPLIT = `\
Linux version 6.12.0 (builder@vmlinux-btf) #1
calling  net_ns_init+0x0/0x18c @ 1
initcall net_ns_init+0x0/0x18c returned 0 after 812 usecs
calling  init+0x0/0x10 @ 1
initcall init+0x0/0x10 returned 0 after 3 usecs
initcall piix4_poweroff_init+0x0/0x30 returned -19 after 12 usecs
initcall kfunc_init+0x0/0x2c returned 0 after 99 usecs
initcall init+0x0/0x20 returned -1 after 3 usecs
bpf_lsm: LSM support for eBPF active at 80123456
probe: begin
probe: memtotal 243000
probe: prog_load 0
probe: loading /tcp_bbr.ko
calling  bbr_register+0x0/0xfe0 [tcp_bbr] @ 1
initcall bbr_register+0x0/0xfe0 [tcp_bbr] returned 0 after 700 usecs
probe: insmod /tcp_bbr.ko 0
probe: btf vmlinux 17 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
probe: end
`;

/** The differences between the log above and one of its variants. */
function differences(change: (log: string) => string): string[] {
  return compareBoots(readBootLog(UNSPLIT), readBootLog(change(UNSPLIT)));
}

test('equal boots have no differences', t => {
  t.deepEqual(
    differences(log => log),
    [],
  );
});

test('times, timestamps, levels, addresses, sizes of functions and carriage returns are no differences', t => {
  t.deepEqual(
    differences(log =>
      log
        .replace(/after \d+ usecs/g, 'after 4711 usecs')
        .replace('0x0/0x2c', '0x0/0x30')
        .replace('80123456', 'ffffffff80654321')
        .replace(/^(?!probe)/gm, '<6>[    1.234567][    T1] ')
        .replace(/\n/g, '\r\n'),
    ),
    [],
  );
});

test('an initcall that returns another value is found', t => {
  t.deepEqual(
    differences(log => log.replace('kfunc_init+0x0/0x2c returned 0', 'kfunc_init+0x0/0x2c returned -22')),
    ['initcall kfunc_init returned 0, now -22'],
  );
});

test('of two initcalls with one name the second is watched too', t => {
  t.deepEqual(
    differences(log => log.replace('init+0x0/0x20 returned -1', 'init+0x0/0x20 returned 0')),
    ['initcall init returned 0, -1, now 0, 0'],
  );
});

test('initcalls that are missing, new or in another order are found', t => {
  const line = /initcall kfunc_init.*\n/;
  const twin = 'initcall other_init+0x0/0x2c returned 0 after 1 usecs\n';
  t.deepEqual(
    differences(log => log.replace(line, '')),
    ['initcall kfunc_init is missing (returned 0)'],
  );
  t.deepEqual(
    differences(log => log.replace(line, match => match + twin)),
    ['initcall other_init is new (returned 0)'],
  );
  t.deepEqual(
    differences(log => log.replace(/(initcall net_ns_init.*\n)([\s\S]*?)(initcall kfunc_init.*\n)/, '$3$2$1')),
    ['initcalls run in another order: net_ns_init was at 0, now kfunc_init'],
  );
});

for (const message of [
  'BPF: Invalid name',
  'Cannot find the stub function bpf_tcp_ca_cong_avoid in btf',
  'io_uring: Failed to register struct_ops (-2)',
  'failed to validate module [tcp_bbr] BTF: -22',
  'missing vmlinux BTF, cannot register kfunc',
  'vmlinux_btf: no symbol version for module_layout',
  'WARNING: CPU: 0 PID: 1 at kernel/bpf/btf.c:8698',
])
  test(`a new line is found: ${message}`, t => {
    t.deepEqual(
      differences(log => log.replace('probe: begin', `${message}\nprobe: begin`)),
      [`new message (1): ${message}`],
    );
  });

test('a line that is gone is found', t => {
  t.deepEqual(
    differences(log => log.replace(/bpf_lsm: .*\n/, '')),
    ['gone message (1): bpf_lsm: LSM support for eBPF active at ADDRESS'],
  );
});

test('a boot without its end, or without initcalls, is a difference even from itself', t => {
  const cut = readBootLog(UNSPLIT.replace('probe: end\n', ''));
  t.deepEqual(compareBoots(cut, cut), [
    'the unsplit kernel did not come to the end of the probe',
    'the split kernel did not come to the end of the probe',
  ]);
  const quiet = readBootLog(UNSPLIT.replace(/^initcall .*\n/gm, ''));
  t.is(compareBoots(quiet, quiet).length, 2);
});

test('of a boot that broke off, the break and its last words are the differences', t => {
  t.deepEqual(
    differences(log => `${log.split('calling  init+')[0]}Kernel panic - not syncing: VFS\nqemu: killed after 180 s\n`),
    [
      'the split kernel did not come to the end of the probe',
      'gone message (1): bpf_lsm: LSM support for eBPF active at ADDRESS',
      'new message (1): Kernel panic - not syncing: VFS',
      'new message (1): qemu: killed after 180 s',
    ],
  );
});

test("the carrier's own taint is told apart, another module's is a difference", t => {
  const taint = 'loading out-of-tree module taints kernel.';
  const split = UNSPLIT.replace('probe: loading', `vmlinux_btf: ${taint}\nprobe: loading`);
  t.deepEqual(readBootLog(split).taints, [`vmlinux_btf: ${taint}`]);
  t.deepEqual(compareBoots(readBootLog(UNSPLIT), readBootLog(split)), []);
  t.deepEqual(
    differences(log => log.replace('probe: loading', `tcp_bbr: ${taint}\nprobe: loading`)),
    [`new message (1): tcp_bbr: ${taint}`],
  );
});

test('what comes after a mark can be left out', t => {
  const until = 'probe: loading /tcp_bbr.ko';
  const refused = UNSPLIT.replace(/^initcall bbr_register.*$/m, 'failed to validate module [tcp_bbr] BTF: -22');
  t.is(compareBoots(readBootLog(UNSPLIT), readBootLog(refused)).length, 2);
  t.deepEqual(compareBoots(readBootLog(UNSPLIT, { until }), readBootLog(refused, { until })), []);
});

test('how far a machine came with powering off before it was killed is no difference', t => {
  t.deepEqual(
    differences(log => `${log}PM: Calling module_shutdown+0x0/0x3c\nreboot: Pow`),
    [],
  );
});

test("the probe's report is read", t => {
  const report = readProbe(UNSPLIT.replace(/\n/g, '\r\n'));
  t.is(report.progLoad, 0);
  t.is(report.memTotal, 243000);
  t.is(report.memAvailable, undefined);
  t.deepEqual([...report.insmod], [['/tcp_bbr.ko', 0]]);
  t.deepEqual(
    [...report.btf],
    [['vmlinux', { size: 17, sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' }]],
  );
});
