#!/bin/sh
# SPDX-License-Identifier: MIT
# Build for ppc64le and run the tests under qemu-user: a processor without kernels of ours, where level c
# is used, with OpenBLAS for products. Kernels, backend and units.
# usage: sh tests/port/ppc64le.sh [BUILD [SUITE...]]
#     BUILD: where the sysroot and the build go, default build/ppc64le; kept for the next run
#     SUITE: default kernels backend unit
#     QEMU_CPU: default power9; OpenBLAS picks its kernels by it
# Needs (Debian): gcc-powerpc64le-linux-gnu libc6-dev-ppc64el-cross qemu-user-static mmdebstrap.
set -eu
build=${1:-$(dirname "$0")/../../build/ppc64le}
mkdir -p "$build"
build=$(cd "$build" && pwd)
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- kernels backend unit
export QEMU_CPU="${QEMU_CPU:-power9}"
exec sh "$(dirname "$0")/cross.sh" "$build" ppc64el powerpc64le ppc64 "$@"
