/** What a drawing of charts shows, read back from its text. */
export interface DrawnChart {
  readonly title: string;
  readonly desc: string;
  /** Labels of the vertical axis as numbers, and where they stand. */
  readonly ticks: readonly { readonly value: number; readonly y: number }[];
  readonly labels: readonly { readonly text: string; readonly x: number; readonly y: number }[];
  readonly dots: readonly { readonly x: number; readonly y: number; readonly title: string }[];
  readonly lines: readonly (readonly (readonly [number, number])[])[];
  /** Every text of the chart: where it stands, and to which side it goes. */
  readonly texts: readonly { readonly text: string; readonly x: number; readonly anchor: string }[];
}

function attributes(tag: string): Record<string, string> {
  return Object.fromEntries([...tag.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
}

function unescaped(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
}

/** Reads charts of a drawing; knows no more of it than its tags. */
export function readCharts(svg: string): DrawnChart[] {
  return [...svg.matchAll(/<g role="img"[\s\S]*?<\/g>/g)].map(([chart]) => {
    const texts = [...chart.matchAll(/<text ([^>]*)>([^<]*)<\/text>/g)].map(([, tag, text]) => ({
      ...attributes(tag),
      text: unescaped(text),
    })) as (Record<string, string> & { text: string })[];
    return {
      title: unescaped(/<title id="[^"]*">([^<]*)</.exec(chart)?.[1] ?? ''),
      desc: unescaped(/<desc id="[^"]*">([^<]*)</.exec(chart)?.[1] ?? ''),
      ticks: texts
        .filter(text => text.class?.startsWith('tick'))
        .map(({ text, y }) => ({ value: Number(text.replaceAll(',', '')), y: Number(y) })),
      labels: texts
        .filter(text => text.class?.startsWith('label'))
        .map(({ text, x, y }) => ({ text, x: Number(x), y: Number(y) })),
      dots: [...chart.matchAll(/<circle ([^>]*)><title>([^<]*)<\/title>/g)].map(([, tag, title]) => {
        const { cx, cy } = attributes(tag);
        return { x: Number(cx), y: Number(cy), title: unescaped(title) };
      }),
      lines: [...chart.matchAll(/<polyline ([^>]*)\/>/g)].map(([, tag]) =>
        attributes(tag)
          .points.split(' ')
          .map(point => point.split(',').map(Number) as [number, number]),
      ),
      texts: texts.map(text => ({ text: text.text, x: Number(text.x), anchor: text['text-anchor'] ?? 'start' })),
    };
  });
}
