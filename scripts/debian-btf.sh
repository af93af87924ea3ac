#!/usr/bin/env bash
# Puts the BTF of Debian's amd64 and arm64 kernels 6.1 and 6.12 into the cache: scripts/debian-btf.sh
#
# They land in $VMLINUX_BTF_CACHE/debian-btf/ARCH-VERSION.btf (default ~/.cache/vmlinux-btf), where the tests find
# them; what is there is kept. The packages come from this machine's own apt sources, through an apt directory of our
# own in the cache: the machine's package lists, architectures and settings stay as they are.
# Needs: apt-get, dpkg-deb, tar, sed, node, a built repository (npm run build), and xz, zstd or lz4 as the kernel asks.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
cache=${VMLINUX_BTF_CACHE:-$HOME/.cache/vmlinux-btf}
out=$cache/debian-btf
apt=$cache/apt
extract=$repository/build/scripts/extract-btf.js
architectures=(amd64 arm64)
versions=(6.1 6.12)

die() { echo "debian-btf.sh: $*" >&2; exit 4; }

source "$repository/scripts/private-apt.sh"

# fetch VERSION ARCH TARGET: no cloud, rt or debug flavour.
fetch() {
  local package work
  package=$(newest_kernel "$apt" "$1" "$2")
  [ -n "$package" ] || die "no linux-image-$1 for $2 in this machine's apt sources (Debian 12 has it in main and security)"
  work=$(mktemp -d "$cache/debian-btf.XXXXXX")
  trap "rm -rf '$work'" EXIT
  (cd "$work" && apt-get -c "$apt/apt.conf" -q download "$package:$2") >&2
  dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -O --wildcards './boot/vmlinuz-*' >"$work/vmlinuz"
  rm "$work"/*.deb
  node "$extract" "$work/vmlinuz" "$work/btf"
  mv "$work/btf" "$3"
  rm -rf "$work"
  trap - EXIT
  echo "$3: $package"
}

wanted=()
for arch in "${architectures[@]}"; do
  for version in "${versions[@]}"; do
    [ -f "$out/$arch-$version.btf" ] || wanted+=("$version $arch")
  done
done
[ ${#wanted[@]} -gt 0 ] || exit 0

need apt-get apt
need dpkg-deb dpkg
need tar tar
need node nodejs
[ -f "$extract" ] || die "build/scripts/extract-btf.js is missing: npm run build"
mkdir -p "$out"
copy_sources "$apt/sources"
write_settings "$apt" "${architectures[@]}"
apt-get -c "$apt/apt.conf" -q update >&2
for item in "${wanted[@]}"; do
  read -r version arch <<<"$item"
  fetch "$version" "$arch" "$out/$arch-$version.btf"
done
