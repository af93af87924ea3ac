import { KIND_ENUM, KIND_ENUM64, KIND_FLOAT, KIND_INT, KIND_PTR } from '../kinds.js';
import type { TypeTable } from './shapes.js';

/** Bits that the kernel can copy of a bit field. */
const MAX_COPY_BITS = 128;
/** sizeof(int): what an enumeration is taken for in a struct with the kind flag, whatever its size. */
const INT_BITS = 32;

/** A member as it stands in its record. */
export interface Placed {
  /** Bytes of its STRUCT or UNION. */
  readonly structBytes: number;
  /** The type that typedefs and qualifiers lead to, and its size in bytes. */
  readonly type: number;
  readonly bytes: number;
  /** Third word of the member. */
  readonly offset: number;
  /** The kind flag of the STRUCT or UNION: the upper eight bits of `offset` are a width. */
  readonly flagged: boolean;
  readonly pointerBytes: number;
}

/** True when the kernel takes a member of a type with a size (*_check_member, *_check_kflag_member). */
export function isWellPlaced(types: TypeTable, member: Placed): boolean {
  const { type, offset, flagged } = member;
  const kind = types.kinds[type];
  if (kind === KIND_INT) return flagged ? intField(types, member) : intMember(types, member);
  if ((kind === KIND_ENUM || kind === KIND_ENUM64) && flagged) return enumField(member);
  if (flagged && offset >>> 24 !== 0) return false;
  if (kind === KIND_FLOAT) return floatMember(member);
  return wholeMember(member, kind === KIND_PTR ? member.pointerBytes : member.bytes);
}

function fits({ structBytes }: Placed, bitOffset: number, bits: number): boolean {
  const copied = bits + (bitOffset & 7);
  return copied <= MAX_COPY_BITS && Math.floor(bitOffset / 8) + Math.ceil(copied / 8) <= structBytes;
}

function intMember(types: TypeTable, member: Placed): boolean {
  const data = types.intData(member.type);
  const bitOffset = member.offset + ((data >>> 16) & 0xff);
  return bitOffset <= 0xffffffff && fits(member, bitOffset, data & 0xff);
}

function intField(types: TypeTable, member: Placed): boolean {
  if (!types.isRegularInt(member.type)) return false;
  const width = member.offset >>> 24;
  const bitOffset = member.offset & 0xffffff;
  const bits = types.intData(member.type) & 0xff;
  if (width === 0) return bitOffset % 8 === 0 && fits(member, bitOffset, bits);
  return width <= bits && fits(member, bitOffset, width);
}

function enumField(member: Placed): boolean {
  const width = member.offset >>> 24;
  const bitOffset = member.offset & 0xffffff;
  if (width === 0 ? bitOffset % 8 !== 0 : width > INT_BITS) return false;
  return Math.ceil((bitOffset + (width === 0 ? INT_BITS : width)) / 8) <= member.structBytes;
}

function wholeMember({ structBytes, offset }: Placed, bytes: number): boolean {
  return offset % 8 === 0 && offset / 8 + bytes <= structBytes;
}

function floatMember({ structBytes, offset, bytes, pointerBytes }: Placed): boolean {
  return offset % (Math.min(pointerBytes, bytes) * 8) === 0 && offset / 8 + bytes <= structBytes;
}
