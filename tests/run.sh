#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the library in several ways and runs its tests; installs what is missing (Debian, Ubuntu).
# The last line counts the cases: "N passed, N failed, N skipped"; the exit status is 0 if none failed.
set -eu

usage() {
    cat <<'TEXT'
usage: sh tests/run.sh [slow] [STEP...]

Steps, the first four by default, each in its own folder under build/:
  sanitize   gcc, AddressSanitizer and UndefinedBehaviorSanitizer: everything except whole programs
  release    gcc -O2: everything, and programs that use the installed library
  clang      clang with all warnings as errors: compiles only
  thread     gcc, ThreadSanitizer: the thread pool, the loader, short trainings

  interchange  files of other tools, both ways: Keras, ONNX, PyTorch, each in a virtual environment in
             build/interchange that the first run makes (several GB, from PyPI); only when it is named

  slow       also runs the tests that take minutes (in step release)

Environment:
  AN_GOLDEN_DIR   reference data made by Keras, NumPy and OpenCV; default: ../shared/golden if it exists,
                  otherwise the small subset in tests/golden/data
  AN_WEIGHTS_DIR  Keras' ImageNet weight files; default: ../shared/weights if it exists
  AN_DATA_DIR     archives of photographs; default: ../shared/data if it exists
  AN_SEED         any text: the random seed of the fuzz tests' mutations; default: the commit
  JOBS            number of parallel programs; default: the number of processors
Tests whose data is missing are counted as skipped.

  sh tests/mutants.sh   breaks the library in many places and checks that a test fails for each
TEXT
}

steps=''
slow=no
for argument in "$@"; do
    case $argument in
    -h | --help) usage; exit 0 ;;
    slow) slow=yes ;;
    sanitize | release | clang | thread | interchange) steps="$steps $argument" ;;
    *) printf 'unknown argument "%s"\n\n' "$argument" >&2; usage >&2; exit 2 ;;
    esac
done
[ -n "$steps" ] || steps='sanitize release clang thread'

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
. examples/packages.sh
need_packages build live tests

use_shared() { # VARIABLE FOLDER: set it to the folder beside the checkout, unless it is set
    eval "[ -z \"\${$1:-}\" ]" || return 0
    [ -d "$top/../shared/$2" ] || return 0
    folder=$(cd "$top/../shared/$2" && pwd)
    eval "export $1=\$folder"
}
use_shared AN_GOLDEN_DIR golden
use_shared AN_WEIGHTS_DIR weights
use_shared AN_DATA_DIR data

# Random mutations and fault points differ between commits and are the same for one commit.
export AN_SEED="${AN_SEED:-$(git rev-parse HEAD 2>/dev/null || echo 1)}"

jobs=${JOBS:-$(nproc)}
started=$(date +%s)
mkdir -p build
tap=build/run.tap
: >"$tap"
logs="$tap"

say() {
    printf '[%4d s] %s\n' $(($(date +%s) - started)) "$1"
}

# Runs a command; its output is shown only if it fails. That counts as one case.
check() { # NAME COMMAND...
    name=$1
    shift
    say "$name"
    if "$@" >build/run.log 2>&1; then
        printf 'ok - %s\n' "$name" >>"$tap"
        return 0
    fi
    { printf 'not ok - %s\n' "$name"; tail -n 60 build/run.log | sed 's/^/# /'; } >>"$tap"
    return 1
}

build() { # NAME COMPILER MESON-OPTIONS...
    folder=build/$1
    compiler=$2
    what="$1: builds without warnings"
    shift 2
    export CC="$compiler"
    if [ ! -f "$folder/build.ninja" ]; then
        rm -rf "$folder"
        check "$what (setup)" meson setup "$folder" -Dwerror=true -Dtests=enabled "$@" || return 1
    fi
    check "$what" ninja -j "$jobs" -C "$folder"
}

# CMocka's XML has every case; a test run by hand with meson test prints plain text.
run_tests() { # NAME MESON-TEST-OPTIONS...
    folder=build/$1
    say "$1: tests"
    shift
    rm -f "$folder/meson-logs/testlog.json"
    CMOCKA_MESSAGE_OUTPUT=XML meson test -C "$folder" --no-rebuild --num-processes "$jobs" \
        "$@" >build/run.log 2>&1 || true
    if [ -f "$folder/meson-logs/testlog.json" ]; then
        logs="$logs $folder/meson-logs/testlog.json"
    else
        { printf 'not ok - %s: tests start\n' "$folder"; tail -n 60 build/run.log | sed 's/^/# /'; } \
            >>"$tap"
    fi
}

# A sanitizer report ends the program, which then counts as failed.
export ASAN_OPTIONS="abort_on_error=0:detect_stack_use_after_return=1:strict_string_checks=1"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1"
export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1:suppressions=$top/tests/thread/tsan.supp"

for step in $steps; do
    case $step in
    sanitize)
        if build sanitize gcc -Dbuildtype=debug -Doptimization=1 \
            -Db_sanitize=address,undefined -Db_lundef=false -Dbench=disabled -Dcuda=disabled; then
            run_tests sanitize --no-suite slow --no-suite whole --timeout-multiplier 4
        fi
        ;;
    release)
        if build release gcc -Dbuildtype=release -Doptimization=2 -Dgpu_archs=90; then
            if [ $slow = yes ]; then
                run_tests release
            else
                run_tests release --no-suite slow
            fi
        fi
        ;;
    clang)
        build clang clang -Dbuildtype=debugoptimized -Dcuda=disabled || true
        ;;
    thread)
        if build thread gcc -Dbuildtype=debug -Doptimization=1 -Db_sanitize=thread \
            -Db_lundef=false -Dbench=disabled -Dexamples=disabled -Dcuda=disabled; then
            run_tests thread --suite thread --timeout-multiplier 10
        fi
        ;;
    interchange)
        if build release gcc -Dbuildtype=release -Doptimization=2 -Dgpu_archs=90; then
            say 'interchange: other tools'
            if ! python3 tests/interchange/step.py build/release/program/attractivenet build/interchange \
                >build/run.log 2>&1 && ! grep -q '^not ok' build/run.log; then
                printf 'not ok - interchange: the step ends\n' >>build/run.log
            fi
            cat build/run.log >>"$tap"
        fi
        ;;
    esac
done

say 'done'
# shellcheck disable=SC2086  # a list of files
python3 tests/support/count.py $logs
