import { COLOURED_BY, fillRules, SHAPE_STYLE } from '../pictures.js';
import { escapeXml } from '../xml.js';

/** Of the page: one column that is as wide as the window; tables scroll within themselves. */
const PAGE = `:root{color-scheme:light dark;--back:#fff;--text:#1b1f24;--soft:#57606a;--line:#d0d7de;--panel:#f6f8fa;--link:#0a58ca}
@media (prefers-color-scheme:dark){:root{--back:#14181d;--text:#e6edf3;--soft:#a9b4c0;--line:#3a434d;--panel:#1d232a;--link:#8ab4f8}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif}
main{max-width:1240px;margin:0 auto;padding:16px}
h1{font-size:1.6rem;line-height:1.25;margin:.2em 0;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2em 0 .5em}
p{margin:.4em 0;overflow-wrap:anywhere}
.soft{color:var(--soft)}
.lead{font-size:1.1rem}
.bars{display:grid;gap:10px;margin:0;padding:0;list-style:none}
.bar{background:var(--panel);border:1px solid var(--line);border-radius:4px;height:14px;margin:2px 0;overflow:hidden}
.bar span{display:block;height:100%;background:#8ecae6}
.bar.after span{background:#f79d65}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:6px}
.scroll.long{max-height:480px;overflow-y:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:4px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}
thead th{background:var(--panel);position:sticky;top:0}
tbody th{font-weight:400}
tr.changed th,tr.changed td{font-weight:600}
th button{all:unset;cursor:pointer;font-weight:600}
th button:focus-visible{outline:2px solid var(--link)}
th[aria-sort=ascending] button::after{content:" \\2191"}
th[aria-sort=descending] button::after{content:" \\2193"}
fieldset{border:0;padding:0;margin:.3em 0;display:flex;flex-wrap:wrap;gap:4px 16px}
legend{float:left;margin-right:12px}
svg{display:block;width:100%;height:auto}
.map{border-radius:4px}
.keys{display:flex;flex-wrap:wrap;gap:2px 14px;margin:.5em 0;padding:0;list-style:none}
.keys li::before{content:"";display:inline-block;width:.8em;height:.8em;margin-right:.4em;border-radius:2px;background:var(--key)}
.curve text{font:13px system-ui,sans-serif;fill:var(--text)}
.curve .line{fill:none;stroke:#d9622b;stroke-width:2.5}
.curve circle{fill:#d9622b}
.curve .axis{stroke:var(--soft);stroke-width:1}
details{margin:.5em 0}
summary{cursor:pointer}
code{font-size:.9em;overflow-wrap:anywhere}
ul.plain{padding-left:1.2em}
@media (max-width:640px){.map text{display:none}}`;

const CHOSEN = COLOURED_BY.map(
  by => `#by-${by}:not(:checked)~.keys.by-${by}{display:none}\n${fillRules(by, `#by-${by}:checked~.map`)}`,
).join('\n');

const STYLE = `${PAGE}\n${SHAPE_STYLE}\n${CHOSEN}`;

/** Sorts a table by the column whose head was clicked; without scripts the tables stand in the order of their bytes. */
const SCRIPT = `for (const table of document.querySelectorAll('table.sorts')) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const value = (row, i) => {
    const text = row.cells[i].textContent.trim();
    const number = Number(text.replace(/[, %+]/g, '').replace('\\u2212', '-'));
    return text === '' || text === '-' ? -Infinity : Number.isNaN(number) ? text : number;
  };
  heads.forEach((head, i) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const up = head.getAttribute('aria-sort') === 'descending';
      for (const other of heads) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      const rows = [...body.rows].map(row => [value(row, i), row]);
      rows.sort(([a], [b]) => (a === b ? 0 : typeof a === typeof b ? (a < b ? -1 : 1) : typeof a === 'number' ? -1 : 1));
      if (!up) rows.reverse();
      body.append(...rows.map(([, row]) => row));
    });
  });
}`;

/** A page of its own: no network, readable without scripts. `title`: plain text; `parts`: HTML, empty ones are left out. */
export function page(title: string, parts: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>${escapeXml(title)}</title>
<link rel="icon" href="data:,">
<style>
${STYLE}
</style>
</head>
<body>
<main>
${parts.filter(part => part !== '').join('\n')}
</main>
<script>
${SCRIPT}
</script>
</body>
</html>
`;
}
