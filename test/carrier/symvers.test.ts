import test from 'ava';
import { MemorySource } from '../../plugin/bytes/source.js';
import { readLayoutCrc } from '../../plugin/carrier/symvers.js';
import { CodedError } from '../../plugin/errors.js';

const read = (text: string): number | undefined =>
  readLayoutCrc(new MemorySource(Buffer.from(text, 'latin1'), 'Module.symvers'));

const OTHER = '0x00000001\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n';

test('the CRC of module_layout is that of vmlinux, in every form that modpost has written', t => {
  t.is(read(`${OTHER}0xf7370f56\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n${OTHER}`), 0xf7370f56);
  t.is(read('0x00000000\tmodule_layout\tvmlinux\tEXPORT_SYMBOL_GPL\tNAMESPACE'), 0, 'without a newline at the end');
  t.is(read('0x00000007\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\n'), 7, 'without namespaces, before 5.4');
  t.is(read(`${OTHER}0x00000007\tmodule_layout\tdrivers/x\tEXPORT_SYMBOL\t\n`), undefined);
  t.is(read(''), undefined);
});

for (const [what, line] of [
  ['an empty line', '\n'],
  ['a CRC without 0x', 'f7370f56\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n'],
  ['a CRC of nine digits', '0x1f7370f56\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n'],
  ['blanks for tabs', '0xf7370f56 module_layout vmlinux EXPORT_SYMBOL\n'],
  ['no kind', '0xf7370f56\tmodule_layout\tvmlinux\n'],
  ['a System.map', 'c0008000 T _text\n'],
  ['a line of a megabyte', 'x'.repeat(1 << 20)],
] as const)
  test(`refused: ${what}`, t => {
    const error = t.throws(() => read(OTHER + line), { instanceOf: CodedError });
    t.is(error?.code, 'module-symvers');
    t.regex(error?.detail ?? '', /^line 2: .{0,80}$/);
    t.deepEqual(error?.place, { file: 'Module.symvers', offset: OTHER.length });
  });
