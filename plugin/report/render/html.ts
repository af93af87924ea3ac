import { type Comparison, compareWithBaseline } from '../baseline.js';
import type { Report } from '../model.js';
import { CHANGE_HEAD, changeCells } from './comment.js';
import {
  duplicatesTable,
  headline,
  headSentence,
  imageTable,
  kindTable,
  largestTable,
  modulesTable,
  notes,
  reasonTable,
  retainedTables,
  sizeTable,
} from './content.js';
import { page } from './html/page.js';
import { bars, curve, htmlTable, section } from './html/parts.js';
import { COLOURED_BY, fills } from './pictures.js';
import { MAP_HEIGHT, MAP_WIDTH, treemapShapes } from './treemap.js';
import { escapeXml } from './xml.js';

/** Roots in the table of what each retains. */
const MOST_ROOTS = 200;

/** One page without network, readable without scripts. Throws `report-foreign` for a baseline of another architecture. */
export function renderHtml(report: Report, baseline?: Report): string {
  const { input, analysis } = report;
  const what = [input.architecture, input.vermagic, `closure ${report.closure}`].filter(part => part !== undefined);
  const title = `BTF of ${input.file}`;
  const parts = [
    `<h1>${escapeXml(title)}</h1>`,
    `<p class="soft">${escapeXml(what.join(', '))}</p>`,
    `<p class="lead">${escapeXml(headSentence(report))}</p>`,
    ...report.warnings.map(warning => `<p><strong>Warning:</strong> ${escapeXml(warning)}</p>`),
    baseline === undefined ? '' : comparison(compareWithBaseline(report, baseline)),
    bars(report),
    treemap(report),
    section(sizeTable(report)),
    section(imageTable(report)),
    section(modulesTable(report)),
    section(duplicatesTable(report)),
    section(reasonTable(report)),
    ...retainedTables(report, MOST_ROOTS).map(section),
    curve(analysis?.curve ?? []),
    section(kindTable(report)),
    section(largestTable(report)),
    remarks(report),
  ];
  return page(title, parts);
}

function comparison({ changed, unchanged, remarks }: Comparison): string {
  const table = {
    title: 'Against the baseline',
    head: CHANGE_HEAD,
    rows: [...changed, ...unchanged].map(changeCells),
  };
  const noted = remarks.map(remark => `<p>${escapeXml(remark)}</p>`).join('\n');
  const marked = new Set(changed.map((_, i) => i));
  return `<section><h2>${table.title}</h2>\n${noted}\n${htmlTable(table, marked)}</section>`;
}

/** Radio buttons choose the colours: style sheets alone, so that it works without scripts. */
function treemap(report: Report): string {
  const leaves = report.analysis?.treemap;
  if (leaves === undefined) return '';
  const used = new Set(leaves.flatMap(({ reason, kind }) => [`q-${reason}`, `k-${kind.toLowerCase()}`]));
  const inputs = COLOURED_BY.map(
    (by, i) =>
      `<input type="radio" name="by" id="by-${by}"${i === 0 ? ' checked' : ''}><label for="by-${by}">${CHOICES[by]}</label>`,
  );
  const keys = COLOURED_BY.map(by => {
    const items = [...fills(by)]
      .filter(([name]) => by === 'side' || used.has(name))
      .map(([name, fill]) => `<li style="--key:${fill}">${escapeXml(name.replace(/^[qk]-/, ''))}</li>`);
    return `<ul class="keys by-${by}" aria-label="Colours by ${by}">${items.join('')}</ul>`;
  });
  return `<section><h2>Where the bytes are</h2>
<p>Every byte of the full BTF, by side, reason and kind; the largest types one by one. Names and bytes show under the pointer.</p>
${inputs.join('\n')}
<svg viewBox="0 0 ${MAP_WIDTH} ${MAP_HEIGHT}" class="map" role="img" aria-label="Treemap of ${escapeXml(headline(report))}">
${treemapShapes(report, leaves)}
</svg>
${keys.join('\n')}
</section>`;
}

const CHOICES = { side: 'base and rest', reason: 'why it stays', kind: 'kind of type' } as const;

function remarks(report: Report): string {
  const compressors = Object.values(report.compressors).map(command => `<code>${escapeXml(command)}</code>`);
  return `<section><h2>Notes</h2>
${notes(report)
  .map(line => `<p>${escapeXml(line)}</p>`)
  .join('\n')}
<details><summary>What was proved</summary><ul class="plain">
${report.proved.map(line => `<li>${escapeXml(line)}</li>`).join('\n')}
</ul></details>
<p class="soft">SHA-256 of the input: <code>${escapeXml(report.input.sha256)}</code>. Compressors: ${compressors.join(', ') || 'none'}. Made by ${escapeXml(`${report.tool.name} ${report.tool.version}`)}.</p>
</section>`;
}
