#!/bin/sh
# Post-image script of Buildroot: puts the reports of the kernel's BTF, the carrier and all types as one file beside the images.
#
#   post-image.sh BINARIES_DIR --source OBJTREE|OUT [--formats text,html] [--budgets FILE] [--baseline OLD.json]
#
# docs/buildroot.md has it. Budgets are written down here and checked by post-build.sh, so that the reports of a build that fails are
# there to be read.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "${0%/*}/common.sh"
read_words "$@"

images=$folder/vmlinux-btf
rm -rf "$images"
mkdir -p "$images"
for file in report.json full.btf base.btf vmlinux_btf.ko; do
  [ ! -f "$side/$file" ] || cp "$side/$file" "$images/$file"
done

set -- report "$source" --format "$formats" --to "$images"
[ ! -f "$baseline" ] || set -- "$@" --baseline "$baseline"
tool "$@"

[ -n "$budgets" ] || exit 0
set -- check "$side/report.json" --config "$budgets" --format junit --output "$images/budgets.xml"
[ -z "$baseline" ] || set -- "$@" --baseline "$baseline"
# 1 is a broken budget.
tool "$@" >/dev/null || [ $? -eq 1 ]
