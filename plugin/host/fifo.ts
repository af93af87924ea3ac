import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { CodedError } from '../errors.js';

const { O_NONBLOCK, O_RDWR, O_WRONLY } = constants;

/** Makes named pipes, for this user only, which Node cannot do itself. Throws `tool-missing`, `tool-failed`. */
export async function makeFifos(paths: readonly string[]): Promise<void> {
  const { execa } = await import('execa');
  const result = await execa('mkfifo', ['-m', '600', ...paths], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'ignore',
    reject: false,
  });
  if (result.code === 'ENOENT') throw new CodedError('tool-missing', 'mkfifo');
  if (result.failed) throw new CodedError('tool-failed', result.shortMessage ?? 'mkfifo');
}

/**
 * Opens a named pipe for writing, though nobody reads it yet: on its own that blocks, or is refused with ENXIO. Who opens it to
 * read waits from now on until it is written to or closed, by us or by our end. Writing to it when nobody reads is EPIPE.
 */
export function openForWriting(path: string): number {
  const both = openSync(path, O_RDWR | O_NONBLOCK);
  try {
    return openSync(path, O_WRONLY | O_NONBLOCK);
  } finally {
    closeSync(both);
  }
}

/** Whether somebody has a named pipe open to read. */
export function isRead(path: string): boolean {
  try {
    closeSync(openSync(path, O_WRONLY | O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}

/**
 * Hears of each line that is written to a named pipe, by whomever; returns what ends it. A line of at most PIPE_BUF bytes (pipe(7),
 * 4096) comes whole, however many write. fs would read it with a thread that nothing wakes at the end of the process.
 */
export function readLines(path: string, onLine: (line: string) => void): () => void {
  // Open for writing as well, it has no end when those who write go.
  const socket = new Socket({ fd: openSync(path, O_RDWR | O_NONBLOCK), readable: true, writable: false });
  let rest = '';
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  return () => socket.destroy();
}
