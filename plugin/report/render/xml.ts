import { printable } from '../../printable.js';

/** Text for HTML, SVG and XML, attributes included: no markup, no characters that XML has not. */
export function escapeXml(text: string): string {
  return printable(text)
    .replace(/[\ufffe\uffff]/g, '\ufffd')
    .replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
}
