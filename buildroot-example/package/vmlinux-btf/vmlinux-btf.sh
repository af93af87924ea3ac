#!/bin/sh
# The command vmlinux-btf of a host folder: runs with the node of that folder, wherever the folder has been moved to.
set -eu
self=$(readlink -f -- "$0")
host=${self%/bin/*}
exec "$host/bin/node" "$host/share/vmlinux-btf/build/bin/vmlinux-btf.cjs" "$@"
