import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { renderSizeData, splice } from '../../scripts/size-data.js';
import { repository } from '../support/fixtures.js';
import { LINKED_KERNELS, linkedKernel } from './support/linked-kernels.js';
import type { LinkedResult, LinkSizes } from './support/linked-result.js';

test('every kernel that is linked has a configuration, and names are told once', t => {
  const names = LINKED_KERNELS.map(({ name }) => name);
  t.deepEqual([...new Set(names)], names);
  // Two of them share the fragment of another (scripts/kernels/build.sh).
  const fragment = (name: string): string => `${name.replace(/-(llvm|6\.1)-/, '-')}.config`;
  for (const name of names) t.true(existsSync(join(repository, 'scripts', 'kernels', fragment(name))), name);
  t.throws(() => linkedKernel('armv7'), { message: /no kernel 'armv7': armv7-virt-boot, / });
});

const unsplit: LinkSizes = {
  image: 1200,
  imageZeroed: 1000,
  btf: 4000,
  modules: 30,
  module: { 'dummy.ko': 30 },
  memory: { total: 2000, available: 1000 },
};
const result: LinkedResult = {
  name: 'armv7-virt-boot',
  release: '6.12.0',
  unsplit,
  split: [
    {
      ...unsplit,
      closure: 'complete',
      types: { full: 100, base: 12 },
      image: 1050,
      btf: 500,
      modules: 90,
      memory: { total: 2003, available: 1004 },
      rest: 3600,
      carrier: 4600,
      carrierXz: 1500,
      withCarrier: { total: 2003, available: 990 },
      pages: { peak: 9000, stay: 2100, missed: 0 },
      walked: 3001,
      seconds: { links: [1.244, 0.6, 0.7], rebased: [0.4, 0.2, 0.3], around: 0.9 },
      findings: ['one'],
    },
  ],
  initcalls: 277,
  messages: 2,
  programs: { core: 10, probe: 2 },
  findings: [],
};

test('the tables say what was measured', t => {
  const text = renderSizeData([{ kernel: linkedKernel('armv7-virt-boot'), result }]);
  for (const row of [
    '| ARMv7, 6.12.0 | complete | 87.5 % | 5.00 % | **1.60 s** | **0.30 s** |',
    '| ARMv7, 6.12.0 | unsplit | 100 | 4,000 |  |  |  | 30 |',
    '|  | complete | 12 | 500 | 12.5 % | 3,600 | 4,600, 1,500 | 90 |',
    '| ARMv7, 6.12.0 | unsplit | zImage | 1,200 |  | 20.00 % |',
    '|  | complete |  | 1,050 | 12.5 % | 5.00 % |',
    '|  | complete | 2,003 | +3 | 1,004 | +4 | 990 | −10 |',
    '| ARMv7, 6.12.0 | complete | 3 | 1.24, 0.60, 0.70 | 1 | 0.30 | 0.90 |',
    '| ARMv7, 6.12.0 | nf_defrag_ipv4, nf_defrag_ipv6, nf_conntrack, nf_nat, tcp_cubic, tcp_dctcp, tcp_bbr, dummy | 277 | 2 | 3,001 | 10 | 2 | 1 |',
    '| ARMv7, 6.12.0 | complete | 5 | 4 | 9,000 | 2,100 |',
  ])
    t.true(text.includes(row), row);
});

test('what stands around the tables stays', t => {
  const document = readFileSync(join(repository, 'docs', 'size-data.md'), 'utf8');
  const once = splice(document, 'TABLES');
  t.true(once.startsWith('# How big') && once.includes('\nTABLES\n') && once.includes('## What the boots prove'));
  t.is(splice(splice(document, 'OTHERS'), 'TABLES'), once);
  t.throws(() => splice('nothing', 'TABLES'));
});
