#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Whether an initramfs has the modules of the kernel that is installed: a kernel with a split BTF refuses those of before ("failed to
# validate module", -22), storage drivers among them. Needs unmkinitramfs (initramfs-tools-core) and cmp; docs/packagers.md tells the rest.
set -eu
export LC_ALL=C

if [ $# -ne 2 ]; then
  cat >&2 <<'TEXT'
usage: initramfs-check.sh INITRD MODULES

INITRD   such as /boot/initrd.img-6.12.117
MODULES  such as /lib/modules/6.12.117, of the same kernel

Exit codes:
  0  every module of the initramfs is the one that is installed, and the carrier is not among them
  1  one is another, or is not installed, or the carrier is in the initramfs, where it takes room and is of no use
  2  wrong usage
  3  the initramfs cannot be unpacked, or has no module of this release, of which nothing can be said then
  4  unmkinitramfs is missing
TEXT
  exit 2
fi
initrd=$1
# A slash at the end is what completion of a path leaves.
installed=${2%/}
release=${installed##*/}

die() {
  code=$1
  shift
  echo "initramfs-check.sh: $*" >&2
  exit "$code"
}

[ -d "$installed" ] || die 2 "$installed: no folder of modules"
command -v unmkinitramfs >/dev/null || die 4 "unmkinitramfs is missing: apt-get install initramfs-tools-core"

unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
trap 'exit 1' HUP INT TERM
unmkinitramfs "$initrd" "$unpacked" || die 3 "$initrd: it does not unpack"

list=$unpacked/modules.list
# With microcode in front of it the initramfs is in main/; lib may be a link to usr/lib.
find "$unpacked" -type f -path "*/lib/modules/$release/*" -name '*.ko*' >"$list"
count=0 wrong=0
while read -r file; do
  place=${file##*/lib/modules/"$release"/}
  count=$((count + 1))
  why=
  case $place in
    */vmlinux_btf.ko*) why='the carrier: it belongs into the root file system alone' ;;
    *)
      if [ ! -f "$installed/$place" ]; then
        why='it is not installed'
      elif ! cmp -s "$file" "$installed/$place"; then
        why='it is not the one that is installed: make the initramfs anew (update-initramfs -u)'
      fi
      ;;
  esac
  if [ -n "$why" ]; then
    echo "$initrd: $place: $why" >&2
    wrong=$((wrong + 1))
  fi
done <"$list"
[ "$count" -gt 0 ] || die 3 "$initrd: no module of $release is in it: is it the initramfs of this kernel?"
echo "$initrd: $count modules, $wrong wrong"
[ "$wrong" -eq 0 ]
