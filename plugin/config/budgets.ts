import { type Budget, LEVELS, type Level, type Written } from '../budget/budget.js';
import { type Amount, amountOf, isPercent, parseAmount, UnitError } from '../budget/units.js';
import type { CodedError } from '../errors.js';
import { nearest } from '../nearest.js';
import { findMetric, isPartition, type Metric, nearestMetric, PARTITION_METRIC } from '../report/metrics.js';

/** Makes the error of a value at a JSON path. */
export type Wrong = (path: readonly (string | number)[], detail: string) => CodedError;

const KEYS = ['metric', 'max', 'maxIncrease', 'andAtLeast', 'partition', 'level', 'message'] as const;

type Fields = Partial<Record<(typeof KEYS)[number], string>>;

/** Budgets of a configuration. Throws what `wrong` makes, with the path of what is wrong. */
export function parseBudgets(value: unknown, path: readonly string[], wrong: Wrong): Budget[] {
  if (!Array.isArray(value)) throw wrong(path, 'it must be an array');
  return value.map((entry, i) => parseBudget(entry, [...path, i], wrong));
}

function parseBudget(value: unknown, path: readonly (string | number)[], wrong: Wrong): Budget {
  const fields = readFields(value, path, wrong);
  const at = (key: string, detail: string): CodedError => wrong([...path, key], detail);
  if (fields.metric === undefined) throw at('metric', 'missing');
  const metric = findMetric(fields.metric);
  if (metric === undefined) throw at('metric', `no metric ${fields.metric}; ${nearestMetric(fields.metric)}`);
  const amount = (key: 'max' | 'maxIncrease' | 'andAtLeast' | 'partition'): Written | undefined => {
    const text = fields[key];
    return text === undefined ? undefined : { text, amount: amountAt(key, text, metric, at) };
  };
  const max = amount('max');
  const maxIncrease = amount('maxIncrease');
  const andAtLeast = absolute('andAtLeast', amount('andAtLeast'), at);
  const partition = absolute('partition', amount('partition'), at);
  checkTogether(metric, { max, maxIncrease, andAtLeast, partition }, at, path, wrong);
  return {
    metric,
    ...(max === undefined ? {} : { max }),
    ...(maxIncrease === undefined ? {} : { maxIncrease }),
    ...(andAtLeast === undefined ? {} : { andAtLeast }),
    ...(partition === undefined ? {} : { partition }),
    level: levelAt(fields.level, at),
    ...(fields.message === undefined ? {} : { message: fields.message }),
  };
}

function readFields(value: unknown, path: readonly (string | number)[], wrong: Wrong): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, 'it must be an object');
  for (const [key, entry] of Object.entries(value)) {
    if (!KEYS.some(known => known === key)) {
      const near = nearest(key, KEYS);
      throw wrong([...path, key], `no such key${near === undefined ? '' : `; did you mean ${near}?`}`);
    }
    if (typeof entry !== 'string') throw wrong([...path, key], 'it must be a string');
    if (entry === '') throw wrong([...path, key], 'it is empty');
  }
  return value as Fields;
}

type At = (key: string, detail: string) => CodedError;

function amountAt(key: string, text: string, metric: Metric, at: At): Amount {
  try {
    return parseAmount(text, metric.unit);
  } catch (error) {
    throw error instanceof UnitError ? at(key, error.message) : error;
  }
}

function absolute(key: string, written: Written | undefined, at: At): Written<number> | undefined {
  if (written === undefined) return undefined;
  const { text, amount } = written;
  if (isPercent(amount)) throw at(key, 'it is no percent: write how much');
  return { text, amount };
}

function levelAt(text: string | undefined, at: At): Level {
  if (text === undefined) return 'error';
  const level = LEVELS.find(known => known === text);
  if (level === undefined) throw at('level', `it is ${LEVELS.join(' or ')}`);
  return level;
}

function checkTogether(
  metric: Metric,
  {
    max,
    maxIncrease,
    andAtLeast,
    partition,
  }: { [Key in 'max' | 'maxIncrease']: Written | undefined } & {
    [Key in 'andAtLeast' | 'partition']: Written<number> | undefined;
  },
  at: At,
  path: readonly (string | number)[],
  wrong: Wrong,
): void {
  if (isPartition(metric) && partition === undefined) throw at('partition', 'missing: the size of the flash partition');
  if (!isPartition(metric) && partition !== undefined) throw at('partition', `it is a key of ${PARTITION_METRIC} only`);
  if (max !== undefined && partition !== undefined && amountOf(max.amount, partition.amount) > partition.amount)
    throw at('max', 'it is more than the partition has');
  if (max === undefined && maxIncrease === undefined && partition === undefined)
    throw wrong(path, 'it limits nothing: give max or maxIncrease');
  if (max !== undefined && isPercent(max.amount) && metric.whole === undefined)
    throw at('max', `${metric.name} is no part of a whole: it takes no percent`);
  if (andAtLeast !== undefined && maxIncrease === undefined) throw at('andAtLeast', 'it goes with maxIncrease');
}
