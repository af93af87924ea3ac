import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { sectionBytes } from '../elf/readelf.js';
import { cli, ERROR_LINE, hashesOf, splitQuickly } from '../support/cli.js';
import { fixture, repository } from '../support/fixtures.js';
import { moduleFolder } from '../support/module-folder.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const KERNEL = 'armv7-virt';
const vmlinux = fixture(`${KERNEL}/vmlinux`);
const scratch = scratchFolder(test, 'module-pipeline');
const BBR = 'kernel/net/ipv4/tcp_bbr.ko';
const DUMMY = 'kernel/drivers/net/dummy.ko';

function fresh(name: string): { modules: string; out: string } {
  const folder = join(scratch, name);
  return { modules: moduleFolder(join(folder, 'modules'), KERNEL), out: join(folder, 'out') };
}

test('an out folder with modules verifies; a changed, missing or added module does not', async t => {
  t.timeout(240_000);
  const { modules, out } = fresh('verify');
  const split = await splitQuickly(vmlinux, out, '--modules', modules);
  t.is(split.exitCode, 0, split.stderr);
  t.regex(split.stdout, /kernel\/net\/ipv4\/tcp_bbr\.ko +\d/);
  const verified = await cli(['verify', out]);
  t.is(verified.exitCode, 0, verified.stderr);
  t.regex(verified.stdout, /each re-based module decodes on the base/);

  const module = join(out, 'modules', BBR);
  const good = readFileSync(module);
  const expectFailure = async (what: RegExp, ...more: string[]): Promise<void> => {
    const { exitCode, stderr } = await cli(['verify', out, ...more]);
    t.is(exitCode, 1, stderr);
    t.regex(stderr, what);
    t.regex(stderr, ERROR_LINE);
  };
  const bad = Buffer.from(good);
  bad[bad.length >> 1] ^= 1;
  writeFileSync(module, bad);
  await expectFailure(/tcp_bbr\.ko.*\[verify\]/);
  // The hash in split.json is no proof: whoever changes a module may change that as well.
  const manifest = join(out, 'split.json');
  const text = readFileSync(manifest, 'utf8');
  const hash = (bytes: Uint8Array): string =>
    execFileSync('sha256sum', { input: bytes, encoding: 'utf8' }).slice(0, 64);
  writeFileSync(manifest, text.replace(hash(good), hash(bad)));
  await expectFailure(/its section .* (changed|has other bytes)/);
  writeFileSync(manifest, text);
  copyFileSync(module, join(out, 'modules', 'more.ko'));
  await expectFailure(/other modules/);
  rmSync(join(out, 'modules', 'more.ko'));
  rmSync(module);
  await expectFailure(/other modules/);
  writeFileSync(module, good);
  renameSync(modules, `${modules}-moved`);
  await expectFailure(/--modules/);
  t.is((await cli(['verify', out, '--modules', `${modules}-moved`])).exitCode, 0);
});

test('a run with modules, one without, and one that fails replace all or nothing', async t => {
  const { modules, out } = fresh('atomic');
  t.is((await splitQuickly(vmlinux, out, '--modules', modules)).exitCode, 0);
  const before = readFileSync(join(out, 'split.json'));
  writeFileSync(join(modules, 'broken.ko'), 'not a module');
  const failed = await splitQuickly(vmlinux, out, '--modules', modules);
  t.is(failed.exitCode, 3);
  t.regex(failed.stderr, /broken\.ko/);
  t.regex(failed.stderr, ERROR_LINE);
  t.is(Buffer.compare(readFileSync(join(out, 'split.json')), before), 0);
  t.true(existsSync(join(out, 'modules', BBR)));
  t.is((await splitQuickly(vmlinux, out)).exitCode, 0);
  t.false(existsSync(join(out, 'modules')));
});

