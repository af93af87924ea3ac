import { join } from 'node:path';
import { execa } from 'execa';
import { type BpfObject, readBpfObject } from '../../plugin/bpf/object.js';
import { FileSource } from '../../plugin/bytes/source.js';
import { repository } from './fixtures.js';
import { toolEnvironment } from './tools.js';

/** Programs among the fixtures, in C and compiled for both byte orders. */
export const PROGRAMS = ['core', 'attach', 'absent'] as const;
export const TARGETS = ['bpfel', 'bpfeb'] as const;
export type BpfTarget = (typeof TARGETS)[number];

export const programSource = (program: string): string => join(repository, 'test/fixtures/bpf', `${program}.bpf.c`);
export const programFile = (program: string, target: BpfTarget = 'bpfel'): string =>
  join(repository, 'test/fixtures/bpf', `${program}.${target}.o`);

export function bpfObject(file: string): BpfObject {
  const source = FileSource.open(file);
  try {
    return readBpfObject(source);
  } finally {
    source.close();
  }
}

export interface MinCoreBtf {
  /** Whether bpftool made the file. */
  readonly ok: boolean;
  /** With libbpf's own account of every relocation. */
  readonly log: string;
}

/** `bpftool -d gen min_core_btf KERNEL OUT OBJECT…`. Version 7.1 reads objects of this machine's byte order alone. */
export async function minCoreBtf(kernel: string, out: string, objects: readonly string[]): Promise<MinCoreBtf> {
  const { exitCode, all } = await execa('bpftool', ['-d', 'gen', 'min_core_btf', kernel, out, ...objects], {
    env: toolEnvironment,
    all: true,
    reject: false,
    maxBuffer: 2 ** 26,
  });
  return { ok: exitCode === 0, log: all };
}
