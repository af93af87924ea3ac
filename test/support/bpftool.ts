import { execa } from 'execa';
import { toolEnvironment } from './tools.js';

export interface RawDump {
  /** One character a byte (latin1); undefined when bpftool refuses the file. */
  readonly text: string | undefined;
  /** What it says on stderr. */
  readonly complaint: string;
}

/** `bpftool btf dump file FILE format raw`, with `-B BASE` when given. Files may be raw BTF or ELF. */
export async function bpftoolRaw(file: string, base?: string): Promise<RawDump> {
  const args = [...(base === undefined ? [] : ['-B', base]), 'btf', 'dump', 'file', file, 'format', 'raw'];
  const result = await execa('bpftool', args, {
    env: toolEnvironment,
    encoding: 'latin1',
    stripFinalNewline: false,
    maxBuffer: 2 ** 28,
    reject: false,
  });
  return { text: result.exitCode === 0 ? result.stdout : undefined, complaint: result.stderr };
}
