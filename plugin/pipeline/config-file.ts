import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { withFile } from '../bytes/source.js';
import { CONFIG_FILE, type Config, NO_CONFIG, parseConfig } from '../config/config.js';
import { CodedError } from '../errors.js';

const MAX_CONFIG_BYTES = 1 << 20;

/** A configuration, the folder from which its paths go, and its file's name. */
export interface ConfigFile {
  readonly config: Config;
  readonly folder: string;
  readonly name: string;
  /** Its path. */
  readonly file: string;
}

/**
 * Reads the configuration at a path; without one, `vmlinux-btf.config.json` of the working folder, which need not be there. Throws
 * `config`, `file-unreadable`.
 */
export function readConfigFile(path: string | undefined): ConfigFile {
  const file = path ?? CONFIG_FILE;
  if (path === undefined && statSync(file, { throwIfNoEntry: false }) === undefined)
    return { config: NO_CONFIG, folder: '', name: file, file };
  return { config: read(file), folder: dirname(file), name: basename(file), file };
}

function read(file: string): Config {
  return withFile(file, source => {
    if (source.size > MAX_CONFIG_BYTES) throw new CodedError('config', `${source.size} bytes`, { file });
    return parseConfig(decode(source.read(0, source.size), file), file);
  });
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new CodedError('config', 'no UTF-8', { file }, error);
  }
}
