#!/bin/sh
# SPDX-License-Identifier: MIT
# Compilers, optimisation and ISA levels, one after another: gcc and clang, each with -O0, -O1,
# -O2 and -O3, each with AN_CPU forced to every level of this processor.
# usage: sh tests/port/levels.sh [BUILD]      BUILD: default build/levels; builds are kept for the next run
#     COMPILERS="gcc clang", OPTIMIZATIONS="0 1 2 3", LEVELS="c avx2": a subset
#     SUITES="unit kernels backend golden": what runs at the first level; the others, where only
#     kernels differ, leave out unit
# Prints a line for each: compiler, optimisation, level, passed and failed tests, seconds.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build/levels}
mkdir -p "$build"
case $(uname -m) in
aarch64) levels='c neon' ;;
*)
    levels=c
    for level in avx2 avx512:avx512f avx512vnni:avx512_vnni avx512bf16:avx512_bf16; do
        grep -q -w "${level#*:}" /proc/cpuinfo && levels="$levels ${level%:*}"
    done
    ;;
esac

failed=0
for compiler in ${COMPILERS:-gcc clang}; do
    for optimization in ${OPTIMIZATIONS:-0 1 2 3}; do
        tree=$build/$compiler-O$optimization
        if [ ! -f "$tree/build.ninja" ]; then
            CC=$compiler meson setup "$tree" -Doptimization="$optimization" -Dtests=enabled -Dbench=disabled -Dexamples=disabled \
                >"$build/setup.log" || { cat "$build/setup.log" && exit 1; }
        fi
        ninja -C "$tree" >"$tree.log" || { tail -n 40 "$tree.log" && exit 1; }
        suites=${SUITES:-unit kernels backend golden}
        for level in ${LEVELS:-$levels}; do
            options=
            for suite in $suites; do
                options="$options --suite $suite"
            done
            begin=$(date +%s)
            # shellcheck disable=SC2086  # a list of words
            AN_CPU=$level meson test -C "$tree" --no-rebuild --timeout-multiplier 10 --logbase "$level" $options \
                >"$tree-$level.log" || failed=1
            printf '%s -O%s %s: %s passed, %s failed, %s s\n' "$compiler" "$optimization" "$level" \
                "$(sed -n 's/^Ok: *//p' "$tree-$level.log")" "$(sed -n 's/^Fail: *//p' "$tree-$level.log")" \
                $(($(date +%s) - begin))
            grep -E '^ *[0-9]+/.*(FAIL|TIMEOUT|ERROR)' "$tree-$level.log" || true
            suites=$(printf '%s' "$suites" | sed 's/unit *//')
        done
    done
done
exit $failed
