import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { readelfSections } from '../elf/readelf.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { cli, sha256Of, splitQuickly } from '../support/cli.js';
import { ElfPatch } from '../support/elf-patch.js';
import { fixture } from '../support/fixtures.js';
import { moduleFolder } from '../support/module-folder.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const KERNEL = 'armv7-virt-7.2';
const MODULES = ['kernel/net/ipv4/tcp_bbr.ko', 'kernel/drivers/net/dummy.ko'];
const folder = scratchFolder(test, 'layout');
/** The section that the libbpf of Linux 7.2 wrote, behind the types of its BTF: `struct btf_layout` of each kind. */
const layoutBtf = readFileSync(fixture(`${KERNEL}/layout.btf`));
const layout = layoutBtf.subarray(
  32 + layoutBtf.readUInt32LE(24),
  32 + layoutBtf.readUInt32LE(24) + layoutBtf.readUInt32LE(28),
);

/** What pahole writes on a libbpf that describes kinds: a header of 32 bytes; types, layout, strings. */
function described(btf: Buffer): Buffer {
  const [typesLength, stringsLength] = [btf.readUInt32LE(12), btf.readUInt32LE(20)];
  const header = Buffer.alloc(32);
  btf.copy(header, 0, 0, 24);
  header.writeUInt32LE(32, 4);
  header.writeUInt32LE(typesLength + layout.length, 16);
  header.writeUInt32LE(typesLength, 24);
  header.writeUInt32LE(layout.length, 28);
  const types = btf.subarray(24, 24 + typesLength);
  return Buffer.concat([header, types, layout, btf.subarray(24 + typesLength, 24 + typesLength + stringsLength)]);
}

/**
 * The 7.2 fixture with such a `.BTF`: the linker left room behind the section, for the next one starts a page. No kernel of ours
 * was built so, because Debian's pahole 1.32 stands on a libbpf that cannot.
 */
function describedVmlinux(path: string): { readonly original: Buffer; readonly path: string } {
  const elf = new ElfPatch(readFileSync(fixture(`${KERNEL}/vmlinux`)));
  const section = elf.section('.BTF');
  const original = Buffer.from(elf.elf.data(section));
  const btf = described(original);
  const more = btf.length - original.length;
  const room = elf.section('.BTF_ids').offset - section.offset;
  if (btf.length > room) throw new Error(`${btf.length} bytes do not fit into ${room}`);
  btf.copy(elf.bytes, section.offset);
  elf.header('.BTF', 'size', section.size + more);
  const stop = elf.symbol('__stop_BTF');
  elf.symbolField(stop, 'value', Number(stop.value) + more);
  writeFileSync(path, elf.bytes);
  return { original, path };
}

async function dumped(t: ExecutionContext, file: string, base?: string): Promise<string> {
  const { text, complaint } = await bpftoolRaw(file, base);
  if (text === undefined) t.fail(`${file}: ${complaint}`);
  return text ?? '';
}

/** The bytes of a section, where readelf says it is. */
function sectionOf(path: string, name: string): Buffer {
  const [, , , , offset, size] = readelfSections(path)
    .map(line => line.split(' '))
    .find(fields => fields[1] === name) as string[];
  return readFileSync(path).subarray(Number(offset), Number(offset) + Number(size));
}

test('a vmlinux whose BTF describes its kinds is split as the one without, and each part describes them', async t => {
  if (!haveTool(t, 'bpftool', 'bpftool') || !haveTool(t, 'readelf', 'binutils')) return;
  t.timeout(240_000);
  const modules = moduleFolder(join(folder, 'modules'), KERNEL);
  const { path, original } = describedVmlinux(join(folder, 'vmlinux'));
  const [out, plain] = [join(folder, 'out'), join(folder, 'plain')];
  const split = await splitQuickly(path, out, '--modules', modules);
  t.is(split.exitCode, 0, split.stderr);
  const reference = await splitQuickly(fixture(`${KERNEL}/vmlinux`), plain, '--modules', modules);
  t.is(reference.exitCode, 0, reference.stderr);
  const verified = await cli(['verify', out]);
  t.is(verified.exitCode, 0, verified.stderr);

  for (const name of ['base.btf', 'rest.btf', 'full.btf']) {
    const btf = readFileSync(join(out, name));
    t.is(btf.readUInt32LE(4), 32, name);
    const at = 32 + btf.readUInt32LE(24);
    t.deepEqual(btf.subarray(at, at + btf.readUInt32LE(28)), layout, name);
    t.is(btf.readUInt32LE(24), btf.readUInt32LE(12), `${name}: behind the types`);
    t.is(btf.readUInt32LE(16), btf.readUInt32LE(12) + layout.length, `${name}: before the strings`);
  }
  t.deepEqual(sectionOf(join(out, 'vmlinux'), '.BTF'), readFileSync(join(out, 'base.btf')));
  t.is(sectionOf(join(out, 'vmlinux'), '.BTF').length, original.length + 8 + layout.length);
  t.deepEqual(sectionOf(join(out, 'vmlinux'), '.BTF_ids'), sectionOf(join(plain, 'vmlinux'), '.BTF_ids'));
  t.is(sha256Of(join(out, 'permutation.u32')), sha256Of(join(plain, 'permutation.u32')));

  const [base, plainBase] = [join(out, 'base.btf'), join(plain, 'base.btf')];
  t.true((await dumped(t, base)) === (await dumped(t, plainBase)), 'bpftool reads the same base');
  t.true(
    (await dumped(t, join(out, 'rest.btf'), base)) === (await dumped(t, join(plain, 'rest.btf'), plainBase)),
    'and the same rest',
  );
  t.deepEqual(sectionOf(join(out, 'vmlinux_btf.ko'), '.BTF'), readFileSync(join(out, 'rest.btf')));
  for (const name of MODULES)
    t.true(
      (await dumped(t, join(out, 'modules', name), base)) ===
        (await dumped(t, join(plain, 'modules', name), plainBase)),
      name,
    );
});

test('such a vmlinux is taken by the rules of its kernel, and refused by those of one that does not know it', async t => {
  const { path } = describedVmlinux(join(folder, 'linted'));
  t.deepEqual(await cli(['lint', path]), {
    exitCode: 0,
    stdout: `${path}: 0 errors, 0 warnings by the rules of Linux 7.2\n`,
    stderr: '',
  });
  const old = await cli(['lint', path, '--kernel', '6.12']);
  t.is(old.exitCode, 1);
  t.regex(old.stdout, /\[header-length; kernel\/bpf\/btf\.c:btf_parse_hdr\]/);
});