test('the folder of modules must be one, outside of the out folder', async t => {
  const { modules, out } = fresh('folder');
  const refused = async (code: string, exitCode: number, ...args: string[]): Promise<void> => {
    const run = await splitQuickly(vmlinux, out, ...args);
    t.is(ERROR_LINE.exec(run.stderr)?.[1], code, run.stderr);
    t.is(run.exitCode, exitCode);
  };
  await refused('modules-folder', 2, '--modules', join(modules, 'none'));
  await refused('modules-folder', 2, '--modules', join(modules, BBR));
  mkdirSync(join(modules, 'empty'));
  await refused('modules-folder', 2, '--modules', join(modules, 'empty'));
  await refused('usage', 2, '--modules', modules, '--module-btf', 'some');
  await refused('usage', 2, '--modules', modules, '--sign-key', 'key');
  await refused('kconfig', 2, '--modules', modules, '--kconfig', join(modules, 'none'));
  mkdirSync(join(out, 'modules'), { recursive: true });
  copyFileSync(join(modules, BBR), join(out, 'modules', 'mine.ko'));
  await refused('out-is-input', 2, '--modules', join(out, 'modules'));
  await refused('out-foreign', 2, '--modules', modules);
  rmSync(out, { recursive: true });
  t.is((await splitQuickly(vmlinux, out)).exitCode, 0);
  mkdirSync(join(out, 'modules'));
  await refused('out-foreign', 2, '--modules', modules);
});

test('links to folders are not followed, modes are kept, the carrier of another split is left out', async t => {
  const { modules, out } = fresh('links');
  symlinkSync('/', join(modules, 'build'));
  chmodSync(join(modules, BBR), 0o600);
  t.is((await splitQuickly(vmlinux, join(scratch, 'links', 'first'))).exitCode, 0);
  mkdirSync(join(modules, 'updates'));
  copyFileSync(join(scratch, 'links', 'first', 'vmlinux_btf.ko'), join(modules, 'updates', 'vmlinux_btf.ko'));
  const { exitCode, stdout } = await splitQuickly(vmlinux, out, '--modules', modules, '--json');
  t.is(exitCode, 0);
  const report = JSON.parse(stdout);
  t.deepEqual(
    report.modules.rows.map((row: { name: string }) => row.name),
    [DUMMY, BBR],
  );
  t.regex(report.warnings.join(), /updates\/vmlinux_btf\.ko is the carrier of another split/);
  t.is(statSync(join(out, 'modules', BBR)).mode & 0o777, 0o600);
});

test('modules of another kernel are refused', async t => {
  const { modules, out } = fresh('foreign');
  copyFileSync(fixture('mips32-malta-be/tcp_bbr.ko'), join(modules, 'foreign.ko'));
  const machine = await splitQuickly(vmlinux, out, '--modules', modules);
  t.regex(machine.stderr, /foreign\.ko.*\[module-foreign\]/);
  t.is(machine.exitCode, 3);
  const bytes = readFileSync(join(modules, BBR));
  const at = bytes.indexOf('vermagic=6');
  bytes[at + 9] = 0x35;
  writeFileSync(join(modules, 'foreign.ko'), bytes);
  t.regex((await splitQuickly(vmlinux, out, '--modules', modules)).stderr, /its vermagic is 5.*\[module-foreign\]/);
});

for (const [suffix, pack, unpack, debian] of [
  ['.xz', ['xz', '--check=crc32', '--lzma2=dict=1MiB', '-T1'], ['xz', '-dc'], 'xz-utils'],
  ['.gz', ['gzip', '-n'], ['gzip', '-dc'], 'gzip'],
  ['.zst', ['zstd', '-q', '--rm'], ['zstd', '-dcq'], 'zstd'],
] as const)
  test(`a .ko${suffix} is unpacked and packed again as the kernel's build packs it`, async t => {
    if (!haveTool(t, pack[0], debian)) return;
    const plain = fresh(`plain${suffix}`);
    const packed = fresh(`packed${suffix}`);
    execFileSync(pack[0], [...pack.slice(1), join(packed.modules, BBR)]);
    t.is((await splitQuickly(vmlinux, plain.out, '--modules', plain.modules)).exitCode, 0);
    const run = await splitQuickly(vmlinux, packed.out, '--modules', packed.modules);
    t.is(run.exitCode, 0, run.stderr);
    const result = join(packed.out, 'modules', `${BBR}${suffix}`);
    t.false(existsSync(join(packed.out, 'modules', BBR)));
    const expected = join(plain.out, 'modules', BBR);
    const content = execFileSync(unpack[0], [...unpack.slice(1), result], { maxBuffer: 1 << 26 });
    t.is(Buffer.compare(content, readFileSync(expected)), 0);
    const verified = await cli(['verify', packed.out]);
    t.is(verified.exitCode, 0, verified.stderr);
    // Byte for byte what the kernel's own command makes of it.
    execFileSync(pack[0], [...pack.slice(1), expected]);
    t.is(Buffer.compare(readFileSync(`${expected}${suffix}`), readFileSync(result)), 0);
    t.deepEqual(Object.keys(hashesOf(join(packed.out, 'modules', 'kernel', 'net', 'ipv4'))), [`tcp_bbr.ko${suffix}`]);
  });

