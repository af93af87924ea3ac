#!/usr/bin/env bash
# Puts boot images of Debian's kernels, each with a module, into the cache: scripts/debian-images.sh
#
# They land in $VMLINUX_BTF_CACHE/debian-images/ARCH-VERSION/{vmlinuz,MODULE.ko*,package} (default ~/.cache/vmlinux-btf),
# where test/cli/debian-images.test.ts finds them; what is there is kept. The packages (60 to 100 MB each, not kept) come
# from this machine's own apt sources, through an apt directory of our own: the machine's settings stay as they are.
# Needs: apt-get, dpkg-deb, tar, sed.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
out=${VMLINUX_BTF_CACHE:-$HOME/.cache/vmlinux-btf}/debian-images
# VERSION ARCH FLAVOUR MODULE
wanted=(
  '6.1 arm64 arm64 tcp_bbr' '6.1 amd64 amd64 tcp_bbr' '6.12 arm64 arm64 tcp_bbr' '6.12 amd64 amd64 tcp_bbr'
  '6.1 armhf armmp tcp_bbr' '6.1 mipsel 4kc-malta tcp_bbr' '6.1 s390x s390x tcp_bbr'
)

die() { echo "debian-images.sh: $*" >&2; exit 4; }

source "$repository/scripts/private-apt.sh"

# fetch VERSION ARCH FLAVOUR MODULE, with the apt directory $apt
fetch() {
  local package work
  package=$(newest_kernel "$apt" "$1" "$3")
  [ -n "$package" ] || die "no linux-image-$1 for $2 in this machine's apt sources (Debian 12 has it in main and security)"
  work=$(mktemp -d "$out/.fetch.XXXXXX")
  trap "rm -rf '$work'" EXIT
  (cd "$work" && apt-get -c "$apt/apt.conf" -q download "$package:$2") >&2
  mkdir "$work/kernel"
  # MIPS kernels are called vmlinux, as they are ELF files.
  dpkg-deb --fsys-tarfile "$work"/*.deb |
    tar -x -C "$work/kernel" --wildcards --no-anchored --strip-components=2 'boot/vmlinu[xz]-*' "$4.ko*" ||
    die "$package:$2 lacks a boot image or $4"
  rm "$work"/*.deb
  mv "$work/kernel"/vmlinu[xz]-* "$work/kernel/vmlinuz"
  find "$work/kernel" -mindepth 2 -type f -exec mv -t "$work/kernel" {} +
  find "$work/kernel" -mindepth 1 -type d -empty -delete
  echo "$package:$2" >"$work/kernel/package"
  mv "$work/kernel" "$out/$2-$1"
  rm -rf "$work"
  trap - EXIT
  echo "$out/$2-$1: $package"
}

missing=()
for item in "${wanted[@]}"; do
  read -r version arch _ <<<"$item"
  [ -d "$out/$arch-$version" ] || missing+=("$item")
done
[ ${#missing[@]} -gt 0 ] || exit 0
rm -rf "$out/.apt"

need apt-get apt
need dpkg-deb dpkg
need tar tar
for item in "${missing[@]}"; do
  read -r version arch flavour module <<<"$item"
  # Lists of its own for each architecture: where one of them does not come, apt takes none of that mirror.
  apt=$out/.apt/$arch
  if [ ! -f "$apt/apt.conf" ]; then
    mkdir -p "$apt"
    copy_sources "$apt/sources"
    write_settings "$apt" "$arch"
    apt-get -c "$apt/apt.conf" -q update >&2 || echo "debian-images.sh: not all package lists of $arch came" >&2
  fi
  fetch "$version" "$arch" "$flavour" "$module"
done
rm -rf "$out/.apt"
