import { type BpfObject, readBpfObject } from '../bpf/object.js';
import { FileSource } from '../bytes/source.js';
import { CodedError } from '../errors.js';

/** Opens a BPF object, runs `use` on it, closes it; every coded error gets the file's name. */
export function withBpfObject<T>(file: string, use: (object: BpfObject) => T): T {
  const source = FileSource.open(file);
  try {
    return use(readBpfObject(source));
  } catch (error) {
    throw error instanceof CodedError ? error.in(file) : error;
  } finally {
    source.close();
  }
}
