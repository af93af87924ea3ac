import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { FileSource, MemorySource } from '../../plugin/bytes/source.js';
import { resizeSections } from '../../plugin/elf/resize-sections.js';
import { ModuleRebaser } from '../../plugin/modules/module-rebaser.js';
import { MODULE_MODES } from '../../plugin/modules/needs.js';
import { readModule } from '../../plugin/modules/read.js';
import { asKernel, withInput } from '../../plugin/pipeline/input.js';
import { kernelRoots } from '../../plugin/pipeline/roots.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import { verifyOut } from '../../plugin/pipeline/verify.js';
import { WHOLE } from '../../plugin/split/levels.js';
import { splitBtf } from '../../plugin/split/split.js';
import { readelf, readelfSections, sectionBytes } from '../elf/readelf.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { fixture } from '../support/fixtures.js';
import { KERNELS, WITHOUT_MODULE_BTF } from '../support/kernels.js';
import { INSTALLED, moduleFolder } from '../support/module-folder.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'modules');

interface Dump {
  /** Each type as bpftool prints it, id → text. */
  readonly types: ReadonlyMap<number, string>;
}

/** bpftool prints own types only: those of the base are asked for apart. */
async function dump(file: string, base?: string): Promise<Dump> {
  const known = base === undefined ? undefined : await dumpBase(base);
  const { text, complaint } = await bpftoolRaw(file, base);
  if (text === undefined) throw new Error(complaint);
  const types = new Map<number, string>(known?.types);
  for (const part of text.split(/\n(?=\[)/)) types.set(Number(/^\[(\d+)\]/.exec(part)?.[1]), part.trimEnd());
  return { types };
}

const bases = new Map<string, Promise<Dump>>();

function dumpBase(file: string): Promise<Dump> {
  const known = bases.get(file) ?? dump(file);
  bases.set(file, known);
  return known;
}

/** The text of a type without its ids, and the ids. */
function parts(text: string): { bare: string; refs: number[] } {
  const refs: number[] = [];
  const bare = text.replace(/^\[\d+\]/, '').replace(/(type_id=)(\d+)/g, (_, label, id) => {
    refs.push(Number(id));
    return label;
  });
  return { bare, refs };
}

/** Differences of two types and of all that they lead to, in the words of bpftool. Ids may differ, one for one. */
function differences(before: Dump, after: Dump, pairs: readonly (readonly [number, number])[]): string[] {
  const newId = new Map<number, number>([[0, 0]]);
  const queue = [...pairs];
  const found: string[] = [];
  for (let pair = queue.pop(); pair !== undefined; pair = queue.pop()) {
    const [old, now] = pair;
    const known = newId.get(old);
    if (known !== undefined) {
      if (known !== now) found.push(`type ${old} is both ${known} and ${now}`);
      continue;
    }
    newId.set(old, now);
    const was = parts(before.types.get(old) ?? '');
    const is = parts(after.types.get(now) ?? '');
    if (was.bare === '' || was.bare !== is.bare) found.push(`${before.types.get(old)} became ${after.types.get(now)}`);
    else for (const [i, ref] of was.refs.entries()) queue.push([ref, is.refs[i]]);
  }
  return found;
}

/** Own types that are functions, which every module has and whose names are its own, by name. */
function functions({ types }: Dump, firstId: number): Map<string, number> {
  const found = new Map<string, number>();
  for (const [id, text] of types) {
    const name = /^\[\d+\] FUNC '(.*?)'/.exec(text)?.[1];
    if (id >= firstId && name !== undefined) found.set(name, id);
  }
  return found;
}

/** How many types a BTF alone has. */
async function lastId(file: string): Promise<number> {
  return (await dumpBase(file)).types.size;
}

/** Lines of readelf that tell of sections, without offsets and without the sizes of those that may change. */
function sectionLines(file: string): string[] {
  return readelfSections(file).map(line => {
    const [index, name, type, addr, , size, ...rest] = line.split(' ');
    return [index, name, type, addr, /^\.BTF(\.base)?$/.test(name) ? '' : size, ...rest].join(' ');
  });
}

/** `.BTF_ids` of a module; empty for one that names no type. */
function idsOf(file: string): Buffer {
  const has = readelfSections(file).some(line => line.split(' ')[1] === '.BTF_ids');
  return has ? sectionBytes(file, '.BTF_ids') : Buffer.alloc(0);
}

for (const kernel of KERNELS.filter(name => name !== WITHOUT_MODULE_BTF))
  for (const mode of MODULE_MODES)
    test.serial(`${kernel}: modules re-based (${mode}) are what they were, as bpftool and readelf see`, async t => {
      if (!haveTool(t, 'bpftool', 'bpftool')) return;
      const vmlinux = fixture(`${kernel}/vmlinux`);
      const from = moduleFolder(join(folder, kernel, mode, 'from'), kernel);
      const out = join(folder, kernel, mode, 'out');
      await runSplit({ file: vmlinux, out, compressors: [], modules: from, moduleMode: mode });
      const [firstBefore, firstAfter] = [(await lastId(vmlinux)) + 1, (await lastId(join(out, 'base.btf'))) + 1];
      for (const [name, place] of Object.entries(INSTALLED)) {
        const [was, is] = [join(from, place), join(out, 'modules', place)];
        t.deepEqual(sectionLines(is), sectionLines(was), name);
        for (const line of readelfSections(was)) {
          const section = line.split(' ')[1];
          if (/^\.BTF(\.base|_ids)?$/.test(section) || section === '' || line.includes('NOBITS')) continue;
          t.is(Buffer.compare(sectionBytes(is, section), sectionBytes(was, section)), 0, `${name} ${section}`);
        }
        t.is(readelf('-s', is), readelf('-s', was));
        t.is(readelf('-r', is).replace(/offset 0x\w+/g, ''), readelf('-r', was).replace(/offset 0x\w+/g, ''));

        const before = await dump(was, vmlinux);
        const all = functions(before, firstBefore);
        t.true(all.size > 5);
        const kfuncs = [...all.keys()].filter(text => readelf('-s', was).includes(`__BTF_ID__func__${text}__`));
        t.is(kfuncs.length > 0, name === 'tcp_bbr.ko');
        const kept = mode === 'keep' ? [...all.keys()] : mode === 'prune' ? kfuncs : [];
        if (kept.length === 0) {
          t.is(sectionBytes(is, '.BTF').length, 0);
        } else {
          const after = await dump(is, join(out, 'base.btf'));
          const now = functions(after, firstAfter);
          t.deepEqual([...now.keys()], kept);
          const pairs = kept.map(text => [all.get(text) ?? -1, now.get(text) ?? -1] as const);
          t.deepEqual(differences(before, after, pairs), []);
        }
        checkIds(
          name,
          was,
          is,
          all,
          mode === 'strip'
            ? undefined
            : functions(await dump(is, join(out, 'base.btf')).catch(() => ({ types: new Map() })), firstAfter),
        );
      }

      /** Words of `.BTF_ids` under symbols: the function of that name, and nothing else changed. */
      function checkIds(
        name: string,
        was: string,
        is: string,
        all: ReadonlyMap<string, number>,
        now: ReadonlyMap<string, number> | undefined,
      ): void {
        const [old, fresh] = [was, is].map(idsOf) as [Buffer, Buffer];
        const word = (bytes: Buffer, at: number): number =>
          kernel.endsWith('-be') ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
        const nameOf = new Map([...all].map(([text, id]) => [id, text]));
        t.is(fresh.length, old.length);
        let ids = 0;
        for (let at = 0; at < old.length; at += 4) {
          const text = nameOf.get(word(old, at));
          if (text === undefined) t.is(word(fresh, at), word(old, at));
          else {
            ids++;
            t.is(word(fresh, at), now === undefined ? 0 : (now.get(text) ?? -1));
          }
        }
        t.is(ids > 0, name === 'tcp_bbr.ko');
      }
    });

test('closure forward: the kernel’s own structs that kfuncs of modules take and return stand in the base, and only there', async t => {
  if (!haveTool(t, 'bpftool', 'bpftool')) return;
  const vmlinux = fixture('arm64-virt/vmlinux');
  const from = join(folder, 'forward', 'from');
  const out = join(folder, 'forward', 'out');
  mkdirSync(from, { recursive: true });
  const files = ['nf_conntrack', 'nf_defrag_ipv4', 'nf_defrag_ipv6', 'nf_nat', 'tcp_bbr', 'dummy'].map(
    name => `${name}.ko`,
  );
  for (const name of files) copyFileSync(fixture(`arm64-virt/${name}`), join(from, name));
  await runSplit({ file: vmlinux, out, compressors: [], modules: from, reach: 'forward' });
  await verifyOut(out);
  const isStruct = (text = ''): boolean => /^\[\d+\] (STRUCT|UNION) /.test(text);
  const known = new Set([...(await dumpBase(vmlinux)).types.values()].filter(isStruct).map(nameOf));
  const firstId = (await lastId(join(out, 'base.btf'))) + 1;
  const met = new Set<string>();
  for (const name of ['nf_conntrack.ko', 'nf_nat.ko']) {
    const { types } = await dump(join(out, 'modules', name), join(out, 'base.btf'));
    const skip = (id: number): number => {
      const text = types.get(id) ?? '';
      return /^\[\d+\] (CONST|TYPEDEF|VOLATILE|TYPE_TAG) /.test(text) ? skip(parts(text).refs[0]) : id;
    };
    const symbols = readelf('-s', join(from, name));
    for (const [func, id] of functions({ types }, firstId)) {
      if (!symbols.includes(`__BTF_ID__func__${func}__`)) continue;
      for (const ref of parts(types.get(parts(types.get(id) ?? '').refs[0]) ?? '').refs) {
        const pointer = types.get(skip(ref)) ?? '';
        if (!/^\[\d+\] PTR /.test(pointer)) continue;
        const target = skip(parts(pointer).refs[0]);
        const text = types.get(target) ?? '';
        if (!known.has(nameOf(text)) && isStruct(text)) continue;
        t.true(isStruct(text) && target < firstId, `${func}: ${text}`);
        met.add(nameOf(text));
      }
    }
  }
  t.deepEqual([...met].sort(), ['__sk_buff', 'bpf_sock_tuple', 'nf_conn', 'nf_conn___init', 'nf_inet_addr', 'xdp_md']);
});

for (const reach of ['complete', 'forward'] as const)
  test(`a base that does not know of a module, as after a first link: what its ids name stands in the module: ${reach}`, async t => {
    const vmlinux = fixture('arm64-virt/vmlinux');
    await withInput(vmlinux, undefined, input => {
      const names = new NameIndex(input.btf);
      const split = splitBtf(input.btf, names, kernelRoots(asKernel(input, names)).roots, undefined, reach);
      const base = Btf.decode(split.base);
      const target = { original: input.btf, base, inBase: split.inBase(), reach };
      const source = FileSource.open(fixture('arm64-virt/nf_conntrack.ko'));
      try {
        const module = readModule(source, { original: input.btf, machine: undefined, vermagic: undefined });
        const named = module.ids?.slots.map(({ id }) => id).filter(id => id < input.btf.endId) ?? [];
        t.true(named.some(id => target.inBase.levels[id] !== WHOLE));
        const rebaser = new ModuleRebaser(target, names, 'keep');
        const plan = rebaser.plan(module);
        const written = Buffer.concat([...resizeSections(module.elf, plan.changes)]);
        const after = rebaser.prove(module, plan, new MemorySource(written, 'nf_conntrack.ko'));
        for (const id of named) t.is(after?.name(plan.rebased?.newId(id) ?? 0), input.btf.name(id));
      } finally {
        source.close();
      }
    });
  });

/** The name that bpftool prints. */
function nameOf(text: string): string {
  return /'(.*?)'/.exec(text)?.[1] ?? '';
}
