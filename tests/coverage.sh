#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the fast tests in a coverage build, and prints how many lines of lib/ and branches of the
# parsers were executed. usage: sh tests/coverage.sh [--missing] [FOLDER]   (default: build/coverage)
# --missing: also list what was not executed.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
missing=''
if [ "${1:-}" = --missing ]; then
    missing=$1
    shift
fi
folder=${1:-$top/build/coverage}
cd "$top"
for name in golden:AN_GOLDEN_DIR weights:AN_WEIGHTS_DIR data:AN_DATA_DIR; do
    variable=${name#*:}
    eval "[ -n \"\${$variable:-}\" ]" && continue
    [ -d "$top/../shared/${name%:*}" ] && eval "export $variable=\$top/../shared/${name%:*}"
done
if [ ! -f "$folder/build.ninja" ]; then
    CC=gcc meson setup "$folder" -Dbuildtype=debug -Doptimization=0 -Db_coverage=true \
        -Dtests=enabled -Dbench=disabled -Dexamples=disabled >/dev/null
fi
ninja -C "$folder" >/dev/null
find "$folder" -name '*.gcda' -delete
meson test -C "$folder" --no-rebuild --no-suite slow --no-suite lint --no-suite install \
    --timeout-multiplier 4 >"$folder/coverage-tests.txt" 2>&1 ||
    printf 'some tests failed: %s\n' "$folder/coverage-tests.txt"
exec python3 "$top/tests/support/coverage.py" "$top" "$folder" $missing
