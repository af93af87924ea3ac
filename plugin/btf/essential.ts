const UNDERSCORE = 0x5f;

/**
 * Bytes of a name without its flavour: `foo___x` counts as `foo`. The last `___` between two characters that are no
 * underscores ends it (libbpf's bpf_core_essential_name_len). `length`: bytes of the name at `offset`.
 */
export function essentialLength(bytes: Uint8Array, offset: number, length: number): number {
  for (let at = offset + length - 5; at >= offset; at--) {
    if (
      bytes[at] !== UNDERSCORE &&
      bytes[at + 1] === UNDERSCORE &&
      bytes[at + 2] === UNDERSCORE &&
      bytes[at + 3] === UNDERSCORE &&
      bytes[at + 4] !== UNDERSCORE
    )
      return at + 1 - offset;
  }
  return length;
}

/** The same of a text in which each character is a byte. */
export function essentialName(name: string): string {
  for (let at = name.lastIndexOf('___'); at > 0; at = name.lastIndexOf('___', at - 1)) {
    const after = name[at + 3];
    if (name[at - 1] !== '_' && after !== undefined && after !== '_') return name.slice(0, at);
  }
  return name;
}
