import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

/** The extension of the linux package in a real make, with stand-ins for Buildroot, the tool and the kernel's make. */

const folder = scratchFolder(test, 'extension');
const tree = join(repository, 'buildroot-example');
const stub = join(repository, 'test', 'buildroot', 'linux-stub.mk');

const PREFIX = 'BR2_LINUX_KERNEL_EXT_VMLINUX_BTF';
const ON = { [PREFIX]: 'y', [`${PREFIX}_CARRIER`]: 'y', [`${PREFIX}_REPORTS`]: '"text"' };

interface Board {
  readonly base: string;
  make(
    goal: string,
    options?: Readonly<Record<string, string>>,
  ): Promise<{ stdout: string; stderr: string; code: number }>;
  /** What the stand-ins have written down, without the folder of the board. */
  log(): string[];
}

/** `links`: what `kbuild -- make` finds in base.btf, one run after the other. */
function board(): Board {
  const base = mkdtempSync(join(folder, 'board-'));
  for (const host of ['host', 'per-package']) {
    mkdirSync(join(base, host, 'bin'), { recursive: true });
    const program = join(base, host, 'bin', 'vmlinux-btf');
    writeFileSync(program, TOOL);
    chmodSync(program, 0o755);
    cpSync(join(repository, 'scripts', 'target'), join(base, host, 'share', 'vmlinux-btf', 'scripts', 'target'), {
      recursive: true,
    });
  }
  mkdirSync(join(base, 'linux'));
  const log = (): string[] =>
    readFileSync(join(base, 'linux', 'log'), 'utf8')
      .replaceAll(base, '')
      .trim()
      .split('\n');
  const make: Board['make'] = async (goal, options = {}) => {
    const given = {
      BASE: base,
      EXTENSION: join(tree, 'linux', 'linux-ext-vmlinux-btf.mk'),
      BR2_EXTERNAL_VMLINUX_BTF_PATH: tree,
    };
    const words = Object.entries({ ...given, ...ON, ...options }).map(([name, value]) => `${name}=${value}`);
    const ran = await execa('make', ['-s', '-f', stub, ...words, goal], {
      cwd: base,
      env: { BASE: base },
      reject: false,
    });
    return { stdout: ran.stdout, stderr: ran.stderr, code: ran.exitCode ?? -1 };
  };
  return { base, make, log };
}

/** Prints what kbuild prints; builds by writing down its words and leaving what a build leaves. */
const TOOL = `#!/bin/sh
cd "$BASE/linux" || exit
echo "tool $*" >>log
case "$*" in
  "kbuild "*" -- "*olddefconfig) exit "\${NO_BTF:-0}" ;;
  "kbuild "*" -- "*)
    mkdir -p .vmlinux-btf
    echo link >.vmlinux-btf/link.json
    cp "\${LINK:-/dev/null}" .vmlinux-btf/base.btf
    printf 'btf_base_sha256=%s\\0' "$(sha256sum <.vmlinux-btf/base.btf | cut -d' ' -f1)" >.vmlinux-btf/vmlinux_btf.ko
    echo '{}' >.vmlinux-btf/report.json
    ;;
  kbuild*) echo "PAHOLE=/x RESOLVE_BTFIDS=/y VMLINUX_BTF_OPTIONS=%7B%7D" ;;
  check*) exit "\${BROKEN:-0}" ;;
esac
`;

function haveMake(t: ExecutionContext): boolean {
  return haveTool(t, 'make', 'make');
}

test('make of the kernel gets the words that kbuild prints, of the host folder that counts', async t => {
  if (!haveMake(t)) return;
  const { base, make } = board();
  writeFileSync(join(base, 'linux', '.vmlinux-btf-options'), '%7B%22closure%22%7D\n');
  const { stdout } = await make('flags');
  const share = `${base}/host/share/vmlinux-btf/build/bin/kbuild`;
  t.deepEqual(stdout.split('\n'), [
    'ARCH=arm',
    'HOSTCC=gcc -O2',
    `PAHOLE=${share}/pahole`,
    `RESOLVE_BTFIDS=${share}/resolve_btfids`,
    `VMLINUX_BTF_PAHOLE=${base}/host/bin/pahole`,
    `VMLINUX_BTF_NODE=${base}/host/bin/node`,
    'VMLINUX_BTF_OPTIONS=%7B%22closure%22%7D',
  ]);
  t.regex((await make('flags', { PKG: 'LINUX' })).stdout, /^PAHOLE=\S+\/per-package\/share/m);
});

