#!/bin/sh
# The command vmlinux-btf of a native sysroot, wherever the sysroot lies; with the node that is on PATH.
exec node "${0%/*}/../share/vmlinux-btf/build/bin/vmlinux-btf.cjs" "$@"
