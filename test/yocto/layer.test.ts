import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { cli, splitQuickly } from '../support/cli.js';
import { fixture, repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'yocto');
const layer = join(repository, 'yocto-example', 'meta-vmlinux-btf');
const recipes = join(layer, 'recipes-devtools', 'vmlinux-btf');
const classFile = readFileSync(join(layer, 'classes-recipe', 'kernel-vmlinux-btf.bbclass'), 'utf8');
const layerConf = readFileSync(join(layer, 'conf', 'layer.conf'), 'utf8');
const document = readFileSync(join(repository, 'docs', 'yocto.md'), 'utf8');
const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));

/** Text of a function of the class. */
function bodyOf(head: string): string {
  const start = classFile.indexOf(`\n${head} {\n`) + 1;
  return classFile.slice(start, classFile.indexOf('\n}\n', start) + 3);
}

/** What a Python function of the class meets: `getVar` is an expression of `name`; the second argument of the program is WORKDIR. */
function bitbake(getVar: string): string {
  return `import os, sys
class D:
    def getVar(self, name): return ${getVar}
    def expand(self, text): return text.replace('\${WORKDIR}', sys.argv[2])
class bb:
    def fatal(text): sys.exit(text)
d = D()`;
}

test('the recipe is of this version, and its checksums are those of the bundle', async t => {
  const recipe = `vmlinux-btf-native_${version}.bb`;
  t.deepEqual(
    readdirSync(recipes).filter(name => name.endsWith('.bb')),
    [recipe],
  );
  if (!haveTool(t, 'tar', 'tar')) return;
  await execa(process.execPath, [join(repository, 'build', 'scripts', 'bundle-release.js'), folder]);
  await execa('tar', ['-C', folder, '-xf', join(folder, `vmlinux-btf-${version}.tar`)]);
  const told = [...readFileSync(join(recipes, recipe), 'utf8').matchAll(/file:\/\/(\S+);md5=(\S+)/g)];
  t.is(told.length, 2);
  for (const [, file, hash] of told) {
    const bytes = readFileSync(join(folder, `vmlinux-btf-${version}`, file));
    t.is(createHash('md5').update(bytes).digest('hex'), hash, file);
  }
});

test('every option of the class and of the layer stands in docs/yocto.md, with its default, and no other', t => {
  const options = [...`${classFile}${layerConf}`.matchAll(/^(VMLINUX_BTF_\w+) \?\?= "(.*)"$/gm)];
  t.true(options.length > 8);
  for (const [, name, value] of options) {
    const row = document.split('\n').find(line => line.startsWith('| `VMLINUX_BTF_') && line.includes(`\`${name}\``));
    t.truthy(row, name);
    t.is(row?.split('|')[2].replaceAll('`', '').trim(), value, name);
  }
  const known = new Set(options.map(([, name]) => name));
  const rows = document.slice(document.indexOf('## Options'), document.indexOf('## Where it is'));
  for (const [name] of rows.matchAll(/\bVMLINUX_BTF_\w+/g)) t.true(known.has(name), name);
});

test('make is given the words that kbuild prints, and kbuild takes the options of the class', async t => {
  const given = [...classFile.matchAll(/^EXTRA_OEMAKE:append = '(.*)'$/gm)].flatMap(([, words]) => words);
  const names = [...given.join('').matchAll(/ (\w+)=/g)].map(([, name]) => name);
  const pahole = join(folder, 'pahole');
  writeFileSync(pahole, '#!/bin/sh\n', { mode: 0o755 });
  const { stdout } = await cli(['kbuild', '--pahole', pahole, '--closure', 'forward', '--module-btf', 'prune']);
  t.deepEqual(
    names,
    stdout
      .trim()
      .split(' ')
      .map(word => word.split('=')[0]),
  );
  const options = [...classFile.matchAll(/ (--[a-z-]+)/g)].map(([, option]) => option);
  const help = [(await cli(['kbuild', '--help'])).stdout, (await cli(['check', '--help'])).stdout].join(
    (await cli(['report', '--help'])).stdout,
  );
  for (const option of new Set(options)) t.true(help.includes(option), option);
});

test('VMLINUX_BTF_BUDGETS becomes budgets that check takes', async t => {
  if (!haveTool(t, 'python3', 'python3')) return;
  const out = join(folder, 'out');
  t.is((await splitQuickly(fixture('armv7-virt/vmlinux'), out)).exitCode, 0);
  const program = `${bitbake('sys.argv[1]')}
${bodyOf('python vmlinux_btf_write_budgets()')
  .replace('python vmlinux_btf_write_budgets() {', 'if True:')
  .replace(/\n\}\n$/, '\n')}`;
  const check = async (budgets: string) => {
    const written = await execa('python3', ['-c', program, budgets, folder], { reject: false });
    if (written.exitCode !== 0) return written;
    return cli(['check', join(out, 'report.json'), '--config', join(folder, 'vmlinux-btf.budgets.json')]);
  };
  const held = await check('btf.base=450KiB btf.base.types=7000 total.flash=200%');
  t.is(held.exitCode, 0, held.stderr);
  t.is((await check('btf.base=4KiB')).exitCode, 1);
  const wrong = await check('btf.base');
  t.not(wrong.exitCode, 0);
  t.regex(wrong.stderr, /btf\.base is not METRIC=LIMIT/);
});