test('the words are those of kbuild itself', async t => {
  if (!haveMake(t)) return;
  const { stdout } = await execa(process.execPath, [join(repository, 'build', 'bin', 'vmlinux-btf.cjs'), ...KBUILD]);
  const names = (text: string): string[] => [...text.matchAll(/(?:^|\s)([A-Z_]+)=/g)].map(([, name]) => name);
  const { stdout: flags } = await board().make('flags');
  // Besides them the node of the host folder, which kbuild gives to a make that it runs itself.
  t.deepEqual(
    names(flags).filter(name => !['ARCH', 'HOSTCC', 'VMLINUX_BTF_NODE'].includes(name)),
    names(stdout),
  );
});
const KBUILD = ['kbuild', '--pahole', '/bin/true', '--closure', 'forward'];

test('without the option nothing is there', async t => {
  if (!haveMake(t)) return;
  const { make } = board();
  t.is((await make('flags', { [PREFIX]: '' })).stdout, 'ARCH=arm\nHOSTCC=gcc -O2');
  t.is((await make('dependencies', { [PREFIX]: '' })).stdout, 'toolchain : host-kmod');
});

test('Kconfig waits for pahole, and a compressor for its package', async t => {
  if (!haveMake(t)) return;
  const { make } = board();
  t.is((await make('dependencies')).stdout, 'toolchain host-pahole host-vmlinux-btf : host-kmod');
  t.regex((await make('dependencies', { [`${PREFIX}_CARRIER_XZ`]: 'y' })).stdout, /: host-kmod host-xz$/);
  t.regex((await make('dependencies', { [`${PREFIX}_CARRIER_ZSTD`]: 'y' })).stdout, /: host-kmod host-zstd$/);
});

test('options are handed on; make runs through kbuild before images are made', async t => {
  if (!haveMake(t)) return;
  const { base, make, log } = board();
  const { code, stderr } = await make('build', {
    APPENDED: 'y',
    [`${PREFIX}_CLOSURE_FORWARD`]: 'y',
    [`${PREFIX}_MODULES_PRUNE`]: 'y',
    [`${PREFIX}_CONFIG_FILE`]: '"board/rules.json"',
    [`${PREFIX}_SIGN_KEY`]: '"/keys/key.pem"',
    [`${PREFIX}_SIGN_CERT`]: '"/keys/cert.x509"',
  });
  t.is(code, 0, stderr);
  const host = '/per-package';
  const options = `--pahole ${host}/bin/pahole --closure forward --module-btf prune --config /board/rules.json`;
  const signing = '--sign-key /keys/key.pem --sign-cert /keys/cert.x509';
  // As the commands of the package do before they build.
  const [off, trees, ...lines] = log();
  t.deepEqual([off, trees], ['off CONFIG_GCC_PLUGINS', 'trees']);
  t.is(lines[0], `tool kbuild ${options}`);
  t.true(
    lines[1].startsWith(`tool kbuild ${options} ${signing} -- make -j3 -C /linux ARCH=arm HOSTCC=gcc -O2`),
    lines[1],
  );
  t.regex(lines[1], / olddefconfig$/);
  t.regex(lines[2], / VMLINUX_BTF_OPTIONS=%7B%7D vmlinux modules$/);
  t.deepEqual(lines.slice(3), ['commands', 'appended']);
  t.is(readFileSync(join(base, 'linux', '.vmlinux-btf-options'), 'utf8'), '%7B%7D\n');
});

test('device trees of the board are in the kernel before it is linked', async t => {
  if (!haveMake(t)) return;
  const { base, make } = board();
  const trees = ['one.dts', 'two.dts'].map(name => join(base, name));
  for (const file of trees) writeFileSync(file, '/dts-v1/;\n');
  const copied = join(base, 'linux', 'arch', 'boot', 'dts');
  mkdirSync(copied, { recursive: true });
  const options = { BR2_LINUX_KERNEL_CUSTOM_DTS_PATH: `"${trees.join(' ')}"`, LINUX_MAKE_ENV: 'NO_BTF=2' };
  t.not((await make('build', options)).code, 0, 'nothing was linked');
  for (const name of ['one.dts', 'two.dts']) t.true(existsSync(join(copied, name)), name);
});

test('a kernel without BTF ends the build before it is compiled', async t => {
  if (!haveMake(t)) return;
  const { make, log } = board();
  t.not((await make('build', { LINUX_MAKE_ENV: 'NO_BTF=2' })).code, 0);
  t.regex(log().at(-1) ?? '', /olddefconfig$/);
});

test('a link after the carrier is looked at once more', async t => {
  if (!haveMake(t)) return;
  const { base, make, log } = board();
  const commands = `touch -d 2030-01-01 ${base}/linux/.vmlinux-btf/link.json`;
  t.is((await make('build', { APPENDED: 'y', LINUX_APPEND_DTB: commands })).code, 0);
  t.is(log().at(-1), 'tool kbuild --finish /linux');
});

