#!/usr/bin/env bash
# All tests: installs what they need (as root, through apt; else names what is missing), fetches BTF and boot images of
# Debian's own kernels, a busybox for arm64 and bpftool for arm64 and armhf into the cache, lints, builds, and runs ava. Options go to ava.
set -euo pipefail
cd "$(dirname "$0")/.."

source scripts/require.sh
require_node
require_tools bpftool=bpftool pahole=dwarves readelf=binutils gcc=gcc depmod=kmod cpio=cpio unmkinitramfs=initramfs-tools-core rpmbuild=rpm xz=xz-utils zstd=zstd lz4=lz4 lzop=lzop bzip2=bzip2 \
  chromium=chromium clang-16=clang-16 script=bsdutils busybox=busybox shellcheck=shellcheck qemu-system-mips=qemu-system-mips mips-linux-gnu-gcc=gcc-mips-linux-gnu \
  qemu-system-aarch64=qemu-system-arm aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu \
  arm-linux-gnueabihf-objcopy=binutils-arm-linux-gnueabihf ld.lld=lld riscv64-linux-gnu-ld=binutils-riscv64-linux-gnu \
  s390x-linux-gnu-ld=binutils-s390x-linux-gnu powerpc64-linux-gnu-ld=binutils-powerpc64-linux-gnu \
  xmllint=libxml2-utils yamllint=yamllint openssl=openssl mips64-linux-gnuabi64-ld=binutils-mips64-linux-gnuabi64 mips64el-linux-gnuabi64-ld=binutils-mips64el-linux-gnuabi64
# Libraries have no program to look for: libbpf, and the C libraries that the boot probe is linked with.
[ -e /usr/include/bpf/btf.h ] || require_tools libbpf=libbpf-dev
[ -e /usr/mips-linux-gnu/lib/libc.a ] || require_tools mips-libc=libc6-dev-mips-cross
[ -e /usr/aarch64-linux-gnu/lib/libc.a ] || require_tools arm64-libc=libc6-dev-arm64-cross
# The kernel's sign-file, which Debian keeps out of the PATH.
ls /usr/lib/linux-kbuild-*/scripts/sign-file >/dev/null 2>&1 ||
  require_tools sign-file="$(apt-cache search --names-only '^linux-kbuild-[0-9.]+$' 2>/dev/null | cut -d' ' -f1 | sort -V | tail -n1)"
/usr/bin/python3 -c 'import prometheus_client' 2>/dev/null || require_tools prometheus_client=python3-prometheus-client
require_packages
npm run --silent lint
npm run --silent build
scripts/debian-btf.sh || echo "without the BTF of Debian's kernels; tests that need it will say so" >&2
scripts/debian-images.sh || echo "without Debian's boot images; tests that need them will say so" >&2
scripts/busybox.sh || echo "without busybox for arm64; tests that need it will say so" >&2
scripts/bpftool.sh arm64 armhf || echo "without bpftool for other machines; tests that need it will say so" >&2
npx ava "$@"
