import { nearest } from '../nearest.js';
import type { Unit } from '../report/metrics.js';

/** A part of a whole, exactly: `numerator` of `denominator`. */
export interface Percent {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** What a limit says: a number of bytes or of things, or a percent of something that is known later. */
export type Amount = number | Percent;

/** Bytes of each unit of sizes; a number without a unit is bytes too. */
const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  kB: 10 ** 3,
  MB: 10 ** 6,
  GB: 10 ** 9,
};

const UNITS = Object.keys(BYTES);
const NUMBER = '[0-9]{1,15}(?:\\.[0-9]{1,3})?';
const MEASURE = new RegExp(`^(${NUMBER})(?: ?(.+))?$`, 's');

/**
 * Reads `420 KiB`, `1.5 MiB`, `4096`, `4096 B`, `12 %` or, of a metric that counts, `6400`. A size is rounded down to whole bytes.
 * What is wrong is thrown as a {@link UnitError}, which names the nearest unit.
 */
export function parseAmount(text: string, unit: Unit): Amount {
  const match = MEASURE.exec(text);
  if (match === null) throw new UnitError(`it must be ${examples(unit)}`);
  const [, number, suffix = ''] = match;
  if (suffix === '%') return parsePercent(number);
  if (unit === 'count') {
    if (suffix !== '') throw new UnitError(`${text}: it is counted, not weighed: write it without a unit`);
    if (number.includes('.')) throw new UnitError(`${text}: it must be a whole number`);
    return Number(number);
  }
  if (suffix !== '' && !Object.hasOwn(BYTES, suffix)) throw new UnitError(unknownUnit(suffix));
  const { numerator, denominator } = fraction(number);
  const bytes = (numerator * BigInt(BYTES[suffix] ?? 1)) / denominator;
  if (bytes > Number.MAX_SAFE_INTEGER) throw new UnitError(`${text}: too much`);
  return Number(bytes);
}

export class UnitError extends Error {}

export function isPercent(amount: Amount): amount is Percent {
  return typeof amount !== 'number';
}

/** So much of a whole, rounded down: a whole number is more than the percent exactly when it is more than this. */
export function amountOf(amount: Amount, whole: number): number {
  if (!isPercent(amount)) return amount;
  return Number((BigInt(whole) * amount.numerator) / amount.denominator);
}

function parsePercent(number: string): Percent {
  const { numerator, denominator } = fraction(number);
  return { numerator, denominator: denominator * 100n };
}

function fraction(number: string): Percent {
  const [whole, decimals = ''] = number.split('.');
  return { numerator: BigInt(whole + decimals), denominator: 10n ** BigInt(decimals.length) };
}

function unknownUnit(suffix: string): string {
  const lower = suffix.toLowerCase();
  const near = UNITS.find(unit => unit.toLowerCase() === lower) ?? nearest(suffix, [...UNITS, '%']);
  const advice = near === undefined ? `units are ${UNITS.join(', ')} and %` : `did you mean ${near}?`;
  return `${JSON.stringify(suffix.slice(0, 32))}: no such unit; ${advice}`;
}

function examples(unit: Unit): string {
  return unit === 'bytes' ? 'a size such as "420 KiB", or a percent such as "12 %"' : 'a number such as "6400"';
}
