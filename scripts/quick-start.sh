#!/usr/bin/env bash
# The main job on a real kernel: installs the dependencies, builds, splits the bundled ARMv7 kernel into out/ and prints
# the size report. Needs Node and npm, nothing else; xz and zstd are measured where they are installed.
set -euo pipefail
cd "$(dirname "$0")/.."

source scripts/require.sh
require_node
require_packages
npm run --silent build

kernel=build/armv7-virt.vmlinux
node build/scripts/unpack-fixture.js armv7-virt/vmlinux "$kernel"
node build/bin/vmlinux-btf.cjs split "$kernel" -o out
echo
ls -l out
