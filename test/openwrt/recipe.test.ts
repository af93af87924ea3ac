import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

/** vmlinux-btf.mk of docs/openwrt.md in a real make, with stand-ins for OpenWrt's makefiles, the tool and the kernel. */

const folder = scratchFolder(test, 'openwrt');
const document = readFileSync(join(repository, 'docs', 'openwrt.md'), 'utf8');
const recipe = document
  .slice(document.indexOf('       VMLINUX_BTF ?='), document.indexOf('   and in `target/linux/BOARD/Makefile`'))
  .replace(/^ {7}/gm, '');

const DEFAULTS = ['Configure/Default', 'CompileModules/Default', 'CompileImage/Default', 'CompileImage/Initramfs'];

/** As include/kernel-build.mk does it: what a target may define again is expanded when the rules are made. */
const MAKEFILE = `
LINUX_DIR = $(BASE)/linux
KERNEL_BUILD_DIR = $(BASE)/kernel
BIN_DIR = $(BASE)/bin
STAGING_DIR_HOST = $(BASE)/host
CP = cp -fpR
NPROC = 3
KERNEL_MAKE_FLAGS = ARCH=mips
KERNEL_MAKEOPTS = -C $(LINUX_DIR) $(KERNEL_MAKE_FLAGS)
KERNEL_MAKE = $(MAKE) $(KERNEL_MAKEOPTS)
${DEFAULTS.map(name => `define Kernel/${name}\n\techo ${name} >>$(LINUX_DIR)/log\nendef\n`).join('')}include $(BASE)/vmlinux-btf.mk
define BuildKernel
configure:
	$(Kernel/Configure)
modules:
	$(Kernel/CompileModules)
image:
	$(Kernel/CompileImage)
flags:
	@printf '%s\\n' $(KERNEL_MAKEOPTS)
endef
$(eval $(call BuildKernel))
`;

/** Prints what kbuild prints; builds by writing down its words and leaving what a build leaves. */
const TOOL = `#!/bin/sh
cd "$BASE/linux" || exit
echo "tool $*" >>log
case "$*" in
  "kbuild "*" -- "*)
    mkdir -p .vmlinux-btf
    echo base >.vmlinux-btf/base.btf
    echo '{}' >.vmlinux-btf/report.json
    ;;
  kbuild*) echo "PAHOLE=/x" ;;
  check*) [ ! -e broken ] ;;
esac
`;

function target(): {
  base: string;
  make: (...words: string[]) => Promise<{ stdout: string; code: number }>;
  log(): string[];
} {
  const base = mkdtempSync(join(folder, 'target-'));
  for (const name of ['linux', 'kernel', 'host/bin']) mkdirSync(join(base, name), { recursive: true });
  writeFileSync(join(base, 'vmlinux-btf.mk'), recipe);
  writeFileSync(join(base, 'Makefile'), MAKEFILE);
  writeFileSync(join(base, 'tool'), TOOL, { mode: 0o755 });
  writeFileSync(join(base, 'host', 'bin', 'pahole'), '#!/bin/sh\n', { mode: 0o755 });
  const make = async (...words: string[]): Promise<{ stdout: string; code: number }> => {
    const given = [`BASE=${base}`, `VMLINUX_BTF_TOOL=${join(base, 'tool')}`];
    const ran = await execa('make', ['-s', ...given, ...words], { cwd: base, env: { BASE: base }, reject: false });
    return { stdout: ran.stdout, code: ran.exitCode ?? -1 };
  };
  const log = (): string[] =>
    readFileSync(join(base, 'linux', 'log'), 'utf8')
      .replaceAll(base, '')
      .trim()
      .split('\n');
  return { base, make, log };
}

test('make of the kernel gets the words that kbuild prints, and a dump of the packages none', async t => {
  if (!haveTool(t, 'make', 'make')) return;
  const { base, make } = target();
  // The program of the repository lies as that of the bundle does.
  const real = [
    `VMLINUX_BTF=${repository}`,
    'VMLINUX_BTF_TOOL=$(REAL)',
    `REAL=${process.execPath} ${repository}/build/bin/vmlinux-btf.cjs`,
  ];
  const { stdout } = await make('flags', ...real);
  const wrappers = join(repository, 'build', 'bin', 'kbuild');
  t.deepEqual(stdout.split('\n'), [
    ...[
      '-C',
      join(base, 'linux'),
      'ARCH=mips',
      `PAHOLE=${wrappers}/pahole`,
      `RESOLVE_BTFIDS=${wrappers}/resolve_btfids`,
    ],
    `VMLINUX_BTF_PAHOLE=${base}/host/bin/pahole`,
  ]);
  t.is((await make('flags', 'DUMP=1')).stdout, `-C\n${base}/linux\nARCH=mips`);
});

test('the configuration is looked at by kbuild', async t => {
  if (!haveTool(t, 'make', 'make')) return;
  const { make, log } = target();
  t.is((await make('configure')).code, 0);
  const words = 'tool kbuild --pahole /host/bin/pahole --closure complete';
  t.deepEqual(
    log().filter(line => line !== words),
    ['Configure/Default', `${words} -- make -C /linux ARCH=mips PAHOLE=/x olddefconfig`],
  );
});

test('modules are built through kbuild, reports go beside the images, and a broken budget ends make', async t => {
  if (!haveTool(t, 'make', 'make')) return;
  const { base, make, log } = target();
  const words = ['modules', 'VMLINUX_BTF_OPTIONS=--closure forward', 'VMLINUX_BTF_CONFIG=/budgets.json'];
  t.is((await make(...words)).code, 0);
  const pahole = '/host/bin/pahole';
  t.deepEqual(
    log().filter(line => line !== `tool kbuild --pahole ${pahole} --closure forward`),
    [
      'CompileModules/Default',
      `tool kbuild --pahole ${pahole} --closure forward -- make -C /linux ARCH=mips PAHOLE=/x -j3 all modules`,
      'tool report /linux --format text,html --to /bin/vmlinux-btf',
      'tool check /linux/.vmlinux-btf/report.json --config /budgets.json',
    ],
  );
  t.deepEqual(readdirSync(join(base, 'bin', 'vmlinux-btf')), ['report.json']);
  const broken = target();
  writeFileSync(join(broken.base, 'linux', 'broken'), '');
  t.not((await broken.make(...words)).code, 0);
  t.true(existsSync(join(broken.base, 'bin', 'vmlinux-btf', 'report.json')));
});

test('images are of the base that the packed modules were built for', async t => {
  if (!haveTool(t, 'make', 'make')) return;
  const { base, make, log } = target();
  t.is((await make('modules')).code, 0);
  t.is((await make('image')).code, 0);
  t.deepEqual(log().slice(-2), ['CompileImage/Default', 'CompileImage/Initramfs']);
  writeFileSync(join(base, 'linux', '.vmlinux-btf', 'base.btf'), 'other\n');
  const { stdout, code } = await make('image');
  t.not(code, 0);
  t.regex(stdout, /differ: /);
  t.is(log().at(-1), 'CompileImage/Default');
});

test('every variable that a target may set stands in the table, and no other', t => {
  const set = [...recipe.matchAll(/^(VMLINUX_BTF\w*) \?=/gm)].map(([, name]) => name);
  const options = document.slice(document.indexOf('## Options'), document.indexOf('## Modules of packages'));
  const rows = [...options.matchAll(/^\| `(VMLINUX_BTF\w*)`/gm)].map(([, name]) => name);
  t.deepEqual(rows.sort(), [...set, 'VMLINUX_BTF_CONFIG'].sort());
});
