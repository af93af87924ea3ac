import { KIND_TYPEDEF } from '../../plugin/btf/kinds.js';
import type { ByteOrder } from '../../plugin/bytes/endian.js';
import { BtfBuilder } from './build-btf.js';
import { addEveryKind } from './every-kind.js';

export interface BtfSample {
  readonly title: string;
  readonly bytes: Uint8Array;
  readonly base?: Uint8Array;
  /** Set for what bpftool 7.1 cannot read yet; a newer one may. */
  readonly newerThanBpftool?: true;
}

/** Names that are bytes rather than text, the tail of another name, and names that stand at two offsets. */
function addOddNames(b: BtfBuilder): void {
  const int = b.int('long int', 4);
  b.record(KIND_TYPEDEF, b.string('long int') + 5, {}, int);
  b.record(KIND_TYPEDEF, b.ownString('long int'), {}, int);
  b.record(KIND_TYPEDEF, b.ownString(''), {}, int);
  b.typedef("\xff\n'\\%s\xe9", int);
}

function oneOrder(order: ByteOrder): readonly BtfSample[] {
  const build = (title: string, fill: (b: BtfBuilder) => void, header: 24 | 32 = 24): BtfSample => {
    const b = new BtfBuilder({ order, header });
    fill(b);
    return { title: `${title}, ${order}-endian`, bytes: b.build() };
  };
  const base = new BtfBuilder({ order });
  addEveryKind(base);
  const split = new BtfBuilder({ base });
  addEveryKind(split);
  addOddNames(split);
  split.ptr(base.endId - 1);
  const empty = new BtfBuilder({ base });
  const layout = build('every kind under a 32-byte header', addEveryKind, 32);
  return [
    build('every kind', addEveryKind),
    // libbpf 1.1 swaps a header of 24 bytes only.
    order === 'little' ? layout : { ...layout, newerThanBpftool: true },
    build('odd names', addOddNames),
    build('no types', () => {}),
    { title: `split BTF, ${order}-endian`, bytes: split.build(), base: base.build() },
    { title: `split BTF without types, ${order}-endian`, bytes: empty.build(), base: base.build() },
    {
      // Linux 7.2 widened vlen to 24 bits.
      ...build('an enum of 70,000 values', b => {
        b.enum(
          'many',
          4,
          Array.from({ length: 70_000 }, (_, i) => ({ name: `V${i % 7}`, value: BigInt(i) })),
        );
      }),
      newerThanBpftool: true,
    },
  ];
}

export const BTF_SAMPLES: readonly BtfSample[] = [...oneOrder('little'), ...oneOrder('big')];
