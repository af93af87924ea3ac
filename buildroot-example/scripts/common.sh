# shellcheck shell=sh disable=SC2034
# What post-build.sh and post-image.sh share: the words after the folder that Buildroot names first. Buildroot gives both scripts
# the same words (BR2_ROOTFS_POST_SCRIPT_ARGS), so each knows the options of the other.

# die CODE WORDS...
die() {
  code=$1
  shift
  echo "vmlinux-btf: $*" >&2
  exit "$code"
}

# Sets $folder, $source, $side (the folder with report.json and base.btf), $formats, $budgets and $baseline.
read_words() {
  [ $# -gt 0 ] || die 2 "wrong usage (no folder): ${0##*/}: it is called by Buildroot"
  folder=$1 source='' formats=text budgets='' baseline=''
  shift
  while [ $# -gt 0 ]; do
    [ $# -gt 1 ] || die 2 "wrong usage ($1 without a value): BR2_ROOTFS_POST_SCRIPT_ARGS: see docs/buildroot.md"
    case $1 in
      --source) source=$2 ;;
      --formats) formats=$2 ;;
      --budgets) budgets=$2 ;;
      --baseline) baseline=$2 ;;
      *) die 2 "wrong usage ($1): BR2_ROOTFS_POST_SCRIPT_ARGS: see docs/buildroot.md" ;;
    esac
    shift 2
  done
  [ -n "$source" ] || die 2 "wrong usage (no --source): BR2_ROOTFS_POST_SCRIPT_ARGS: name the object tree of the kernel or the out folder of a split"
  side=$source
  [ ! -d "$source/.vmlinux-btf" ] || side=$source/.vmlinux-btf
  [ -f "$side/report.json" ] ||
    die 3 "no split here: $source: build the kernel through vmlinux-btf kbuild, or name the out folder of a split with --source"
}

# The program: as given, of this build, or the first on PATH.
tool() {
  if [ -n "${VMLINUX_BTF:-}" ]; then
    "$VMLINUX_BTF" "$@"
  elif [ -x "${HOST_DIR:-}/bin/vmlinux-btf" ]; then
    "$HOST_DIR/bin/vmlinux-btf" "$@"
  else
    command -v vmlinux-btf >/dev/null ||
      die 4 "a tool of the host is missing (vmlinux-btf): PATH: enable BR2_PACKAGE_HOST_VMLINUX_BTF, or set VMLINUX_BTF to its path"
    vmlinux-btf "$@"
  fi
}
