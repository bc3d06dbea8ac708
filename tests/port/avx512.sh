#!/bin/sh
# SPDX-License-Identifier: MIT
# Run the level avx512 on a processor without it: its source is compiled with SIMDe's intrinsics, and
# the tests of the kernels, backends, layers and units run with AN_CPU=avx512. This does not test the
# code that a compiler generates with -mavx512f: see bochs.sh.
# AN_CPU=avx512bf16 in the environment: that level.
# usage: sh tests/port/avx512.sh [BUILD [SUITE...]]
#     BUILD: default build/avx512; SUITE: default kernels backend unit golden
# Needs (Debian): libsimde-dev, and a processor with AVX2.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build/avx512}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- kernels backend unit golden
if [ ! -f "$build/build.ninja" ]; then
    CC="$PWD/tests/port/emulated/cc" meson setup "$build" -Doptimization=2 -Dtests=enabled -Dbench=disabled
fi
ninja -C "$build"
suites=
for suite in "$@"; do
    suites="$suites --suite $suite"
done
export AN_CPU="${AN_CPU:-avx512}"
# shellcheck disable=SC2086  # a list of words
meson test -C "$build" --no-rebuild --timeout-multiplier 10 --print-errorlogs $suites