test('what claims to be compressed and is not is one error', async t => {
  const { modules, out } = fresh('torn');
  for (const suffix of ['.xz', '.gz', '.zst']) {
    writeFileSync(join(modules, `torn.ko${suffix}`), 'no such format');
    const run = await splitQuickly(vmlinux, out, '--modules', modules);
    t.is(ERROR_LINE.exec(run.stderr)?.[1], 'module-damaged', run.stderr);
    rmSync(join(modules, `torn.ko${suffix}`));
  }
});

test('a small file that unpacks to more than a module is given up before it fills the memory', t => {
  const folder = join(scratch, 'zeros');
  mkdirSync(folder);
  const source = join(repository, 'build', 'plugin', 'host', 'module-files.js');
  const program = `const { unpackModule } = await import(${JSON.stringify(source)});
    const rss = () => process.resourceUsage().maxRSS / 1024;
    await import('execa');
    const before = rss();
    const code = await unpackModule(process.argv[1], '.gz').then(({ size }) => size, error => error.code + ': ' + error.detail);
    console.log(JSON.stringify({ code, grown: rss() - before }));`;
  const run = (file: string): { code: string | number; grown: number } =>
    JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', program, file], { encoding: 'utf8' }));
  const packed = (name: string, start: Uint8Array, mebibytes: number): string => {
    const file = join(folder, `${name}.ko.gz`);
    // A gzip file is a row of members.
    const zeros = gzipSync(new Uint8Array(1 << 20));
    writeFileSync(file, Buffer.concat([gzipSync(start), ...Array.from({ length: mebibytes }, () => zeros)]));
    return file;
  };
  const bytes = readFileSync(fixture(`${KERNEL}/dummy.ko`));
  const zeros = run(packed('zeros', new Uint8Array(1), 250));
  t.is(zeros.code, 'module-damaged: it does not unpack to an ELF file');
  t.true(zeros.grown < 20, `${zeros.grown} MiB`);
  const bomb = run(packed('bomb', bytes, 250));
  t.is(bomb.code, `module-damaged: more than ${128 << 20} bytes unpacked`);
  t.true(bomb.grown < 128 + 32, `${bomb.grown} MiB`);
  const large = run(packed('large', bytes, 100));
  t.is(large.code, bytes.length + (100 << 20));
  t.true(large.grown < 100 + 32, `held once: ${large.grown} MiB`);
});

test('every truncation of a module is one coded error or is found out', async t => {
  t.timeout(240_000);
  const { modules, out } = fresh('truncated');
  const bytes = readFileSync(join(modules, BBR));
  for (const length of [0, 3, 40, 52, 1000, bytes.length >> 1, bytes.length - 40, bytes.length - 1]) {
    writeFileSync(join(modules, BBR), bytes.subarray(0, length));
    const run = await splitQuickly(vmlinux, out, '--modules', modules);
    t.is(run.exitCode, 3, `${length}: ${run.stderr}`);
    t.regex(run.stderr, ERROR_LINE);
    t.false(existsSync(out));
  }
});

/** The kernel's sign-file, where Debian's linux-kbuild puts it. */
function signFile(): string | undefined {
  return readdirSync('/usr/lib')
    .filter(name => name.startsWith('linux-kbuild-'))
    .map(name => join('/usr/lib', name, 'scripts', 'sign-file'))
    .find(path => existsSync(path));
}

function signingKey(): { key: string; cert: string } {
  const [key, cert] = [join(scratch, 'key.pem'), join(scratch, 'cert.pem')];
  if (!existsSync(cert))
    execFileSync(
      'openssl',
      [
        'req',
        '-new',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-subj',
        '/CN=test/',
        '-days',
        '1',
        '-keyout',
        key,
        '-out',
        cert,
      ],
      { stdio: 'pipe' },
    );
  return { key, cert };
}

const MAGIC = Buffer.from('~Module signature appended~\n');
/** Behind a module: 300 bytes, and 12 of struct module_signature that say so. */
const SIGNATURE = Buffer.concat([Buffer.alloc(300, 7), Buffer.from([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 44]), MAGIC]);