for (const [kind, ending] of [
  ['', ''],
  ['GZIP', '.gz'],
  ['XZ', '.xz'],
  ['ZSTD', '.zst'],
] as const)
  test(`the carrier is installed ${kind === '' ? 'as it is' : `with ${kind.toLowerCase()}`}, once, and fits`, async t => {
    if (!haveMake(t) || !haveTool(t, 'xz', 'xz-utils') || !haveTool(t, 'zstd', 'zstd')) return;
    const { base, make } = board();
    const options: Record<string, string> = kind === '' ? {} : { [`${PREFIX}_CARRIER_${kind}`]: 'y' };
    t.is((await make('build', options)).code, 0);
    const updates = join(base, 'target', 'lib', 'modules', '6.12.1', 'updates');
    mkdirSync(updates, { recursive: true });
    writeFileSync(join(updates, 'vmlinux_btf.ko.old'), '');
    for (let i = 0; i < 2; i++) t.is((await make('install', options)).code, 0);
    const { stdout } = await execa('ls', [updates]);
    t.is(stdout, `vmlinux_btf.ko${ending}`);
    t.true(existsSync(join(base, 'target', 'usr', 'sbin', 'vmlinux-btf-load')));
    t.false(existsSync(join(base, 'target', 'etc')), 'nothing is loaded at boot');
    t.is((await make('finalize', options)).code, 0);
  });

test('it is loaded at boot where that is wanted, by the init that there is', async t => {
  if (!haveMake(t)) return;
  for (const [init, file] of [
    ['BR2_INIT_BUSYBOX', 'etc/init.d/S20vmlinux-btf'],
    ['BR2_INIT_SYSTEMD', 'usr/lib/systemd/system/vmlinux-btf.service'],
  ] as const) {
    const { base, make } = board();
    await make('build');
    t.is((await make('install', { [`${PREFIX}_AUTOLOAD`]: 'y', [init]: 'y' })).code, 0);
    t.true(existsSync(join(base, 'target', file)), file);
    const old = join(base, 'target', 'lib', 'modules', '6.11.0', 'updates', 'vmlinux_btf.ko.xz');
    mkdirSync(join(old, '..'), { recursive: true });
    writeFileSync(old, 'of another release');
    t.is((await make('install', { [`${PREFIX}_CARRIER`]: '', [init]: 'y' })).code, 0);
    t.false(existsSync(join(base, 'target', file)), 'what was turned off goes');
    t.false(existsSync(join(base, 'target', 'usr/sbin/vmlinux-btf-load')));
    t.false(existsSync(old));
    t.is((await make('finalize')).code, 0);
  }
});

test('a budget that is broken ends the build, and reports are there', async t => {
  if (!haveMake(t)) return;
  const { base, make, log } = board();
  const options = { [`${PREFIX}_BUDGETS`]: '"budgets.json"', [`${PREFIX}_BASELINE`]: '"old.json"' };
  await make('build', options);
  t.is((await make('images', options)).code, 0);
  t.true(existsSync(join(base, 'images', 'vmlinux-btf', 'report.json')));
  t.is((await make('finalize', options)).code, 0);
  t.is(log().at(-1), 'tool check /linux/.vmlinux-btf/report.json --config /budgets.json --baseline /old.json');
  t.not((await make('finalize', { ...options, EXTRA_ENV: `HOST_DIR=${base}/host BROKEN=1` })).code, 0);
});

for (const appended of ['', 'y'])
  test(`the link with the initramfs is checked before its image is copied${appended && ', after device trees'}`, async t => {
    if (!haveMake(t)) return;
    const { base, make, log } = board();
    const options = { BR2_TARGET_ROOTFS_INITRAMFS: 'y', APPENDED: appended };
    await make('build', options);
    await make('install', options);
    const before = log().length;
    const good = await make('linux-rebuild-with-initramfs', options);
    t.is(good.code, 0, good.stderr);
    // The build that comes first has nothing of it.
    const after = log().slice(before);
    const rebuilt = after.slice(after.indexOf('rebuilt')).map(line => (line.startsWith('tool') ? 'tool' : line));
    t.deepEqual(rebuilt, ['rebuilt', ...(appended ? ['appended'] : []), 'tool', 'tool', 'copied']);
    t.is(after.filter(line => line.endsWith('vmlinux modules')).length, 2);

    const other = join(base, 'other');
    writeFileSync(other, 'another base');
    const bad = await make('linux-rebuild-with-initramfs', { ...options, LINUX_MAKE_ENV: `LINK=${other}` });
    t.not(bad.code, 0);
    t.regex(bad.stderr, /another base than the modules in it were built for: set BR2_REPRODUCIBLE=y/);
    t.not(log().at(-1), 'copied');
    t.is((await make('finalize', options)).stdout, '', 'the target folder is not looked at before');
  });
