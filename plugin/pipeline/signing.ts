import { type FileSource, withFile } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import { hashSource } from '../host/hash.js';
import { Signer } from '../host/sign-file.js';
import type { KernelConfig } from '../modules/kconfig.js';
import { FRAME_BYTES, type SignedFile, withoutSignature } from '../modules/signature.js';

export interface SigningOptions {
  readonly signKey?: string | undefined;
  readonly signCert?: string | undefined;
  /** Path of the kernel's sign-file, where it is not found by itself. */
  readonly signFile?: string | undefined;
  /** .config of the kernel, where vmlinux has none in it; sign-file is looked for beside it. */
  readonly kconfig?: string | undefined;
}

/** Whether this kernel takes modules without signature, and how modules are signed. */
export interface Signing {
  /** The option that makes the kernel refuse unsigned modules; undefined when none does, or the configuration is unknown. */
  readonly forced: string | undefined;
  readonly signer: Signer | undefined;
  /** Of the kernel's configuration; undefined when that is unknown. */
  readonly hash: string | undefined;
}

/** What a hash is when neither the kernel's configuration nor a former signature tells. */
const DEFAULT_HASH = 'sha256';

/** `file`: what is split; `config`: of its kernel, where it is known. Throws `usage`, `tool-missing`, `file-unreadable`. */
export async function prepareSigning(
  options: SigningOptions,
  file: string,
  config: KernelConfig | undefined,
): Promise<Signing> {
  const { signKey, signCert, signFile, kconfig } = options;
  if ((signKey === undefined) !== (signCert === undefined))
    throw new CodedError('usage', '--sign-key and --sign-cert go together');
  const near = kconfig === undefined ? [file] : [kconfig, file];
  return {
    forced: config && (await import('../modules/kconfig.js')).forcedBy(config),
    hash: config?.get('MODULE_SIG_HASH'),
    signer:
      signKey === undefined || signCert === undefined
        ? undefined
        : new Signer({ key: signKey, certificate: signCert }, signFile, near),
  };
}

/**
 * Signs a file in place, where there is a key, and looks whether it was done: a signature stands behind the very bytes that stood
 * there before. `former`: the hash of a signature that it had. Throws `tool-failed`.
 */
export async function signFile(file: string, { signer, hash }: Signing, former?: string): Promise<void> {
  if (signer === undefined) return;
  const before = withFile(file, hashSource);
  await signer.sign(file, hash ?? former ?? DEFAULT_HASH);
  const failure = withFile(file, source => {
    const { body, signatureBytes } = signatureOf(source);
    if (signatureBytes <= FRAME_BYTES) return 'sign-file made no signature';
    return hashSource(body) === before ? undefined : 'sign-file changed what it signed';
  });
  if (failure !== undefined) throw new CodedError('tool-failed', failure, { file });
}

function signatureOf(source: FileSource): SignedFile {
  try {
    return withoutSignature(source);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw new CodedError('tool-failed', `sign-file made ${error.detail}`, { file: source.name }, error);
  }
}
