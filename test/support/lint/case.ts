import type { RuleId } from '../../../plugin/btf/lint/rules.js';
import type { BtfBuilder, BuildOptions, Member } from '../build-btf.js';

/** A small BTF with at most one mistake in it. */
export interface LintCase {
  readonly title: string;
  /** The rule that it breaks; `reader` when it is not even decoded; undefined when it breaks none. */
  readonly rule: RuleId | 'reader' | undefined;
  readonly fill: (b: BtfBuilder) => unknown;
  /** What the builder is made with. */
  readonly options?: Pick<BuildOptions, 'header'>;
  /** Changes the finished bytes; `word` reads or writes a word in their byte order. */
  readonly patch?: (bytes: Uint8Array, word: (offset: number, value?: number) => number) => Uint8Array | undefined;
}

export type Fill = LintCase['fill'];

/** Adds `int` and hands its id over. */
export const withInt =
  (fill: (b: BtfBuilder, int: number) => void): Fill =>
  b =>
    fill(b, b.int('int', 4, { encoding: 1 }));
export const fine = (title: string, fill: Fill): LintCase => ({ title, rule: undefined, fill });
export const bad = (rule: RuleId | 'reader', title: string, fill: Fill): LintCase => ({ title, rule, fill });
export const int = (b: BtfBuilder): void => void b.int('int', 4, { encoding: 1 });

export const member = (name: string, type: number, bits: number, width = 0): Member => ({ name, type, bits, width });

export const withVariable = (name: string, size: number, entries: readonly (readonly [number, number])[]): Fill =>
  withInt((b, i) => {
    const type = b.var('v', i, 1);
    b.datasec(
      name,
      size,
      entries.map(([offset, bytes]) => ({ type, offset, size: bytes })),
    );
  });

/** The bytes of a case, from the builder that its fill filled. */
export function caseBytes(item: LintCase, b: BtfBuilder): Uint8Array {
  item.fill(b);
  const bytes = b.build();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = b.order === 'little';
  const word = (offset: number, value?: number): number => {
    if (value !== undefined) view.setUint32(offset, value >>> 0, little);
    return view.getUint32(offset, little);
  };
  return item.patch?.(bytes, word) ?? bytes;
}
