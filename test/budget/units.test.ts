import test from 'ava';
import fc from 'fast-check';
import { amountOf, isPercent, parseAmount, UnitError } from '../../plugin/budget/units.js';

test('sizes, percents and numbers', t => {
  for (const [text, bytes] of [
    ['420 KiB', 430_080],
    ['1.5 MiB', 1_572_864],
    ['4096', 4096],
    ['4096 B', 4096],
    ['2GiB', 2_147_483_648],
    ['420 kB', 420_000],
    ['1.5 MB', 1_500_000],
    ['3 GB', 3_000_000_000],
    ['0', 0],
    ['0.1 KiB', 102],
  ] as const)
    t.is(parseAmount(text, 'bytes'), bytes, text);
  t.is(parseAmount('6400', 'count'), 6400);
  for (const unit of ['bytes', 'count'] as const) {
    const twelve = parseAmount('12 %', unit);
    t.true(isPercent(twelve));
    t.is(amountOf(twelve, 2_490_361), 298_843);
    t.is(amountOf(parseAmount('12%', unit), 100), 12);
    t.is(amountOf(parseAmount('0.1 %', unit), 1000), 1);
  }
});

test('what is no amount', t => {
  for (const text of [
    '',
    ' ',
    '-1',
    '+1',
    '1,5 MiB',
    '1e3',
    '0x10',
    '.5 KiB',
    '1. KiB',
    '1.2345 KiB',
    '1  KiB',
    '1 KiB ',
    '1 ',
    '1\n',
    '٣ KiB',
  ])
    t.throws(() => parseAmount(text, 'bytes'), { instanceOf: UnitError }, JSON.stringify(text));
  t.throws(() => parseAmount('9'.repeat(1_000_000), 'bytes'), { instanceOf: UnitError });
});

const FACTORS = { B: 1n, KiB: 1024n, MiB: 1048576n, GiB: 1073741824n, kB: 1000n, MB: 1000000n, GB: 1000000000n };

test('a size is its number times its unit, rounded down', t => {
  fc.assert(
    fc.property(
      fc.nat({ max: 4_000_000 }),
      fc.nat({ max: 999 }),
      fc.constantFrom(...(Object.keys(FACTORS) as (keyof typeof FACTORS)[])),
      fc.constantFrom('', ' '),
      (whole, thousandths, unit, space) => {
        const bytes = parseAmount(`${whole}.${String(thousandths).padStart(3, '0')}${space}${unit}`, 'bytes');
        const exact = (BigInt(whole) * 1000n + BigInt(thousandths)) * FACTORS[unit];
        return !isPercent(bytes) && BigInt(bytes) * 1000n <= exact && exact < BigInt(bytes + 1) * 1000n;
      },
    ),
    { seed: 1 },
  );
  t.pass();
});

test('a number is above a percent of a whole exactly when it is above the amount', t => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.nat({ max: 300 }),
      fc.nat({ max: 99 }),
      fc.integer({ min: -2, max: 2 }),
      (whole, percent, hundredths, off) => {
        const limit = amountOf(parseAmount(`${percent}.${String(hundredths).padStart(2, '0')} %`, 'bytes'), whole);
        const value = limit + off;
        if (!Number.isSafeInteger(value)) return true;
        return value > limit === BigInt(value) * 10_000n > BigInt(whole) * BigInt(percent * 100 + hundredths);
      },
    ),
    { seed: 1 },
  );
  t.pass();
});
