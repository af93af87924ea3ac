#!/usr/bin/env bash
# Builds a sample kernel from Debian's linux-source package: scripts/kernels/build.sh NAME...
#
# NAME is a fragment of this folder without its ending (armv7-virt, mips32-malta-be). The object tree stays in
# $VMLINUX_BTF_CACHE/kernels/NAME (default ~/.cache/vmlinux-btf), where make-fixtures and the tests find it.
# Needs: linux-source-6.12, the cross compiler, pahole (dwarves), flex, bison, bc, libelf-dev, libssl-dev.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${VMLINUX_BTF_CACHE:-$HOME/.cache/vmlinux-btf}
version=6.12
tarball=/usr/src/linux-source-$version.tar.xz
source=$cache/src/linux-source-$version

# The same input gives the same bytes: without a fixed time pahole runs in parallel and orders types as it likes.
export KBUILD_BUILD_TIMESTAMP='2026-01-01 00:00:00 UTC' KBUILD_BUILD_USER=builder KBUILD_BUILD_HOST=vmlinux-btf

die() { echo "build.sh: $*" >&2; exit 4; }

target_of() {
  case $1 in
    armv7-*) echo "arm arm-linux-gnueabihf- zImage" ;;
    mips32-*-be) echo "mips mips-linux-gnu- vmlinux" ;;
    mips32-*-le) echo "mips mipsel-linux-gnu- vmlinux" ;;
    *) die "no architecture known for '$1'" ;;
  esac
}

[ $# -gt 0 ] || die "name a kernel: $(cd "$here" && ls -- *.config | grep -v common | sed 's/\.config$//' | tr '\n' ' ')"
if [ ! -d "$source" ]; then
  [ -f "$tarball" ] || die "$tarball is missing: apt-get install linux-source-$version"
  mkdir -p "$cache/src"
  tar -C "$cache/src" -xf "$tarball"
fi

for name in "$@"; do
  [ -f "$here/$name.config" ] || die "no fragment $name.config in scripts/kernels"
  read -r arch cross image <<<"$(target_of "$name")"
  command -v "${cross}gcc" >/dev/null || die "${cross}gcc is missing: apt-get install gcc-${cross%-}"
  command -v pahole >/dev/null || die "pahole is missing: apt-get install dwarves"
  out=$cache/kernels/$name
  mkdir -p "$out"
  make=(make -s -C "$source" "O=$out" "ARCH=$arch" "CROSS_COMPILE=$cross")
  "${make[@]}" allnoconfig
  cat "$here/common.config" "$here/$name.config" >>"$out/.config"
  "${make[@]}" olddefconfig
  grep -q '^CONFIG_DEBUG_INFO_BTF=y' "$out/.config" || die "$name: CONFIG_DEBUG_INFO_BTF did not survive olddefconfig (pahole too old?)"
  "${make[@]}" "-j$(nproc)" "$image" modules
  echo "$out/vmlinux"
done
