#!/usr/bin/env bash
# Puts Debian's bpftool for other machines into the cache, for the boots that load programs with it: scripts/bpftool.sh ARCH...
#
# ARCH is an architecture of Debian: arm64, armhf, mipsel. $VMLINUX_BTF_CACHE/bpftool/ARCH (default ~/.cache/vmlinux-btf) then
# holds bin/bpftool and lib, with the libraries that it loads and the program that loads them; what is there is kept. Like
# debian-btf.sh it leaves the machine's package lists, architectures and settings as they are.
# Needs: apt-get, dpkg-deb, readelf.
set -euo pipefail

cache=${VMLINUX_BTF_CACHE:-$HOME/.cache/vmlinux-btf}
apt=$cache/apt-bpftool

die() { echo "bpftool.sh: $*" >&2; exit 4; }

source "$(dirname "$0")/private-apt.sh"

# copy_libraries FILE ROOT TO: what FILE asks for, and what that asks for. One name is one file on every architecture.
copy_libraries() {
  local name found
  for name in $(readelf -d -l "$1" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p; s/.*interpreter: .*\/(.*)\]/\1/p'); do
    [ ! -f "$3/$name" ] || continue
    found=$(find "$2" -name "$name" -path '*/lib/*' -print -quit)
    [ -n "$found" ] || die "$(basename "$1") wants $name, which no package brought"
    cp -L "$found" "$3/$name"
    copy_libraries "$3/$name" "$2" "$3"
  done
}

# fetch ARCH. What it leaves half done is removed at the end, whatever that is.
fetch() {
  write_settings "$apt" "$(dpkg --print-architecture)" "$1"
  # A mirror that is being written lacks a list for a while; whether the others do is seen when packages are asked for.
  apt-get -c "$apt/apt.conf" -q update >&2 || echo "bpftool.sh: not all package lists came" >&2
  work=$(mktemp -d "$cache/bpftool/$1.XXXXXX")
  unpack_packages "$apt" "$work/root" "bpftool:$1"
  mkdir "$work/bin" "$work/lib"
  cp "$work/root/usr/sbin/bpftool" "$work/bin/"
  copy_libraries "$work/bin/bpftool" "$work/root" "$work/lib"
  rm -rf "$work/root"
  mv "$work" "$cache/bpftool/$1"
  echo "$cache/bpftool/$1"
}

[ $# -gt 0 ] || die "name an architecture of Debian, such as arm64"
wanted=()
for arch in "$@"; do
  [ -d "$cache/bpftool/$arch" ] || wanted+=("$arch")
done
[ ${#wanted[@]} -gt 0 ] || exit 0

need apt-get apt
need dpkg-deb dpkg
need readelf binutils
mkdir -p "$cache/bpftool"
work=
trap 'rm -rf "$work"' EXIT
copy_sources "$apt/sources"
for arch in "${wanted[@]}"; do fetch "$arch"; done
