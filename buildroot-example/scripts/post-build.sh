#!/bin/sh
# Post-build script of Buildroot: fails when the carrier in the target folder belongs to another kernel, or a size budget is broken.
#
#   post-build.sh TARGET_DIR --source OBJTREE|OUT [--budgets vmlinux-btf.config.json] [--baseline OLD.json]
#
# docs/buildroot.md has it. Exit codes: those of vmlinux-btf check; 1 also for a carrier that does not fit.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "${0%/*}/common.sh"
read_words "$@"

# Of modinfo, without unpacking tools of the target: whichever of the host the file needs.
carrier_wants() {
  case $1 in
    *.gz) gzip -dc <"$1" ;;
    *.xz) xz -dc <"$1" ;;
    *.zst) zstd -dc <"$1" ;;
    *) cat <"$1" ;;
  esac | tr '\000' '\n' | sed -n 's/^btf_base_sha256=//p'
}

base=$(sha256sum <"$side/base.btf")
base=${base%% *}
for carrier in "$folder"/lib/modules/*/updates/vmlinux_btf.ko*; do
  [ -f "$carrier" ] || continue
  wanted=$(carrier_wants "$carrier")
  [ "$wanted" = "$base" ] ||
    die 1 "the carrier is of another kernel build: $carrier wants BTF $wanted, $side/base.btf is $base: run make linux-rebuild, or remove it when it is left from before"
done

[ -n "$budgets" ] || exit 0
set -- check "$side/report.json" --config "$budgets"
[ -z "$baseline" ] || set -- "$@" --baseline "$baseline"
tool "$@"
