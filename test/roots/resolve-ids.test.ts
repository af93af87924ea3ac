import test from 'ava';
import { NameIndex } from '../../plugin/btf/names.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { SymbolTable } from '../../plugin/elf/symbols.js';
import { kernelRoots } from '../../plugin/pipeline/roots.js';
import { resolveIds } from '../../plugin/roots/resolve-ids.js';
import { fixture } from '../support/fixtures.js';
import { IndependentElf } from '../support/independent-elf.js';
import { withKernel } from '../support/kernel-roots.js';
import { KERNELS } from '../support/kernels.js';
import { haveTool } from '../support/tools.js';
import { unresolvedKernel } from '../support/unresolve.js';

for (const name of KERNELS)
  test(`ids, counts and the order of sets come out as the kernel's resolve_btfids left them: ${name}`, async t => {
    if (!haveTool(t, 'readelf', 'binutils') || !haveTool(t, 'bpftool', 'bpftool')) return;
    const elf = ElfFile.open(new MemorySource(await unresolvedKernel(name), 'vmlinux'));
    const symbols = SymbolTable.read(elf);
    await withKernel(name, (kernel, found) => {
      const section = kernel.elf.section('.BTF_ids');
      const was = Buffer.from(kernel.elf.data(section));
      const zeros = Buffer.from(elf.data(elf.section('.BTF_ids')));
      t.false(was.equals(zeros), 'there is something to resolve');
      // The unresolved section is refused where a finished one is expected.
      t.throws(() => kernelRoots({ ...kernel, elf, symbols }), { message: /counts 0/ });

      const resolved = resolveIds(elf, symbols, new NameIndex(kernel.btf));
      t.true(was.equals(resolved ?? Buffer.alloc(0)));
      t.deepEqual(kernelRoots({ ...kernel, elf, symbols, resolvedIds: resolved }).roots, found.roots);
    });
    t.true(IndependentElf.of(fixture(`${name}/vmlinux`)).symbols.some(({ name }) => name.startsWith('__BTF_ID__set8')));
  });

test('a set that is larger than the section, or a section of another size, is one error', async t => {
  await withKernel('armv7-virt', ({ elf, symbols, names, ...kernel }, { ids }) => {
    t.throws(() => kernelRoots({ ...kernel, elf, symbols, names, resolvedIds: new Uint8Array(ids.section.size - 4) }), {
      code: 'btf-ids',
      message: /were resolved for a section of/,
    });
    const swollen = {
      ...symbols,
      sized: true,
      *inSection() {
        for (const symbol of symbols.inSection(ids.section))
          yield symbol.name.startsWith('__BTF_ID__set8__') ? { ...symbol, size: 1 << 30 } : symbol;
      },
    };
    t.throws(() => resolveIds(elf, swollen as never, names), { code: 'btf-ids', message: /has a size of/ });
  });
});
