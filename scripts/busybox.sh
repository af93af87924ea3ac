#!/usr/bin/env bash
# Puts Debian's static busybox for arm64 into the cache, for the boot tests of the loader: scripts/busybox.sh
#
# It lands in $VMLINUX_BTF_CACHE/busybox/arm64 (default ~/.cache/vmlinux-btf); one that is there is kept. Like
# debian-btf.sh it leaves the machine's package lists, architectures and settings as they are.
# Needs: apt-get, dpkg-deb, tar, sed.
set -euo pipefail

cache=${VMLINUX_BTF_CACHE:-$HOME/.cache/vmlinux-btf}
target=$cache/busybox/arm64
apt=$cache/apt

die() { echo "busybox.sh: $*" >&2; exit 4; }

source "$(dirname "$0")/private-apt.sh"

[ ! -f "$target" ] || exit 0
need apt-get apt
need dpkg-deb dpkg
need tar tar
mkdir -p "$cache/busybox"
copy_sources "$apt/sources"
# The architectures of debian-btf.sh, whose lists these are too.
write_settings "$apt" amd64 arm64
apt-get -c "$apt/apt.conf" -q update >&2
work=$(mktemp -d "$cache/busybox.XXXXXX")
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get -c "$apt/apt.conf" -q download busybox-static:arm64) >&2
dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -O --wildcards '*/bin/busybox' >"$work/busybox"
chmod 755 "$work/busybox"
mv "$work/busybox" "$target"
echo "$target"
