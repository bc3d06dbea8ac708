#!/bin/sh
# SPDX-License-Identifier: MIT
# The whole tutorial on a machine that has nothing: installs what is missing (Debian, Ubuntu), builds the
# library, draws a data set of made-up faces, trains a network on it and scores some images.
set -eu

usage() {
    cat <<'TEXT'
usage: sh examples/run.sh [--out DIR]

  --out DIR   where the results go; default: build/tutorial

A few minutes on two processors. Needs no network but for packages that are missing, no GPU.
TEXT
}

top=$(cd "$(dirname "$0")/.." && pwd)
out=$top/build/tutorial
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage; exit 0 ;;
    --out)
        [ $# -gt 1 ] || { usage >&2; exit 2; }
        mkdir -p "$2"
        out=$(cd "$2" && pwd)
        shift
        ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done

cd "$top"
. examples/packages.sh
need_packages build
started=$(date +%s)

step() {
    printf '\n=== %s\n' "$1"
}

step 'Building the library and its programs'
mkdir -p "$out"
if [ ! -f build/examples/build.ninja ]; then
    rm -rf build/examples
    meson setup build/examples -Dbuildtype=release -Doptimization=2 -Dtests=disabled -Dbench=disabled \
        >"$out/build.log"
fi
ninja -C build/examples >>"$out/build.log" || { tail -n 40 "$out/build.log" >&2; exit 1; }
attractivenet=build/examples/program/attractivenet

step 'Drawing faces with scores'
$attractivenet faces --out "$out/faces.zip" --count 6000 --size 128 --seed 1

step 'The tutorial: split, train, plot, test'
$attractivenet train --data "$out/faces.zip" --out "$out" --weights none --size 64 --alpha 0.35 --batch 16 \
    --epochs1 0 --epochs2 14 --lr2 2e-3 --schedule cosine --bn-momentum 0.9 --augment none --cache pixels

step 'Scoring images that the network has never seen'
rm -rf "$out/new/SCUT-FBP5500_v2" # of a run before
$attractivenet faces --out "$out/new" --count 8 --size 350 --seed 2 --quiet
$attractivenet predict --model "$out/model.safetensors" "$out/new/SCUT-FBP5500_v2/Images" >"$out/scores.txt"
printf 'image       score   true score\n'
while read -r name score; do
    truth=$(sed -n "s/^$name //p" "$out/new/SCUT-FBP5500_v2/train_test_files/All_labels.txt")
    printf '%-10s  %.3f   %.3f\n' "$name" "$score" "$truth"
done <"$out/scores.txt"

step 'Live: the same images as frames, with their scores drawn on them'
rm -rf "$out/live"
$attractivenet live --model "$out/model.safetensors" --headless --out "$out/live/" "$out/new/SCUT-FBP5500_v2/Images"

number() { # NAME: from metrics.json
    sed -n "s/^ *\"$1\": \([-+.eE0-9]*\),*\$/\1/p" "$out/metrics.json"
}
rmse=$(number rmse)
deviation=$(number deviation)
step "Done in $(($(date +%s) - started)) s"
cat <<TEXT
The same from Python: docs/python.md, and as a notebook: examples/notebook/train.ipynb
From C++ and Go: README.md
The results are in $out:
  model.safetensors  the best model
  history.csv        the losses, epoch by epoch
  loss.png           the same as curves
  scatter.png        predicted against true scores
  metrics.json       how good the scores are
  run.json           how all this was made
  new/               eight images that were scored, and scores.txt
  live/              the same as frames of "attractivenet live", which also shows cameras in a window
TEXT
awk -v rmse="$rmse" -v deviation="$deviation" 'BEGIN {
    printf "RMSE %.3f; the scores of the test images have a standard deviation of %.3f\n", rmse, deviation
    if (rmse == "" || deviation == "" || rmse > deviation / 2) {
        print "the RMSE should be at most half of it" > "/dev/stderr"
        exit 1
    }
}'
