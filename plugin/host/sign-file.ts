import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CodedError } from '../errors.js';

export interface SigningKey {
  /** PEM file or PKCS#11 URI, as the kernel's sign-file takes it. */
  readonly key: string;
  /** X.509 certificate, DER or PEM. */
  readonly certificate: string;
}

/** Signs modules with the kernel's own scripts/sign-file. */
export class Signer {
  readonly #tool: string;
  readonly #key: SigningKey;

  /**
   * `tool`: path of sign-file; else it is looked for below the folders of `near`, and where Debian puts it. Throws
   * `tool-missing`, `file-unreadable`.
   */
  constructor(key: SigningKey, tool: string | undefined, near: readonly string[]) {
    this.#tool = tool === undefined ? findTool(near) : resolve(tool);
    this.#key = { key: isUri(key.key) ? key.key : resolve(key.key), certificate: resolve(key.certificate) };
    if (!existsSync(this.#tool)) throw new CodedError('tool-missing', 'sign-file', { file: this.#tool });
    for (const file of [this.#key.key, this.#key.certificate])
      if (!isUri(file) && !existsSync(file)) throw new CodedError('file-unreadable', 'ENOENT', { file });
  }

  /** Appends a signature to a file, in place. `hash`: as sign-file calls it. Throws `tool-failed`. */
  async sign(file: string, hash: string): Promise<void> {
    const { execa } = await import('execa');
    const result = await execa(this.#tool, [hash, this.#key.key, this.#key.certificate, resolve(file)], {
      stdin: 'ignore',
      reject: false,
    });
    if (result.failed) {
      const said = `${result.stderr}`.split('\n').find(line => line.trim() !== '') ?? '';
      throw new CodedError('tool-failed', `sign-file ${hash}: ${said || result.shortMessage || 'no reason given'}`, {
        file,
      });
    }
  }
}

function isUri(key: string): boolean {
  return key.startsWith('pkcs11:');
}

const DEBIAN_FOLDER = '/usr/lib';

function findTool(near: readonly string[]): string {
  const debian = existsSync(DEBIAN_FOLDER)
    ? readdirSync(DEBIAN_FOLDER)
        .filter(name => name.startsWith('linux-kbuild-'))
        .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
        .map(name => join(DEBIAN_FOLDER, name))
    : [];
  const found = [...near.map(file => dirname(resolve(file))), ...debian]
    .map(folder => join(folder, 'scripts', 'sign-file'))
    .find(path => existsSync(path));
  if (found === undefined)
    throw new CodedError('tool-missing', 'sign-file of the kernel build: pass it with --sign-file');
  return found;
}
