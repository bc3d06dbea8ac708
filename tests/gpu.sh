#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests and times the CUDA backend on an NVIDIA GPU, in parts of under ten minutes each.
set -u

usage() {
    cat <<'TEXT'
usage: sh tests/gpu.sh [PART...]

Parts, all of them by default:
  build       the library with CUDA, its tests and benchmarks, in build/gpu; needs nvcc, and no GPU.
              Programs and the libraries that they need are copied to build/gpu/carried: the other parts
              run from there, also on another machine to which this folder was carried with the sources
  backend     each operation of the backend against the reference, fp32 and bf16; recorded steps
  golden      layers and training steps against those of Keras
  training    mixed precision and recompute, from outside
  fragments   the tensor core instructions, one element at a time
  sanitizer   compute-sanitizer (memory, races, undefined values) on a short training
  kernels     each layer by itself: ms, TFLOP/s, GB/s, percent of the measured copy speed
  steps       whole steps of training and prediction: images per second

Environment:
  AN_GPU      the device; default: cuda
  OUT         folder for the logs and JSON lines; default: build/gpu/report

The exit status is 0 if all that could run passed, 1 if something failed, and 77 if nothing could run:
each part then says why it was skipped.
TEXT
}

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top" || exit 1
folder=build/gpu
carried=$top/$folder/carried
report=${OUT:-$top/$folder/report}
device=${AN_GPU:-cuda}
failed=0
ran=0

parts=''
for argument in "$@"; do
    case $argument in
    -h | --help) usage; exit 0 ;;
    build | backend | golden | training | fragments | sanitizer | kernels | steps) parts="$parts $argument" ;;
    *) printf 'unknown argument "%s"\n\n' "$argument" >&2; usage >&2; exit 2 ;;
    esac
done
[ -n "$parts" ] || parts='build backend golden training fragments sanitizer kernels steps'
mkdir -p "$report" || exit 1

# Programs of the build, by their places in it.
programs='program/attractivenet bench/bench_kernels bench/bench_step tests/backend/test_backend_entries
tests/backend/test_backend_units tests/backend/test_backend_infer tests/golden/test_golden
tests/unit/test_mixed tests/unit/test_recompute tests/cuda/test_cuda_host tests/cuda/test_card_probe'

skip() { # PART REASON
    printf '%s: skipped: %s\n' "$1" "$2"
}

# Runs a command; its output goes to the log. PART NAME COMMAND...
try() {
    part=$1
    name=$2
    shift 2
    begun=$(date +%s)
    printf '\n=== %s: %s\n' "$part" "$*" >>"$report/$part.log"
    if "$@" >>"$report/$part.log" 2>&1; then
        printf '%s: %s: passed (%d s)\n' "$part" "$name" $(($(date +%s) - begun))
        return 0
    fi
    status=$?
    failed=1
    printf '%s: %s: FAILED with status %d; the end of %s:\n' "$part" "$name" $status "$report/$part.log"
    tail -n 30 "$report/$part.log" | sed 's/^/    /'
    return 1
}

# The libraries that a program needs, without those of the C library itself.
libraries_of() {
    LD_LIBRARY_PATH=$folder/lib ldd "$1" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' |
        grep -Ev '/(libc|libm|libdl|librt|libpthread|ld-linux[^/]*)\.so'
}

part_build() {
    if ! command -v nvcc >/dev/null 2>&1 && [ ! -x /usr/local/cuda/bin/nvcc ]; then
        skip build 'no nvcc'
        return
    fi
    if [ ! -f $folder/build.ninja ]; then
        try build setup meson setup $folder -Dbuildtype=release -Doptimization=2 -Dcuda=enabled -Dtests=enabled \
            -Dexamples=disabled || return
    fi
    cuda=$(ninja -C $folder -t targets all | sed -n 's/^\(lib\/libattractivenet-cuda\.so[.0-9]*\): c_LINKER$/\1/p')
    # shellcheck disable=SC2086  # a list
    try build compile ninja -C $folder $programs $cuda || return
    rm -rf "$carried"
    mkdir -p "$carried/bin" "$carried/lib"
    for program in $programs; do
        cp "$folder/$program" "$carried/bin/"
        libraries_of "$folder/$program"
    done | sort -u | while read -r library; do cp -L "$library" "$carried/lib/"; done
    cp -L $folder/lib/libattractivenet-cuda.so.0 "$carried/lib/"
    ran=1
    printf 'build: passed; %s to carry\n' "$(du -sh "$carried" | cut -f1)"
}

# Why no GPU can be used here; nothing if one can.
why_not() {
    [ -x "$carried/bin/attractivenet" ] || { echo "not built: run 'sh tests/gpu.sh build' first"; return; }
    "$carried/bin/attractivenet" devices >"$report/devices.txt" 2>&1 ||
        { echo "devices: $(tail -n 1 "$report/devices.txt")"; return; }
    place=$device
    [ "$place" = cuda ] && place=cuda:0
    if grep -q "^$place " "$report/devices.txt" && ! grep -A1 "^$place " "$report/devices.txt" | grep -q 'not usable'; then
        return
    fi
    echo "no card: $(sed -n 's/^.*not usable: //p' "$report/devices.txt" | head -n 1)"
}

