#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The second package of a kernel that `make bindeb-pkg` packed: linux-btf-RELEASE, the carrier below updates/, for exactly that
# linux-image package. Needs dpkg-deb, modinfo and sha256sum; docs/packagers.md tells the rest.
set -eu
export LC_ALL=C
# modinfo is where a user of Debian does not look.
PATH=$PATH:/usr/sbin:/sbin

usage() {
  cat <<'TEXT'
usage: btf-deb.sh [--autoload] OBJTREE [FOLDER]

Packs OBJTREE/.vmlinux-btf/vmlinux_btf.ko as linux-btf-RELEASE_VERSION_ARCH.deb into FOLDER (default: the parent of OBJTREE, where
bindeb-pkg leaves its own). OBJTREE is the object tree of a `make bindeb-pkg` through vmlinux-btf kbuild.

  --autoload  load it at boot (a file in modules-load.d)
TEXT
}

die() {
  echo "btf-deb.sh: $*" >&2
  exit 3
}

autoload=
if [ "${1:-}" = --autoload ]; then autoload=1 && shift; fi
case ${1:-} in
  '' | -*)
    usage >&2
    exit 2
    ;;
esac
objtree=$1
folder=${2:-$objtree/..}
command -v modinfo >/dev/null || die "modinfo is missing: apt-get install kmod"

release=$(cat "$objtree/include/config/kernel.release") || die "$objtree: no kernel was built here"
carrier=$objtree/.vmlinux-btf/vmlinux_btf.ko
[ -f "$carrier" ] || die "$carrier is missing: build through vmlinux-btf kbuild -- make … bindeb-pkg"
for file in arch changelog control; do
  [ -f "$objtree/debian/$file" ] || die "$objtree/debian/$file is missing: run bindeb-pkg first"
done
arch=$(cat "$objtree/debian/arch")
version=$(sed -n '1s/^[^(]*(\([^)]*\)).*/\1/p' "$objtree/debian/changelog")
maintainer=$(sed -n 's/^Maintainer: *//p' "$objtree/debian/control" | head -n 1)
grep -q "^Package: linux-image-$release\$" "$objtree/debian/control" ||
  die "$objtree/debian/control has no linux-image-$release: run bindeb-pkg again"

# The carrier belongs to one vmlinux.
base=$(modinfo -F btf_base_sha256 "$carrier")
hash=$(sha256sum "$objtree/.vmlinux-btf/base.btf")
[ "$base" = "${hash%% *}" ] || die "$carrier is not of base.btf beside it: run vmlinux-btf kbuild --finish $objtree"

image=$objtree/../linux-image-${release}_${version}_$arch.deb
if [ -f "$image" ] && [ -n "$(find "$objtree/.vmlinux-btf/link.json" -newer "$image")" ]; then
  die "$objtree was linked after $image was packed: run vmlinux-btf kbuild -- make … bindeb-pkg again"
fi

name=linux-btf-$release
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
trap 'exit 1' HUP INT TERM
umask 022
chmod 755 "$stage"
install -D -m 644 "$carrier" "$stage/lib/modules/$release/updates/vmlinux_btf.ko"
install -D -m 644 "$objtree/.vmlinux-btf/report.txt" "$stage/usr/share/doc/$name/report.txt"
if [ -n "$autoload" ]; then
  mkdir -p "$stage/usr/lib/modules-load.d"
  echo vmlinux_btf >"$stage/usr/lib/modules-load.d/$name.conf"
fi
mkdir "$stage/DEBIAN"
cat >"$stage/DEBIAN/control" <<TEXT
Package: $name
Version: $version
Architecture: $arch
Maintainer: $maintainer
Section: kernel
Priority: optional
Depends: linux-image-$release (= $version), kmod
Description: BTF of Linux $release that its vmlinux does not hold
 vmlinux of linux-image-$release has the mandatory part of its BTF. This module has the
 rest: loaded, all types of the kernel are in /sys/kernel/btf.
TEXT
# Any root file system may be where this is unpacked, a chroot or an image too: depmod follows no running kernel.
cat >"$stage/DEBIAN/postinst" <<TEXT
#!/bin/sh
set -e
if [ "\$1" = configure ]; then depmod -a '$release'; fi
TEXT
cat >"$stage/DEBIAN/postrm" <<TEXT
#!/bin/sh
set -e
if [ "\$1" = remove ] && [ -e '/lib/modules/$release/modules.dep' ]; then depmod -a '$release'; fi
TEXT
chmod 755 "$stage/DEBIAN/postinst" "$stage/DEBIAN/postrm"
# Files as old as the changelog: the same input gives the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(date -u -d "$(sed -n 's/^ -- .*>  //p' "$objtree/debian/changelog" | head -n 1)" +%s)}
export SOURCE_DATE_EPOCH
find "$stage" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group --build "$stage" "$folder/${name}_${version}_$arch.deb"
