import test from 'ava';
import fc from 'fast-check';
import { Glob } from '../../plugin/roots/glob.js';

const strings = (name: string): Uint8Array => Buffer.from(`\0${name}\0more\0`, 'latin1');
const matches = (pattern: string, name: string): boolean =>
  new Glob(Buffer.from(pattern, 'latin1')).matches(strings(name), 1);

/** Of a pattern: whether it matches, by trying every way; for short ones. */
function naive(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  if (pattern[0] === '*') return naive(pattern.slice(1), name) || (name !== '' && naive(pattern, name.slice(1)));
  return name !== '' && (pattern[0] === '?' || pattern[0] === name[0]) && naive(pattern.slice(1), name.slice(1));
}

test('a star stands for any number of bytes, a question mark for one, all else for itself', t => {
  for (const [pattern, name] of [
    ['tcp_*', 'tcp_sendmsg'],
    ['tcp_*', 'tcp_'],
    ['*', ''],
    ['*', 'x'],
    ['*_lock', 'rt_mutex_lock'],
    ['a?c', 'abc'],
    ['.data..percpu*', '.data..percpu'],
    ['[a]', '[a]'],
    ['a.c', 'a.c'],
  ])
    t.true(matches(pattern, name), `${pattern} ${name}`);
  for (const [pattern, name] of [
    ['tcp_*', 'udp_tcp_x'],
    ['tcp_', 'tcp_x'],
    ['a?c', 'ac'],
    ['?', ''],
    ['[a]', 'a'],
    ['a.c', 'abc'],
    ['tcp', 'TCP'],
    ['*', 'x'.repeat(5000)],
  ])
    t.false(matches(pattern, name), `${pattern} ${name}`);
});

test('it agrees with trying every way, on any pattern and name', t => {
  const pattern = fc.array(fc.constantFrom('*', '?', 'a', 'b', 'c'), { maxLength: 12 }).map(parts => parts.join(''));
  const name = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 16 }).map(parts => parts.join(''));
  fc.assert(
    fc.property(pattern, name, (p, n) => matches(p, n) === naive(p, n)),
    { numRuns: 3000 },
  );
  t.pass();
});

test('patterns of more than 31 bytes go over several words, and agree with a name made from them', t => {
  const text = fc.array(fc.constantFrom('a', 'b', '_'), { minLength: 20, maxLength: 120 }).map(parts => parts.join(''));
  fc.assert(
    fc.property(text, text, fc.nat(200), (before, after, cut) => {
      const pattern = `${before}*${after}`;
      if (!matches(pattern, `${before}${after}`) || !matches(pattern, `${before}${before}${after}`)) return false;
      const short = `${before}${after}`;
      const at = cut % short.length;
      const broken = `${short.slice(0, at)}X${short.slice(at + 1)}`;
      return !matches(pattern, broken) && matches(short.replaceAll('a', '?'), short);
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test('a pattern that makes others try every way takes as long as any', t => {
  const glob = new Glob(Buffer.from(`${'*a'.repeat(200)}*b`, 'latin1'));
  const long = strings('a'.repeat(1000));
  const started = performance.now();
  for (let i = 0; i < 1000; i++) t.false(glob.matches(long, 1));
  t.true(performance.now() - started < 5000);
});
