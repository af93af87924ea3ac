/** A file of a tar: its path there, at most 100 bytes, its bytes, and whether it is a program. */
export interface TarMember {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

const BLOCK = 512;

/** Seconds since 1970 of every member: 2026-01-01 00:00 UTC. make takes what is as old as 1970 for missing in some places. */
const MTIME = Date.UTC(2026, 0, 1) / 1000;

/**
 * A tar (ustar, uncompressed) of which nothing depends on the machine: members in order of their path, one time, owner 0. A program
 * `tar` would do with the right options, but writes other bytes from version to version.
 */
export function encodeTar(members: readonly TarMember[]): Uint8Array {
  const sorted = [...members].sort((a, b) => (a.path < b.path ? -1 : 1));
  const parts = sorted.flatMap(member => [header(member), padded(member.bytes)]);
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header({ path, bytes, executable }: TarMember): Buffer {
  const name = Buffer.from(path);
  if (name.length > 100) throw new Error(`${path}: longer than a ustar header takes`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number): void => {
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  };
  name.copy(block, 0);
  octal(executable ? 0o755 : 0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(bytes.length, 124, 12);
  octal(MTIME, 136, 12);
  block.write('        0', 148, 'latin1'); // the sum counts its own place as blanks; then the type: a file
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & (BLOCK - 1))]);
}
