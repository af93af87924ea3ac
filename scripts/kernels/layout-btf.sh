#!/usr/bin/env bash
# Makes BTF with a layout section (a header of 32 bytes): scripts/kernels/layout-btf.sh OBJECT-TREE OBJECT OUT
#
# pahole 1.31 and newer write one when they stand on a libbpf that can; Debian's stands on libbpf 1.7, which cannot. So
# the BTF that pahole makes of one object file is written again by the libbpf of the kernel's own tools (Linux 7.1).
# Needs: gcc, libelf-dev, zlib1g-dev, a kernel that build.sh built, whose tools brought their libbpf.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${VMLINUX_BTF_CACHE:-$HOME/.cache/vmlinux-btf}
tree=$1 object=$2 out=$3
libbpf=$tree/tools/bpf/resolve_btfids/libbpf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cache/pahole/pahole" -J --btf_features=encode_force,var,float,enum64,decl_tag,type_tag,consistent_func,decl_tag_kfuncs \
  "--btf_encode_detached=$work/btf" "$tree/$object"
gcc -O1 -Wall -Wextra "-I$libbpf/include" -o "$work/add-layout" "$here/add-layout.c" "$libbpf/libbpf.a" -lelf -lz
"$work/add-layout" "$work/btf" "$out"
