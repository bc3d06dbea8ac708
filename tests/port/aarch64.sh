#!/bin/sh
# SPDX-License-Identifier: MIT
# Build for aarch64 and run the tests under qemu-user: kernels (levels neon and c), backend, units
# and the available reference data (AN_GOLDEN_DIR: all of it).
# usage: sh tests/port/aarch64.sh [BUILD [SUITE...]]
#     BUILD: where the sysroot and the build go, default build/aarch64; kept for the next run
#     SUITE: default kernels backend unit golden
# Needs (Debian): gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static mmdebstrap.
set -eu
build=${1:-$(dirname "$0")/../../build/aarch64}
mkdir -p "$build"
build=$(cd "$build" && pwd)
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- kernels backend unit golden
exec sh "$(dirname "$0")/cross.sh" "$build" arm64 aarch64 aarch64 "$@"
