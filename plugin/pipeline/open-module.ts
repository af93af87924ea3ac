import { statSync } from 'node:fs';
import { sep } from 'node:path';
import { type ByteSource, FileSource, type FileState } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import { findModules, type ModulePath, realPath, unpackModule } from '../host/module-files.js';
import { turn } from '../host/turn.js';
import { type BuiltAgainst, type KernelModule, readModule } from '../modules/read.js';
import { type SignedFile, withoutSignature } from '../modules/signature.js';

/** A module while it is open. */
export interface OpenModule extends SignedFile {
  readonly module: KernelModule;
  /** The whole unpacked file, with its signature. */
  readonly file: ByteSource;
  /** Of the file as it stands on the disk. */
  readonly state: FileState;
}

/**
 * The modules of a folder that a split re-bases. Throws `modules-folder` when there are none, `out-is-input` when the folder
 * lies in the out folder, whose modules are replaced.
 */
export function listModules(folder: string, out: string): ModulePath[] {
  const [from, to] = [realPath(folder), realPath(out)];
  if (from !== undefined && to !== undefined && (from === to || from.startsWith(`${to}${sep}`)))
    throw new CodedError('out-is-input', out, { file: folder });
  if (from === undefined || !statSync(from).isDirectory())
    throw new CodedError('modules-folder', from === undefined ? 'ENOENT' : 'not a folder', { file: folder });
  return findModules(folder, out);
}

/**
 * Opens a module, runs `use` on it, closes it; a compressed one is unpacked into memory. Every coded error gets its name. Between
 * two modules a signal is heard.
 */
export async function withModule<T>(
  path: ModulePath,
  kernel: BuiltAgainst,
  use: (open: OpenModule) => T | Promise<T>,
): Promise<T> {
  await turn();
  return withModuleFile(path, async (file, state) => {
    const signed = withoutSignature(file);
    return use({ ...signed, file, state, module: readModule(signed.body, kernel) });
  });
}

/** The same without a look into it. */
export async function withModuleFile<T>(
  path: ModulePath,
  use: (file: ByteSource, state: FileState) => T | Promise<T>,
): Promise<T> {
  const source = FileSource.open(path.path);
  try {
    const file = path.packing === undefined ? source : await unpackModule(path.path, path.packing);
    return await use(file, source.state);
  } catch (error) {
    throw source.explain(error);
  } finally {
    source.close();
  }
}
