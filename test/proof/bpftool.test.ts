import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { formatRaw } from '../../plugin/btf/format-raw.js';
import { FILES } from '../../plugin/pipeline/files.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { DEBIAN_BTF, debianBtf, haveDebianBtf } from '../support/debian-btf.js';
import { fixture } from '../support/fixtures.js';
import { KERNELS } from '../support/kernels.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'proof');

/** What a person asks for who wants XDP, tc, tracing of TCP and the scheduler; names that 6.1 and 6.12 both have. */
const ROOTS = `# networking
struct:sk_buff
struct:xdp_buff
struct:net_device
func:tcp_sendmsg
func:tcp_v4_connect
func:ip_rcv

# tracing
struct:task_struct
struct:bpf_prog
struct:pt_regs
func:do_exit
typedef:btf_trace_sched_switch
enum:bpf_cmd
`;

/** The dump of a file, or undefined and a failed test. */
async function dump(t: ExecutionContext, file: string, base?: string): Promise<string | undefined> {
  const { text, complaint } = await bpftoolRaw(file, base);
  if (text === undefined) t.fail(`${file}: ${complaint}`);
  return text;
}

function ours(file: string, base?: Btf): { btf: Btf; text: string } {
  const btf = Btf.decode(readFileSync(file), base);
  return { btf, text: [...formatRaw(btf)].join('') };
}

/** Two texts of 10 MB: where they first differ is enough. */
function same(t: ExecutionContext, what: string, one: string, other: string): void {
  t.pass();
  if (one === other) return;
  const [a, b] = [one.split('\n'), other.split('\n')];
  const line = a.findIndex((text, i) => text !== b[i]);
  t.is(a[line], b[line], `${what}, line ${line + 1}`);
  t.fail(what);
}

/** A raw dump as its types, `[id]` and all lines of each. */
const records = (text: string): string[] => text.trimEnd().split(/\n(?=\[)/);

/** The dump of a split's types put back: old ids, in the order of old ids. `newIds`: the permutation. */
function undone(text: string, newIds: Uint32Array): string {
  const oldIds = new Uint32Array(newIds.length);
  for (const [old, now] of newIds.entries()) oldIds[now] = old;
  const types: string[] = [];
  for (const record of records(text)) {
    const id = oldIds[Number.parseInt(record.slice(1), 10)];
    types[id - 1] = record
      .replace(/^\[\d+\]/, `[${id}]`)
      .replace(/type_id=(\d+)/g, (_, now: string) => `type_id=${oldIds[Number(now)]}`);
  }
  return `${types.join('\n')}\n`;
}

/** Holds the files of a split and its original against what bpftool reads in them. */
async function proved(t: ExecutionContext, original: string, out: string): Promise<void> {
  const file = (name: keyof typeof FILES): string => join(out, FILES[name]);
  const base = ours(file('base'));
  const rest = ours(file('rest'), base.btf);
  const words = readFileSync(file('permutation'));
  const newIds = Uint32Array.from({ length: words.length / 4 }, (_, i) => words.readUInt32LE(i * 4));
  const dumps = await Promise.all([
    dump(t, original),
    dump(t, file('base')),
    dump(t, file('rest'), file('base')),
    dump(t, file('full')),
  ]);
  const [before, theirBase, theirRest, theirFull] = dumps;
  if (before === undefined || theirBase === undefined || theirRest === undefined || theirFull === undefined) return;
  same(t, 'the base as bpftool and as we print it', theirBase, base.text);
  same(t, 'the rest as bpftool and as we print it', theirRest, rest.text);
  same(t, 'full is base and rest', theirFull, theirBase + theirRest);
  same(t, 'full, put back, is the original', undone(theirFull, newIds), before);
  t.true(theirBase.length > 0 && theirBase.length < before.length / 2);
}

for (const name of KERNELS) {
  test.serial(`bpftool finds every type of ${name} in base and rest, as it was`, async t => {
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    const out = join(folder, name);
    await runSplit({ file: fixture(`${name}/vmlinux`), out, compressors: [] });
    await proved(t, fixture(`${name}/vmlinux`), out);
    same(t, 'the image has the base', (await dump(t, join(out, FILES.image))) ?? '', ours(join(out, FILES.base)).text);
  });
}

for (const name of DEBIAN_BTF) {
  test.serial(`bpftool finds every type of Debian's ${name} in base and rest, as it was`, async t => {
    if (!haveTool(t, 'bpftool', 'bpftool') || !haveDebianBtf(t, name)) return;
    const out = join(folder, name);
    const rootsFile = join(folder, `${name}.roots`);
    writeFileSync(rootsFile, ROOTS);
    await runSplit({ file: debianBtf(name), out, rootsFile, compressors: [] });
    await proved(t, debianBtf(name), out);
  });
}
