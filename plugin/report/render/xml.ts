import { printable } from '../../printable.js';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text of a file or of a report within HTML, SVG or XML, attributes included: no markup, and no control characters. */
export function escapeXml(text: string): string {
  return printable(text).replace(/[&<>"']/g, character => ENTITIES[character]);
}
