#!/bin/sh
# SPDX-License-Identifier: MIT
# Fuzz every target with libFuzzer, one after another, and continue where the last run ended.
# usage: sh tests/fuzz/long.sh BUILD SECONDS [TARGET...]
#     BUILD: a build folder set up with CC=clang and -Dfuzz=true (see docs/reliability.md)
#     SECONDS: per target; TARGET: default all
#     CORPUS: folder with a folder for each target, default BUILD/corpus; kept
# Prints a line for each target: executions, seconds, and "nothing found" or how it ended; an input
# that failed lies in BUILD/found. The exit status is 0 if nothing was found.
set -eu
build=$(cd "$1" && pwd)
seconds=$2
shift 2
[ $# -gt 0 ] || set -- zip image labels safetensors keras onnx network config history page model checkpoint
corpus=${CORPUS:-$build/corpus}
AN_TEST_DATA=${AN_TEST_DATA:-$(cd "$(dirname "$0")/.." && pwd)}
export AN_TEST_DATA
mkdir -p "$build/found"
failed=0
for target in "$@"; do
    if [ ! -d "$corpus/$target" ]; then
        mkdir -p "$corpus"
        "$build/tests/fuzz/fuzz_make_corpus" "$target" "$corpus/$target"
    fi
    log=$build/found/$target.log
    begin=$(date +%s)
    found='nothing found'
    "$build/tests/fuzz/fuzz_$target" -max_len=262144 -timeout=20 -rss_limit_mb=2048 -max_total_time="$seconds" \
        -print_final_stats=1 -artifact_prefix="$build/found/$target-" "$corpus/$target" >"$log" 2>&1 ||
        { found="FOUND, see $log" && failed=1; }
    printf '%s: %s executions, %s s, %s\n' "$target" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" $(($(date +%s) - begin)) "$found"
done
exit $failed
