#!/usr/bin/env bash
# Puts Linux's source and pahole of a newer Debian into the cache: scripts/kernels/newer.sh VERSION, such as 7.2
#
# They come from Debian's suite sid, at the mirrors of this machine's own apt sources, and are unpacked, not installed:
# $VMLINUX_BTF_CACHE/src/linux-source-VERSION and $VMLINUX_BTF_CACHE/pahole/pahole, a script that runs the new pahole
# with the C library of its own suite. What is there is kept.
# Needs: apt-get, dpkg-deb, tar, xz.
set -euo pipefail

repository=$(cd "$(dirname "$0")/../.." && pwd)
cache=${VMLINUX_BTF_CACHE:-$HOME/.cache/vmlinux-btf}
apt=$cache/apt-newer
version=${1:?which version}
source=$cache/src/linux-source-$version
pahole=$cache/pahole

die() { echo "newer.sh: $*" >&2; exit 4; }

source "$repository/scripts/private-apt.sh"

[ ! -d "$source" ] || [ ! -x "$pahole/pahole" ] || exit 0
need apt-get apt
need dpkg-deb dpkg
need xz xz-utils
copy_sources "$apt/sources"
use_suite "$apt/sources" sid
write_settings "$apt" "$(dpkg --print-architecture)"
apt-get -c "$apt/apt.conf" -q update >&2

if [ ! -d "$source" ]; then
  work=$(mktemp -d "$cache/newer.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get -c "$apt/apt.conf" -q download "linux-source-$version") >&2
  mkdir -p "$cache/src"
  dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -O "./usr/src/linux-source-$version.tar.xz" | tar -C "$work" -xJ
  mv "$work/linux-source-$version" "$source"
fi

if [ ! -x "$pahole/pahole" ]; then
  rm -rf "$pahole"
  unpack_packages "$apt" "$pahole/root" pahole
  loader=$(cd "$pahole/root" && ls -d usr/lib/*/ld-linux*.so.* | head -n 1)
  cat >"$pahole/pahole.new" <<SCRIPT
#!/bin/sh
exec "$pahole/root/$loader" --library-path "$pahole/root/${loader%/*}" "$pahole/root/usr/bin/pahole" "\$@"
SCRIPT
  chmod +x "$pahole/pahole.new"
  "$pahole/pahole.new" --version >&2
  mv "$pahole/pahole.new" "$pahole/pahole"
fi
