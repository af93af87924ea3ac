const UNDERSCORE = 0x5f;
const SEPARATOR = '___';

/**
 * Whether a `___` between two characters ends an essential name: both are there and are no underscores (libbpf's
 * bpf_core_essential_name_len). NaN stands for none.
 */
function separates(before: number, after: number): boolean {
  return before > 0 && before !== UNDERSCORE && after > 0 && after !== UNDERSCORE;
}

/** A name without its flavour: `foo___x` counts as `foo`. The last separator ends it. Each character is a byte. */
export function essentialName(name: string): string {
  for (let at = name.lastIndexOf(SEPARATOR); at > 0; at = name.lastIndexOf(SEPARATOR, at - 1))
    if (separates(name.charCodeAt(at - 1), name.charCodeAt(at + 3))) return name.slice(0, at);
  return name;
}

/** Offsets in a string section at which a flavour starts, of every name, ascending. */
export function flavours({ buffer, byteOffset, byteLength }: Uint8Array): number[] {
  const strings = Buffer.from(buffer, byteOffset, byteLength);
  const found: number[] = [];
  for (let at = strings.indexOf(SEPARATOR, 1); at >= 0; at = strings.indexOf(SEPARATOR, at + 1))
    if (separates(strings[at - 1], strings[at + 3])) found.push(at);
  return found;
}
