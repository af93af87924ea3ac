import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { type KernelCase, kernelCase } from '../support/arbitrary-kernel-btf.js';
import type { NaiveBtf, NaiveType } from '../support/naive-btf.js';
import { naiveBase } from '../support/naive-closure.js';
import { type Both, splitBoth } from '../support/split-both.js';

/** Runs a check on arbitrary BTFs and roots; `check` throws or returns false. */
function always(t: ExecutionContext, check: (made: Both, input: KernelCase) => boolean | undefined): void {
  fc.assert(
    fc.property(kernelCase, input => check(splitBoth(input), input) ?? true),
    { numRuns: 300 },
  );
  t.pass();
}

const equal = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/** All types of base ++ rest, in the order of their ids. */
const joined = ({ base, rest }: Both): NaiveType[] => [...base.types, ...rest.types];

const mapped = (type: NaiveType, newIds: Uint32Array): NaiveType => ({
  ...type,
  refs: type.refs.map(ref => newIds[ref]),
});

test('base ++ rest is a permutation of the input: every type is there, with its names, ids mapped', t => {
  always(t, made => {
    const { original, split } = made;
    const types = joined(made);
    if (types.length !== original.types.length) return false;
    const seen = new Set(split.newIds);
    if (seen.size !== original.types.length + 1 || Math.max(...seen) !== original.types.length) return false;
    return original.types.every((type, i) => equal(mapped(type, split.newIds), types[split.newIds[i + 1] - 1]));
  });
});

test('the base holds what the roots need and nothing else', t => {
  always(t, ({ original, split }, { roots }) => {
    const wanted = naiveBase(
      original,
      roots.map(root => root.id),
    );
    const got = original.types.flatMap((_, i) => (split.newIds[i + 1] <= split.closure.types ? [i + 1] : []));
    return equal(
      got,
      [...wanted].sort((a, b) => a - b),
    );
  });
});

test('the base stands alone: no id and no name of it leaves it', t => {
  always(t, ({ base }) => {
    const inside = (id: number): boolean => id <= base.types.length;
    return base.types.every(type => type.refs.every(inside)) && base.nameOffsets.every(at => at < base.strings.length);
  });
});

test('full is base ++ rest as one BTF', t => {
  always(t, made => {
    const { base, rest, full } = made;
    if (!equal(full.types, joined(made))) return false;
    return Buffer.compare(full.strings, Buffer.concat([base.strings, rest.strings])) === 0;
  });
});

test('byte order, flags and the section that describes kinds are the same in base, rest and full', t => {
  always(t, ({ original, base, rest, full }) =>
    [base, rest, full].every(
      ({ little, flags, headerLength, layout }) =>
        little === original.little &&
        flags === original.flags &&
        headerLength === original.headerLength &&
        Buffer.compare(layout, original.layout) === 0,
    ),
  );
});

test('both sides keep their old order, so sorted ids of a .BTF_ids set stay sorted', t => {
  always(t, ({ split }) => {
    const sides: [number[], number[]] = [[], []];
    for (const id of split.newIds.subarray(1)) sides[id <= split.closure.types ? 0 : 1].push(id);
    return sides.every(side =>
      equal(
        side,
        [...side].sort((a, b) => a - b),
      ),
    );
  });
});

/** True when every name starts at the first byte of its string: cilium/ebpf rejects an offset into the middle. */
function noTails(btf: NaiveBtf): boolean {
  return btf.nameOffsets.every(offset => {
    if (offset === 0) return true;
    const owner = offset < btf.stringBase && btf.base !== undefined ? btf.base : btf;
    return offset === owner.stringBase || owner.strings[offset - owner.stringBase - 1] === 0;
  });
}

test('no name becomes the tail of another that was not one in the input', t => {
  always(t, ({ original, base, rest, full }) => !noTails(original) || [base, rest, full].every(noTails));
});

test('each stored string of the input is stored once, in the base or in the rest', t => {
  const stored = (strings: Uint8Array): string[] => Buffer.from(strings).toString('latin1').split('\0').sort();
  always(t, ({ original, full }) => {
    const last = original.strings.indexOf(0, Math.max(0, ...original.nameOffsets));
    return stored(original.strings.subarray(0, last + 1)).join() === stored(full.strings).join();
  });
});

test('splitting the base again with the same roots changes nothing', t => {
  always(t, ({ split }, { roots }) => {
    const again = splitBoth({ bytes: split.base, roots: roots.map(root => ({ ...root, id: split.newIds[root.id] })) });
    return (
      Buffer.compare(again.split.base, split.base) === 0 &&
      again.rest.types.length === 0 &&
      again.rest.strings.length === 0 &&
      again.split.newIds.every((id, i) => id === i)
    );
  });
});

test('splitting full again with the same roots changes nothing either', t => {
  always(t, ({ split }, { roots }) => {
    const again = splitBoth({ bytes: split.full, roots: roots.map(root => ({ ...root, id: split.newIds[root.id] })) });
    return (
      Buffer.compare(again.split.base, split.base) === 0 &&
      Buffer.compare(again.split.rest, split.rest) === 0 &&
      Buffer.compare(again.split.full, split.full) === 0
    );
  });
});

test('more roots never make a smaller base', t => {
  always(t, (more, input) => {
    const fewer = splitBoth({ ...input, roots: input.roots.slice(1) });
    return (
      fewer.split.base.length <= more.split.base.length &&
      fewer.split.closure.nearest.every((root, id) => root === 0 || more.split.closure.nearest[id] !== 0)
    );
  });
});

test('the order and number of roots do not matter for what stays', t => {
  always(t, ({ split }, input) => {
    const roots = [...input.roots, ...input.roots].reverse();
    return Buffer.compare(splitBoth({ ...input, roots }).split.base, split.base) === 0;
  });
});

test('the same input makes the same bytes', t => {
  always(t, ({ split }, input) => {
    const again = splitBoth(input).split;
    return (['paddedBase', 'rest', 'full'] as const).every(part => Buffer.compare(again[part], split[part]) === 0);
  });
});

test('sizes are those of the bytes', t => {
  always(t, ({ split, base, rest, full }) =>
    (
      [
        ['base', base],
        ['rest', rest],
        ['full', full],
      ] as const
    ).every(([part, parsed]) => {
      const size = split.sizes[part];
      return (
        size.types === parsed.types.length &&
        size.bytes === split[part].length &&
        size.stringBytes === parsed.strings.length &&
        size.headerBytes === parsed.headerLength + parsed.layout.length &&
        size.bytes === size.headerBytes + size.typeBytes + size.stringBytes
      );
    }),
  );
});

test('a padded base is exactly as long as asked, and the rest counts on from behind the NULs', t => {
  fc.assert(
    fc.property(kernelCase, fc.nat(200), (input, extra) => {
      const plain = splitBoth(input);
      const size = plain.split.base.length + extra;
      const { split, base, rest, full } = splitBoth(input, size);
      const tail = base.strings.subarray(base.strings.length - extra);
      return (
        split.padding === extra &&
        split.paddedBase.length === size &&
        tail.every(byte => byte === 0) &&
        Buffer.compare(split.base, plain.split.base) === 0 &&
        Buffer.compare(split.full, plain.split.full) === 0 &&
        rest.stringBase === base.strings.length &&
        rest.nameOffsets.every(at => at < plain.base.strings.length || at >= base.strings.length) &&
        equal(rest.types, plain.rest.types) &&
        equal(full.types, plain.full.types)
      );
    }),
    { numRuns: 300 },
  );
  t.pass();
});
