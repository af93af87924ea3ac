/** Takes the raw BTF out of a boot image, or of whatever else `inspect` reads: node build/scripts/extract-btf.js VMLINUZ OUTPUT */
import { renameSync, writeFileSync } from 'node:fs';
import { CodedError, formatError } from '../plugin/errors.js';
import { withInput } from '../plugin/pipeline/input.js';

async function main([input, output]: readonly string[]): Promise<void> {
  if (input === undefined || output === undefined) throw new Error('usage: extract-btf VMLINUZ OUTPUT');
  await withInput(input, undefined, ({ btf, raw, elf, section }) => {
    const bytes = raw ?? (elf && section && elf.data(section));
    if (bytes === undefined) throw new Error(`no BTF in ${input}`);
    writeFileSync(`${output}.partial`, bytes);
    renameSync(`${output}.partial`, output);
    process.stdout.write(`${output}: ${bytes.length} bytes, ${btf.count} types\n`);
  });
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const told = error instanceof CodedError ? formatError(error) : error instanceof Error ? error.message : error;
  process.stderr.write(`extract-btf: ${told}\n`);
  process.exitCode = 4;
}
