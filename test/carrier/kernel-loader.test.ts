import test from 'ava';
import { type ObjectFile, type ObjectSection, writeObject } from '../../plugin/elf/write-object.js';
import { type LoaderKernel, refusals } from '../support/kernel-loader.js';

const KERNEL: LoaderKernel = {
  class: 64,
  order: 'little',
  machine: 183,
  moduleBytes: 256,
  nameOffset: 24,
  vermagic: '6.12 SMP ',
};

const plain = (name: string, flags = 2, data: Uint8Array | number = new Uint8Array(1)): ObjectSection => ({
  name,
  type: typeof data === 'number' ? 8 : 1,
  flags,
  align: 128,
  data,
});

function thisModule(name: string): Uint8Array {
  const bytes = new Uint8Array(256);
  bytes.set(Buffer.from(name, 'latin1'), 24);
  return bytes;
}

/** A module that the loader takes, by the names of its sections. */
const GOOD: Readonly<Record<string, ObjectSection>> = {
  modinfo: plain('.modinfo', 2, Buffer.from('license=GPL\0name=good\0vermagic=6.12 SMP \0')),
  module: plain('.gnu.linkonce.this_module', 3, thisModule('good')),
  plt: plain('.plt', 6),
  initPlt: plain('.init.plt', 6),
  trampoline: plain('.text.ftrace_trampoline', 6),
  initTrampoline: plain('.init.text.ftrace_trampoline', 6),
  btf: plain('.BTF', 0),
};

function make(
  change: Readonly<Record<string, ObjectSection | undefined>> = {},
  object: Partial<ObjectFile> = {},
): Buffer {
  const sections = Object.values({ ...GOOD, ...change }).filter(section => section !== undefined);
  return Buffer.from(
    writeObject({ class: 64, order: 'little', machine: 183, flags: 0, sections, symbols: [], ...object }),
  );
}

const undefinedSymbol = { name: 'printk', value: 0n, size: 0, type: 0, bind: 1 };

/** One example a check: were a check never to fail, the tests that use the loader would prove nothing. */
const BAD: readonly (readonly [says: RegExp, module: Buffer, kernel?: Partial<LoaderKernel>])[] = [
  [/header len/, make().subarray(0, 60)],
  [/header magic/, Buffer.from(make().fill(0, 0, 4))],
  [/another EI_CLASS/, make(), { class: 32 }],
  [/another EI_DATA/, make(), { order: 'big' }],
  [/header type/, patched(16, 2)],
  [/Invalid architecture/, make(), { machine: 62 }],
  [/section header size/, patched(58, 40)],
  [/header overflow/, patched(60, 0x7000)],
  [/section 0 is not null/, shifted()],
  [/Invalid ELF section in module/, longSection()],
  [/section name index/, patched(62, 0)],
  [/section name table type/, patched(62, 1)],
  [/no symbols/, without(2)],
  [/this_module section must exist/, make({ module: undefined })],
  [/must have a size set/, make({ module: plain('.gnu.linkonce.this_module', 3, 256) })],
  [/must occupy memory/, make({ module: plain('.gnu.linkonce.this_module', 1, thisModule('good')) })],
  [/size must match/, make(), { moduleBytes: 255 }],
  [/read-only/, make({ module: plain('.gnu.linkonce.this_module', 2, thisModule('good')) })],
  [/no name in struct module/, make({ module: plain('.gnu.linkonce.this_module', 3, thisModule('')) })],
  [/no name in struct module/, make({ module: plain('.gnu.linkonce.this_module', 3, thisModule('n'.repeat(60))) })],
  [/struct module is called other/, make({ module: plain('.gnu.linkonce.this_module', 3, thisModule('other')) })],
  [/version magic/, make(), { vermagic: '6.12 ' }],
  [/version magic/, make({ modinfo: undefined })],
  [/license/, make({ modinfo: plain('.modinfo', 2, Buffer.from('name=good\0vermagic=6.12 SMP \0')) })],
  [/no section __versions/, make(), { layoutCrc: 1 }],
  [/no symbol version/, make({ versions: plain('__versions') }), { layoutCrc: 1 }],
  [/section .plt missing/, make({ plt: undefined })],
  [/section .init.text.ftrace_trampoline missing/, make({ initTrampoline: undefined })],
  [/WRITE\|EXEC/, make({ plt: plain('.plt', 7) })],
  [/no .BTF/, make({ btf: undefined })],
  [/Unknown symbol printk/, make({}, { symbols: [undefinedSymbol] })],
];

/** A 16-bit field of the file header. */
function patched(at: number, value: number): Buffer {
  const bytes = make();
  bytes.writeUInt16LE(value, at);
  return bytes;
}

function shoffOf(bytes: Buffer): number {
  return Number(bytes.readBigUInt64LE(40));
}

/** The section headers from the second on. */
function shifted(): Buffer {
  const bytes = make();
  bytes.writeBigUInt64LE(BigInt(shoffOf(bytes) + 64), 40);
  bytes.writeUInt16LE(bytes.readUInt16LE(60) - 1, 60);
  return bytes;
}

function longSection(): Buffer {
  const bytes = make();
  bytes.writeBigUInt64LE(BigInt(bytes.length), shoffOf(bytes) + 64 + 32);
  return bytes;
}

/** Sections of a type made PROGBITS. */
function without(type: number): Buffer {
  const bytes = make();
  const start = shoffOf(bytes);
  for (let at = start; at < bytes.length; at += 64)
    if (bytes.readUInt32LE(at + 4) === type) bytes.writeUInt32LE(1, at + 4);
  return bytes;
}

test('the loader takes a good module', t => {
  t.deepEqual(refusals(make(), KERNEL), []);
});

test('each check of the loader fails on a module that breaks it', t => {
  for (const [says, module, kernel] of BAD) t.regex(refusals(module, { ...KERNEL, ...kernel }).join('\n'), says);
});
