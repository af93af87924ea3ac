#!/usr/bin/env bash
# Makes test/fixtures again, or those of the kernels named: scripts/make-fixtures.sh [bpf] [KERNEL...]
#
# Compiles the BPF programs; builds the sample kernels (or takes them from the cache), strips their DWARF, trims some (see
# trim-kernel.ts) and packs them. Needs clang-16 and llvm-16, what scripts/kernels/build.sh needs, and `npm ci && npm run build`
# before. With the argument `bpf` it makes the BPF programs alone.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${VMLINUX_BTF_CACHE:-$HOME/.cache/vmlinux-btf}

# Compiled where they stand, and without the name of that folder: it would be in the object's line information.
for source in "$here"/../test/fixtures/bpf/*.bpf.c; do
  for target in bpfel bpfeb; do
    (
      cd "$(dirname "$source")"
      name=$(basename "$source") object=$(basename "${source%.bpf.c}").$target.o
      clang-16 -target "$target" -g -O2 -Wall -Werror -ffile-prefix-map="$PWD"=. -c "$name" -o "$object"
      llvm-strip-16 --strip-debug "$object"
    )
  done
done
[ "${1:-}" != bpf ] || exit 0

staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT

# Kernel, cross prefix, whole or trimmed, its vmlinux, modules. Whole are the two that the tests boot and the one whose
# image the report measures.
kernels=(
  "arm64-virt aarch64-linux-gnu- whole vmlinux net/ipv4/netfilter/nf_defrag_ipv4.ko net/ipv6/netfilter/nf_defrag_ipv6.ko
    net/netfilter/nf_conntrack.ko net/netfilter/nf_nat.ko net/ipv4/tcp_bbr.ko drivers/net/dummy.ko"
  "armv7-virt arm-linux-gnueabihf- whole vmlinux net/ipv4/tcp_bbr.ko drivers/net/dummy.ko"
  "mips32-malta-be mips-linux-gnu- whole vmlinux net/ipv4/tcp_bbr.ko drivers/net/dummy.ko"
  "armv7-virt-7.2 arm-linux-gnueabihf- trimmed vmlinux net/ipv4/tcp_bbr.ko drivers/net/dummy.ko"
  "mips64-malta-be mips-linux-gnu- trimmed vmlinux net/ipv4/tcp_bbr.ko drivers/net/dummy.ko"
  "riscv64-virt riscv64-linux-gnu- trimmed vmlinux.relocs net/ipv4/tcp_bbr.ko drivers/net/dummy.ko"
  "x86_64-pc x86_64-linux-gnu- trimmed vmlinux net/ipv4/tcp_bbr.ko drivers/net/dummy.ko"
)

wanted() { [ $# -eq 1 ] || [[ " ${*:2} " == *" $1 "* ]]; }

arguments=()
for line in "${kernels[@]}"; do
  read -r -d '' name cross extent vmlinux modules <<<"$line" || true
  wanted "$name" "$@" || continue
  "$here/kernels/build.sh" "$name"
  mkdir -p "$staging/$name"
  for file in "$vmlinux" $modules; do
    target=$(basename "${file/%vmlinux.relocs/vmlinux}")
    # --remove-relocations: what --emit-relocs left; .rela.dyn, which the kernel applies to itself, is none of that.
    options=(--strip-debug)
    [ "$file" != vmlinux.relocs ] || options+=(--remove-relocations='*')
    "${cross}objcopy" "${options[@]}" "$cache/kernels/$name/$file" "$staging/$name/$target"
    if [ "$extent $target" = "trimmed vmlinux" ]; then
      arguments+=(--trim)
      for unread in '$[adtx]*' '.L*' '__efistub_*' '__pi_*' '__ksymtab*' '__kstrtab*' '!__crc_module_layout' '__crc_*'; do
        options+=(--strip-symbol="$unread")
      done
      "${cross}objcopy" --wildcard "${options[@]}" "$staging/$name/$target"
    fi
    arguments+=("$name/$target" "$staging/$name/$target")
  done
  if [ "$name" = armv7-virt-7.2 ]; then
    "$here/kernels/layout-btf.sh" "$cache/kernels/$name" net/ipv4/bpf_tcp_ca.o "$staging/$name/layout.btf"
    arguments+=("$name/layout.btf" "$staging/$name/layout.btf")
  fi
done
[ ${#arguments[@]} -gt 0 ] || { echo "make-fixtures.sh: no kernel called $*" >&2; exit 4; }
node "$here/../build/scripts/pack-fixtures.js" "${arguments[@]}"
