import { EndianReader } from '../bytes/endian.js';
import { PartSource } from '../bytes/part.js';
import type { ByteSource } from '../bytes/source.js';
import { CodedError } from '../errors.js';

/** Behind the signature (include/linux/module_signature.h). */
const MAGIC = Buffer.from('~Module signature appended~\n', 'latin1');
/** struct module_signature: five bytes, three of padding, and the length of the signature, big-endian. */
const TRAILER_BYTES = 12;
/** Bytes behind the PKCS#7 message of a signature. */
export const FRAME_BYTES = TRAILER_BYTES + MAGIC.length;
/** More than any PKCS#7 message that sign-file makes. */
const MAX_SIGNATURE = 1 << 20;

export interface SignedFile {
  /** The module as it was linked. */
  readonly body: ByteSource;
  /** Bytes of signature, trailer and magic behind it; 0 for a module that is not signed. */
  readonly signatureBytes: number;
  /** What the signature was made with, as sign-file calls it; undefined when there is none or it does not tell. */
  readonly hash: string | undefined;
}

/** DER of the object identifiers of hashes, as they stand in a PKCS#7 message. */
const HASHES: readonly (readonly [string, string])[] = [
  ['sha256', '0609608648016503040201'],
  ['sha384', '0609608648016503040202'],
  ['sha512', '0609608648016503040203'],
  ['sha224', '0609608648016503040204'],
  ['sha3-256', '0609608648016503040208'],
  ['sha3-384', '0609608648016503040209'],
  ['sha3-512', '060960864801650304020a'],
  ['sha1', '06052b0e03021a'],
];

/** Tells a module from the signature behind it (mod_check_sig of the kernel). Throws `module-damaged` for a lying length. */
export function withoutSignature(file: ByteSource): SignedFile {
  const plain = { body: file, signatureBytes: 0, hash: undefined };
  if (file.size < FRAME_BYTES) return plain;
  if (Buffer.compare(file.read(file.size - MAGIC.length, MAGIC.length), MAGIC) !== 0) return plain;
  const trailer = file.size - FRAME_BYTES;
  const length = new EndianReader(file.read(trailer, TRAILER_BYTES), 'big').u32(8);
  if (length > trailer || length > MAX_SIGNATURE)
    throw new CodedError('module-damaged', `a signature of ${length} bytes`, { file: file.name, offset: trailer });
  const signature = Buffer.from(file.read(trailer - length, length)).toString('hex');
  return {
    body: new PartSource(file, trailer - length),
    signatureBytes: file.size - (trailer - length),
    hash: HASHES.find(([, oid]) => signature.includes(oid))?.[0],
  };
}
