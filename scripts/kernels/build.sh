#!/usr/bin/env bash
# Builds a sample kernel from Debian's linux-source package: scripts/kernels/build.sh NAME...
#
# NAME is a fragment of this folder without its ending, such as arm64-virt. The object tree stays in
# $VMLINUX_BTF_CACHE/kernels/NAME (default ~/.cache/vmlinux-btf), where make-fixtures and the tests find it. Two more names
# share the fragment of armv7-virt-lean: armv7-virt-llvm-lean is built by LLVM through ccache, armv7-virt-6.1-lean from Linux 6.1.
# A NAME that ends with -7.2 or -7.2-boot is built from Linux 7.2 with the pahole of a newer Debian, which newer.sh puts
# into the cache. scripts/kernels/build.sh --words NAME prints the words of make that all calls for NAME have, one a line.
# Needs: linux-source-6.12 (6.1), the cross compiler (or clang-16, lld-16, llvm-16 and ccache), pahole (dwarves), flex, bison, bc,
# libelf-dev, libssl-dev.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${VMLINUX_BTF_CACHE:-$HOME/.cache/vmlinux-btf}
stable=6.12

# The same input gives the same bytes: without a fixed time pahole runs in parallel and orders types as it likes.
export KBUILD_BUILD_TIMESTAMP='2026-01-01 00:00:00 UTC' KBUILD_BUILD_USER=builder KBUILD_BUILD_HOST=vmlinux-btf

die() { echo "build.sh: $*" >&2; exit 4; }

# Architecture, prefix of the compiler, image, and the fragments that NAME's own is added to: lean turns off what neither names.
target_of() {
  case $1 in
    arm64-*-boot) echo "arm64 aarch64-linux-gnu- Image common proof" ;;
    arm64-*) echo "arm64 aarch64-linux-gnu- Image common" ;;
    armv7-*-lean) echo "arm arm-linux-gnueabihf- zImage lean boot" ;;
    armv7-*-boot) echo "arm arm-linux-gnueabihf- zImage common proof" ;;
    armv7-*-7.2) echo "arm arm-linux-gnueabihf- vmlinux lean" ;;
    armv7-*) echo "arm arm-linux-gnueabihf- zImage common" ;;
    mips32-*-be-boot | mips32-*-be-7.2-boot) echo "mips mips-linux-gnu- vmlinux common proof" ;;
    mips32-*-be) echo "mips mips-linux-gnu- vmlinux common" ;;
    mips32-*-le-boot) echo "mips mipsel-linux-gnu- vmlinux common proof" ;;
    mips64-*-be) echo "mips mips-linux-gnu- vmlinux lean" ;;
    riscv64-*) echo "riscv riscv64-linux-gnu- vmlinux lean" ;;
    x86_64-*) echo "x86_64 x86_64-linux-gnu- vmlinux lean" ;;
    *) die "no architecture known for '$1'" ;;
  esac
}

# The unpacked source of a version.
source_of() {
  local source=$cache/src/linux-source-$1 tarball=/usr/src/linux-source-$1.tar.xz
  if [ "$1" = 7.2 ]; then
    "$here/newer.sh" "$1"
  elif [ ! -d "$source" ]; then
    [ -f "$tarball" ] || die "$tarball is missing: apt-get install linux-source-$1"
    mkdir -p "$cache/src"
    tar -C "$cache/src" -xf "$tarball"
  fi
  echo "$source"
}

# Fragments that stand for a kernel: all but those that others are added to.
names() {
  local file
  for file in "$here"/*-*.config; do basename "$file" .config; done
}

[ $# -gt 0 ] || die "name a kernel: $(names | tr '\n' ' ')"

words=
if [ "$1" = --words ]; then words=1 && shift; fi

for name in "$@"; do
  own=${name/-llvm-/-}
  own=$here/${own/-6.1-/-}.config
  [ -f "$own" ] || die "no fragment ${own##*/} in scripts/kernels"
  read -r arch cross image bases <<<"$(target_of "$name")"
  command -v "${cross}gcc" >/dev/null || die "${cross}gcc is missing: apt-get install gcc-${cross%-}"
  case $name in
    *-7.2 | *-7.2-boot) version=7.2 pahole=$cache/pahole/pahole ;;
    *-6.1-*) version=6.1 pahole=$(command -v pahole) || die "pahole is missing: apt-get install dwarves" ;;
    *) version=$stable pahole=$(command -v pahole) || die "pahole is missing: apt-get install dwarves" ;;
  esac
  source=$(source_of "$version")
  out=$cache/kernels/$name
  make=(make -s -C "$source" "ARCH=$arch" "CROSS_COMPILE=$cross" "PAHOLE=$pahole")
  # scripts/pahole-flags.sh of 6.1 asks for -j whatever the time is: of functions of one name it then keeps which it likes.
  if [ "$version" = 6.1 ]; then make+=('PAHOLE_FLAGS=--btf_gen_floats --lang_exclude=rust'); fi
  if [[ $name == *-llvm-* ]]; then
    for tool in clang-16 ld.lld-16 llvm-objcopy-16 ccache; do
      command -v "$tool" >/dev/null || die "$tool is missing: apt-get install clang-16 lld-16 llvm-16 ccache"
    done
    make+=(LLVM=-16 'CC=ccache clang-16')
  fi
  if [ -n "$words" ]; then
    printf '%s\n' "${make[@]}"
    continue
  fi
  make+=("O=$out")
  mkdir -p "$out"
  more=$bases
  case $bases in
    lean*)
      more=${bases#lean}
      cat "$here/lean.config" "$own" >"$out/all.config"
      "${make[@]}" KCONFIG_ALLCONFIG="$out/all.config" allnoconfig
      ;;
    *) "${make[@]}" allnoconfig ;;
  esac
  if [ -n "$more" ]; then
    # Options that these fragments make visible take their defaults.
    for fragment in $more; do cat "$here/$fragment.config" >>"$out/.config"; done
    cat "$own" >>"$out/.config"
    "${make[@]}" olddefconfig
  fi
  grep -q '^CONFIG_DEBUG_INFO_BTF=y' "$out/.config" || die "$name: CONFIG_DEBUG_INFO_BTF did not survive olddefconfig (pahole too old?)"
  "${make[@]}" "-j$(nproc)" "$image" modules
  echo "$out/vmlinux"
done
