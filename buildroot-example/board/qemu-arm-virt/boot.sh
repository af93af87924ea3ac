#!/bin/sh
# Boots the images of qemu_arm_virt_btf_defconfig in QEMU: boot.sh IMAGES [QEMU-OPTIONS...]
# Log in as root and run btf-probe. Ctrl-A X ends QEMU.
set -eu
images=${1:?usage: boot.sh IMAGES [QEMU-OPTIONS...]}
shift
if [ -e "$images/rootfs.cpio.gz" ]; then set -- -initrd "$images/rootfs.cpio.gz" "$@"; fi
exec qemu-system-arm -M virt -cpu cortex-a15 -m 256 -nographic -no-reboot -net none \
  -kernel "$images/zImage" -append "console=ttyAMA0 rdinit=/init" "$@"