test('under MODULE_SIG_FORCE a run without a key is refused, and a lost signature is told otherwise', async t => {
  const { modules, out } = fresh('forced');
  const config = join(scratch, 'forced.config');
  writeFileSync(config, 'CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_FORCE=y\nCONFIG_MODULE_SIG_HASH="sha512"\n');
  const forced = await splitQuickly(vmlinux, out, '--modules', modules, '--kconfig', config);
  t.is(forced.exitCode, 2);
  t.is(ERROR_LINE.exec(forced.stderr)?.[1], 'module-signature');
  t.false(existsSync(out));
  appendFileSync(join(modules, BBR), SIGNATURE);
  const { stdout } = await splitQuickly(vmlinux, out, '--modules', modules, '--json');
  const report = JSON.parse(stdout);
  t.regex(report.warnings.join(), /1 of 2 changed modules lost their signature/);
  t.deepEqual(
    report.modules.rows.map((row: { signature: string }) => row.signature),
    ['none', 'dropped'],
  );
  t.false(readFileSync(join(out, 'modules', BBR)).includes(MAGIC));
  t.is((await cli(['verify', out])).exitCode, 0);
});

test('ids of a signed module without .BTF become 0, and that is a change like another', async t => {
  const objcopy = 'arm-linux-gnueabihf-objcopy';
  if (!haveTool(t, objcopy, 'binutils-arm-linux-gnueabihf')) return;
  for (const mode of ['keep', 'prune', 'strip']) {
    const { modules, out } = fresh(`bare-${mode}`);
    rmSync(join(modules, DUMMY));
    execFileSync(objcopy, ['-R', '.BTF', join(modules, BBR)]);
    const ids = sectionBytes(join(modules, BBR), '.BTF_ids');
    t.true(ids.some(byte => byte !== 0));
    appendFileSync(join(modules, BBR), SIGNATURE);
    const args = ['--modules', modules, '--module-btf', mode];
    const config = join(scratch, 'bare.config');
    writeFileSync(config, 'CONFIG_MODULE_SIG_FORCE=y\n');
    const forced = await splitQuickly(vmlinux, out, ...args, '--kconfig', config);
    t.is(ERROR_LINE.exec(forced.stderr)?.[1], 'module-signature', `${mode}: ${forced.stderr}`);
    const { stdout, exitCode } = await splitQuickly(vmlinux, out, ...args, '--json');
    t.is(exitCode, 0);
    const report = JSON.parse(stdout);
    t.regex(report.warnings.join(), /1 of 1 changed modules lost their signature/);
    t.is(report.modules.rows[0].signature, 'dropped');
    t.false(readFileSync(join(out, 'modules', BBR)).includes(MAGIC));
    // What is left of its set: count and flags, and the flags of each of its kfuncs.
    const left = sectionBytes(join(out, 'modules', BBR), '.BTF_ids');
    t.is(left.length, ids.length);
    for (let at = 0; at < ids.length; at += 4)
      t.is(left.readUInt32LE(at), ids.readUInt32LE(at) > 59_475 ? 0 : ids.readUInt32LE(at));
    t.is((await cli(['verify', out])).exitCode, 0);
  }
});

test('a signed module that does not change keeps its signature under MODULE_SIG_FORCE', async t => {
  const objcopy = 'arm-linux-gnueabihf-objcopy';
  if (!haveTool(t, objcopy, 'binutils-arm-linux-gnueabihf')) return;
  const { modules, out } = fresh('unchanged');
  rmSync(join(modules, BBR));
  execFileSync(objcopy, ['-R', '.BTF', join(modules, DUMMY)]);
  appendFileSync(join(modules, DUMMY), SIGNATURE);
  const config = join(scratch, 'unchanged.config');
  writeFileSync(config, 'CONFIG_MODULE_SIG_FORCE=y\n');
  const { stdout, exitCode } = await splitQuickly(vmlinux, out, '--modules', modules, '--kconfig', config, '--json');
  t.is(exitCode, 0);
  t.is(JSON.parse(stdout).modules.rows[0].signature, 'kept');
  t.is(Buffer.compare(readFileSync(join(out, 'modules', DUMMY)), readFileSync(join(modules, DUMMY))), 0);
});