/** A shell function of the class, with the variables that bitbake would expand; the tool writes its words down, errors go to standard output. */
async function shell(
  body: string,
  variables: Readonly<Record<string, string>>,
): Promise<{ said: string; code: number | undefined }> {
  const at = mkdtempSync(join(folder, 'shell-'));
  const side = join(at, 'side');
  mkdirSync(side);
  for (const file of ['report.json', 'base.btf', 'full.btf', 'vmlinux_btf.ko']) writeFileSync(join(side, file), '');
  const values: Record<string, string> = {
    VMLINUX_BTF_TOOL: 'tool',
    VMLINUX_BTF_SIDE: side,
    B: at,
    WORKDIR: at,
    ...variables,
  };
  const text = body.replace(/\$\{(\w+)\}/g, (_, name: string) => values[name] ?? '');
  const program = `set -e\ntool() { echo "tool $*"; return $STATUS; }\nbbfatal_log() { echo "fatal $*"; exit 1; }\n${text}`;
  const env = { STATUS: variables.STATUS ?? '0' };
  const { stdout, exitCode } = await execa('sh', ['-c', program], { env, reject: false });
  return { said: stdout.replaceAll(side, 'SIDE').replaceAll(at, 'AT'), code: exitCode };
}

test('budgets are looked for in the variable, and in a configuration that has some', async t => {
  const check = `${bodyOf('vmlinux_btf_gate()')}${bodyOf('vmlinux_btf_check()')}vmlinux_btf_check`;
  const rules = join(folder, 'rules.json');
  writeFileSync(rules, '{ "keep": ["struct:budgets"] }\n');
  t.deepEqual(await shell(check, { VMLINUX_BTF_CONFIG: rules }), { said: '', code: 0 });
  const both = join(folder, 'both.json');
  writeFileSync(both, '{ "keep": [], "budgets" : [] }\n');
  const words = {
    VMLINUX_BTF_CONFIG: both,
    VMLINUX_BTF_BUDGETS: 'btf.base=1',
    VMLINUX_BTF_BASELINE_OPTS: ' --baseline /b',
  };
  const { said, code } = await shell(check, words);
  t.is(code, 0);
  t.deepEqual(said.split('\n'), [
    'tool check SIDE/report.json --config AT/vmlinux-btf.budgets.json --baseline /b',
    `tool check SIDE/report.json --config ${both} --baseline /b`,
  ]);
  const broken = await shell(check, { ...words, STATUS: '1' });
  t.is(broken.code, 1);
  t.regex(broken.said, /^fatal a budget of VMLINUX_BTF_BUDGETS is broken/m);
  t.regex((await shell(check, { ...words, STATUS: '2' })).said, /^fatal vmlinux-btf check failed/m);
});

test('each kernel deploys to a folder of its own, and a baseline that is not there yet is left out', async t => {
  const deploy = bodyOf('do_deploy:append()').replace('do_deploy:append()', 'deploy()');
  const where = join(folder, 'deployed', 'vmlinux-btf');
  t.regex(classFile, /^VMLINUX_BTF_DEPLOY = "\$\{DEPLOYDIR\}\/\$\{KERNEL_DEPLOYSUBDIR\}\/vmlinux-btf"$/m);
  const report = async (baseline: string): Promise<string> => {
    const words = { VMLINUX_BTF_REPORTS: 'text', VMLINUX_BTF_DEPLOY: where, VMLINUX_BTF_BASELINE: baseline };
    const options = baseline === '' ? '' : ` --baseline ${baseline}`;
    return (await shell(`${deploy}deploy`, { ...words, VMLINUX_BTF_BASELINE_OPTS: options })).said;
  };
  const plain = `tool report AT --format text --to ${where}`;
  t.is(await report(''), plain);
  t.is(await report(join(folder, 'not-yet.json')), plain);
  t.is(await report(join(repository, 'package.json')), `${plain} --baseline ${repository}/package.json`);
  t.deepEqual(readdirSync(where).sort(), ['base.btf', 'full.btf', 'report.json', 'vmlinux_btf.ko']);
});

test('key and certificate go together, and what a configuration names is watched', async t => {
  if (!haveTool(t, 'python3', 'python3')) return;
  const config = join(folder, 'watched.json');
  writeFileSync(config, '{ "keepFor": ["app.bpf.o"] }');
  const start = classFile.indexOf('def vmlinux_btf_checksums');
  const program = `${bitbake('dict(CONFIG=sys.argv[1], OTHER=None)[name]')}
${classFile.slice(start, classFile.indexOf('\n\n', start))}
print(vmlinux_btf_checksums(d, 'CONFIG', 'OTHER'))`;
  const { stdout } = await execa('python3', ['-c', program, config]);
  t.is(stdout, `${config}:True ${join(folder, 'app.bpf.o')}:False`);
  const half = `${bitbake("'x' if name.endswith(sys.argv[1]) else ''")}
${bodyOf('python ()')
  .replace('python () {', 'if True:')
  .replace(/\n\}\n$/, '\n')}`;
  for (const [given, code] of [
    ['_KEY', 1],
    ['_CERT', 1],
    ['nothing', 0],
  ] as const) {
    const ran = await execa('python3', ['-c', half, given], { reject: false });
    t.is(ran.exitCode, code, given);
    if (code === 1) t.is(ran.stderr, 'VMLINUX_BTF_SIGN_KEY and VMLINUX_BTF_SIGN_CERT: set both or none');
  }
});
