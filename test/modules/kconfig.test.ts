import { execFileSync } from 'node:child_process';
import test from 'ava';
import { FileSource, pieces } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { SymbolTable } from '../../plugin/elf/symbols.js';
import { forcedBy, parseConfig, readIkconfig } from '../../plugin/modules/kconfig.js';
import { fixture } from '../support/fixtures.js';
import { KERNELS } from '../support/kernels.js';

for (const kernel of KERNELS)
  test(`${kernel}: the configuration in vmlinux is what gunzip makes of the bytes between its marks`, t => {
    const source = FileSource.open(fixture(`${kernel}/vmlinux`));
    try {
      const elf = ElfFile.open(source);
      const whole = Buffer.concat([...pieces(source)].map(({ bytes }) => bytes));
      const packed = whole.subarray(whole.indexOf('IKCFG_ST') + 8, whole.indexOf('IKCFG_ED'));
      const text = execFileSync('gzip', ['-dc'], { input: packed, encoding: 'latin1' });
      const config = readIkconfig(elf, SymbolTable.read(elf));
      const lines = text.split('\n').filter(line => line.startsWith('CONFIG_'));
      t.true(lines.length > 300);
      t.is(config?.size, lines.length);
      t.is(config?.get('DEBUG_INFO_BTF'), 'y');
      t.regex(config?.get('CC_VERSION_TEXT') ?? '', /gcc/);
      t.is(config && forcedBy(config), undefined);
    } finally {
      source.close();
    }
  });

test('lines of a .config: values, text, what is not set', t => {
  const config = parseConfig(
    '# CONFIG_A is not set\nCONFIG_B=m\r\nCONFIG_C="a \\"b\\" \\\\c"\nCONFIG_D=0x10\nX_CONFIG_E=y\n',
  );
  t.deepEqual(
    [...config],
    [
      ['B', 'm'],
      ['C', 'a "b" \\c'],
      ['D', '0x10'],
    ],
  );
});

test('what makes a kernel refuse unsigned modules', t => {
  t.is(forcedBy(parseConfig('CONFIG_MODULE_SIG=y\n# CONFIG_MODULE_SIG_FORCE is not set\n')), undefined);
  t.is(forcedBy(parseConfig('CONFIG_MODULE_SIG_FORCE=y\n')), 'CONFIG_MODULE_SIG_FORCE=y');
  t.is(
    forcedBy(parseConfig('CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY=y\n')),
    'CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY=y',
  );
});