test('re-based modules and the carrier are signed with the kernel’s sign-file, and openssl accepts it', async t => {
  if (!haveTool(t, 'openssl', 'openssl')) return;
  const tool = signFile();
  if (tool === undefined) return void haveTool(t, 'sign-file', 'linux-kbuild-6.1');
  const { key, cert } = signingKey();
  const { modules, out } = fresh('signed');
  execFileSync(tool, ['sha384', key, cert, join(modules, BBR)]);
  t.true(readFileSync(join(modules, BBR)).subarray(-MAGIC.length).equals(MAGIC));
  const args = ['--modules', modules, '--sign-key', key, '--sign-cert', cert];
  const run = await splitQuickly(vmlinux, out, ...args, '--json');
  t.is(run.exitCode, 0, run.stderr);
  const report = JSON.parse(run.stdout);
  t.deepEqual(
    report.modules.rows.map((row: { signature: string }) => row.signature),
    ['made', 'made'],
  );
  for (const [file, hash] of [
    [join('modules', BBR), 'sha384'],
    [join('modules', DUMMY), 'sha256'],
    ['vmlinux_btf.ko', 'sha256'],
  ]) {
    const bytes = readFileSync(join(out, file));
    t.true(bytes.subarray(-MAGIC.length).equals(MAGIC), file);
    const trailer = bytes.length - MAGIC.length - 12;
    const length = bytes.readUInt32BE(trailer + 8);
    const [body, signature] = [join(scratch, 'body'), join(scratch, 'signature')];
    writeFileSync(body, bytes.subarray(0, trailer - length));
    writeFileSync(signature, bytes.subarray(trailer - length, trailer));
    const common = [
      '-binary',
      '-inform',
      'DER',
      '-in',
      signature,
      '-content',
      body,
      '-certfile',
      cert,
      '-nointern',
      '-noverify',
    ];
    const checked = spawnSync('openssl', ['cms', '-verify', ...common, '-out', '/dev/null'], { encoding: 'utf8' });
    t.regex(checked.stderr, /Verification successful/, file);
    const shown = execFileSync('openssl', ['cms', '-cmsout', '-print', '-inform', 'DER', '-in', signature], {
      encoding: 'utf8',
    });
    t.regex(shown, new RegExp(hash), file);
  }
  const verified = await cli(['verify', out]);
  t.is(verified.exitCode, 0, verified.stderr);
  const broken = await splitQuickly(
    vmlinux,
    out,
    ...args.slice(0, 4),
    '--sign-cert',
    cert,
    '--sign-file',
    '/bin/false',
  );
  t.is(ERROR_LINE.exec(broken.stderr)?.[1], 'tool-failed', broken.stderr);
  t.is(broken.exitCode, 4);
  t.is((await cli(['verify', out])).exitCode, 0);
});

test('a sign-file that signs nothing or changes what it signs, is an error for a module and for the carrier', async t => {
  const { modules, out } = fresh('unsigned');
  const [key, cert] = ['key', 'cert'].map(name => join(scratch, `any-${name}`));
  for (const file of [key, cert]) writeFileSync(file, 'any');
  const octal = (bytes: Uint8Array): string =>
    [...bytes].map(byte => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  const append = (bytes: Uint8Array): string => `printf '${octal(bytes)}' >>"$4"`;
  const good = append(SIGNATURE);
  const scripts: [body: string, what: RegExp | undefined][] = [
    [good, undefined],
    [':', /sign-file made no signature/],
    [': >"$4"', /sign-file made no signature/],
    [append(Buffer.concat([Buffer.alloc(12), MAGIC])), /sign-file made no signature/],
    [append(Buffer.concat([Buffer.alloc(12, 255), MAGIC])), /made a signature of 4294967295 bytes/],
    [`printf Z | dd of="$4" bs=1 seek=60 conv=notrunc 2>/dev/null; ${good}`, /changed what it signed/],
  ];
  const tool = join(scratch, 'sign-it');
  const args = ['--modules', modules, '--sign-key', key, '--sign-cert', cert, '--sign-file', tool];
  for (const [body, what] of scripts)
    for (const file of ['tcp_bbr.ko', 'vmlinux_btf.ko']) {
      writeFileSync(tool, `#!/bin/sh\ncase "$4" in */${file}) ${body};; *) ${good};; esac\n`);
      chmodSync(tool, 0o755);
      const run = await splitQuickly(vmlinux, out, ...args);
      if (what === undefined) t.is(run.exitCode, 0, run.stderr);
      else {
        t.is(ERROR_LINE.exec(run.stderr)?.[1], 'tool-failed', `${file}, ${body}: ${run.stderr}`);
        t.regex(run.stderr, what);
        t.is(run.exitCode, 4);
      }
    }
});