part_backend() {
    export AN_TEST_DEVICE="$device"
    try backend 'operations' "$carried/bin/test_backend_entries"
    try backend 'units' "$carried/bin/test_backend_units"
    try backend 'inference' "$carried/bin/test_backend_infer"
    unset AN_TEST_DEVICE
    AN_TEST_DEVICE=$device try backend 'tickets, recordings, checkpoints' "$carried/bin/test_cuda_host" card
}

part_golden() {
    if [ -z "${AN_GOLDEN_DIR:-}" ] && [ -d ../shared/golden ]; then
        AN_GOLDEN_DIR=$(cd ../shared/golden && pwd)
        export AN_GOLDEN_DIR
    fi
    for topic in layers training; do
        AN_TEST_DEVICE=$device AN_TEST_DATA=$top/tests try golden $topic "$carried/bin/test_golden" $topic
    done
}

part_training() {
    AN_TEST_DEVICE=$device try training 'mixed precision' "$carried/bin/test_mixed"
    AN_TEST_DEVICE=$device try training 'recompute' "$carried/bin/test_recompute"
}

part_fragments() {
    try fragments 'mma, ldmatrix, shuffles, copies' "$carried/bin/test_card_probe"
}

part_sanitizer() {
    checker=compute-sanitizer
    command -v $checker >/dev/null 2>&1 || checker=/usr/local/cuda/bin/compute-sanitizer
    if ! command -v $checker >/dev/null 2>&1; then
        skip sanitizer 'no compute-sanitizer'
        return
    fi
    work=$(mktemp -d)
    "$carried/bin/attractivenet" faces --out "$work/faces.zip" --count 24 --size 64 --quiet
    for tool in memcheck racecheck initcheck synccheck; do
        rm -rf "$work/run"
        try sanitizer $tool timeout 140 $checker --tool $tool --error-exitcode 9 "$carried/bin/attractivenet" train \
            --device "$device" --data "$work/faces.zip" --out "$work/run" --weights none --size 64 --alpha 0.35 \
            --batch 4 --epochs1 1 --epochs2 1 --precision mixed --verbose none
    done
    rm -rf "$work"
}

part_kernels() {
    for precision in mixed fp32; do
        try kernels $precision timeout 280 "$carried/bin/bench_kernels" --device "$device" --precision $precision \
            --batch 32 --ms 50 --json || continue
        grep '^{"bench"' "$report/kernels.log" >"$report/kernels.jsonl"
    done
    # layer, pass, ms, TFLOP/s, GB/s, percent of the ceiling
    sed -n 's/.*"precision": "\([a-z0-9]*\)".*"layer": "\([^"]*\)", "pass": "\([^"]*\)".*"ms_min": \([0-9.]*\).*"gflops": \([0-9.]*\), "gbs": \([0-9.]*\).*"percent": \([0-9.]*\).*/\1 \2 \3 \4 \5 \6 \7/p' \
        "$report/kernels.jsonl" | awk '{printf "    %-6s %-28s %-9s %8.3f ms %8.2f TFLOP/s %8.1f GB/s %5.0f %%\n",
                                       $1, $2, $3, $4, $5 / 1000, $6, $7}'
}

part_steps() {
    : >"$report/steps.log"
    for step in 'train2 mixed 32' 'train2 mixed 128' 'train2 fp32 32' 'train1 fp32 128' 'infer fp32 32' 'infer mixed 32'; do
        # shellcheck disable=SC2086  # words
        set -- $step
        try steps "$step" timeout 90 "$carried/bin/bench_step" --device "$device" --task $1 --precision $2 --batch $3 \
            --seconds 10
    done
    grep '^{"peer"' "$report/steps.log" >"$report/steps.jsonl"
    sed -n 's/.*"task": "\([^"]*\)", "batch": \([0-9]*\).*"precision": "\([^"]*\)".*"img_per_s": \([0-9.]*\).*/\1 \3 \2 \4/p' \
        "$report/steps.jsonl" | awk '{printf "    %-7s %-6s batch %-4d %10.0f images/s\n", $1, $2, $3, $4}'
}

for part in $parts; do
    case $part in
    build) part_build ;;
    *)
        reason=$(LD_LIBRARY_PATH=$carried/lib why_not)
        if [ -n "$reason" ]; then
            skip "$part" "$reason"
            continue
        fi
        ran=1
        : >"$report/$part.log"
        (
            failed=0
            export LD_LIBRARY_PATH="$carried/lib"
            "part_$part"
            exit $failed
        ) || failed=1
        ;;
    esac
done
[ $failed = 0 ] || exit 1
[ $ran = 1 ] || exit 77
