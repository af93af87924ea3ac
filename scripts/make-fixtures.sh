#!/usr/bin/env bash
# Makes test/fixtures again: builds the sample kernels (or takes them from the cache), strips their DWARF and packs
# them. Needs what scripts/kernels/build.sh needs, and `npm ci && npm run build` before.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${VMLINUX_BTF_CACHE:-$HOME/.cache/vmlinux-btf}
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT

# Kernel, cross prefix, modules. Both kernels are whole: one is booted, and of the other the whole image is measured.
kernels=(
  "armv7-virt arm-linux-gnueabihf- net/ipv4/tcp_bbr.ko drivers/net/dummy.ko"
  "mips32-malta-be mips-linux-gnu- net/ipv4/tcp_bbr.ko drivers/net/dummy.ko"
)

pairs=()
for line in "${kernels[@]}"; do
  read -r name cross modules <<<"$line"
  "$here/kernels/build.sh" "$name"
  mkdir -p "$staging/$name"
  for file in vmlinux $modules; do
    stripped=$staging/$name/$(basename "$file")
    "${cross}objcopy" --strip-debug "$cache/kernels/$name/$file" "$stripped"
    pairs+=("$name/$(basename "$file")" "$stripped")
  done
done
node "$here/../build/scripts/pack-fixtures.js" "${pairs[@]}"
