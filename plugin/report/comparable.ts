import { CodedError } from '../errors.js';
import type { Report } from './model.js';

/**
 * In what a report and its baseline are not alike, for people who read the differences. Throws `report-foreign` when they are of two
 * architectures, or one of them is of bare BTF: nothing could be learned from such differences.
 */
export function checkComparable(report: Report, baseline: Report): string[] {
  const [one, other] = [report, baseline].map(
    ({ input }) => input.architecture ?? 'bare BTF, of no known architecture',
  );
  if (one !== other) throw new CodedError('report-foreign', `it is of ${other}, the report of ${one}`);
  const notes: string[] = [];
  const differ = (what: string, of: (report: Report) => string): void => {
    const [now, before] = [of(report), of(baseline)];
    if (now !== before) notes.push(`the baseline has another ${what}: ${before}, now ${now}`);
  };
  differ('kernel', ({ input }) => input.vermagic ?? 'none');
  differ('closure', ({ closure }) => closure);
  differ('way into the image', ({ image }) =>
    image === undefined ? 'none' : image.linked === true ? 'linked' : 'patched after the link',
  );
  differ('treatment of modules', ({ modules }) => (modules === undefined ? 'none given' : modules.mode));
  for (const name of new Set([...Object.keys(report.compressors), ...Object.keys(baseline.compressors)]))
    differ(`command for ${name}`, ({ compressors }) => compressors[name] ?? 'none');
  return notes;
}
