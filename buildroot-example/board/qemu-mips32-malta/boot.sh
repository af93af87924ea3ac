#!/bin/sh
# Boots the images of qemu_mips32_malta_btf_defconfig in QEMU: boot.sh IMAGES [QEMU-OPTIONS...]
# Log in as root and run btf-probe. Ctrl-A X ends QEMU.
set -eu
images=${1:?usage: boot.sh IMAGES [QEMU-OPTIONS...]}
shift
if [ -e "$images/rootfs.cpio.gz" ]; then set -- -initrd "$images/rootfs.cpio.gz" "$@"; fi
exec qemu-system-mips -M malta -m 256 -nographic -vga none -no-reboot -net none \
  -kernel "$images/vmlinux" -append "console=ttyS0 rdinit=/init" "$@"
