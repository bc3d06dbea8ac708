#!/bin/sh
# SPDX-License-Identifier: MIT
# Measure the peers and this library in turn, A B A B, in one run, and print ratios: best pass against best
# pass. Absolute figures drift from machine to machine; ratios of one run are what counts.
set -eu

usage() {
    cat <<'END'
usage: bench/compare.sh [options]

  --task train2|train1|infer   what is timed                                (train2)
  --peer REGEX                 which peers                (^tf.function$|^torch channels_last, jemalloc)
  --size N                     pixels                                       (350)
  --batch N                    pictures in a step                           (32)
  --threads N                                                               (2)
  --rounds N                   how often both are run                       (2)
  --seconds N                  how long ours is timed in each round         (20)
  --peers FILE                 the harness               (../shared/peers/peers.py beside the checkout)
  --build DIR                  a release build with bench_step              (build/release)

Set the peers up first: python3 FILE setup (see the README beside it).
END
}

here=$(cd "$(dirname "$0")/.." && pwd)
task=train2 size=350 batch=32 threads=2 rounds=2 seconds=20
peer='^tf.function$|^torch channels_last, jemalloc'
peers=$here/../shared/peers/peers.py
build=$here/build/release
while [ $# -gt 0 ]; do
    case $1 in
    --task) task=$2 ;; --peer) peer=$2 ;; --size) size=$2 ;; --batch) batch=$2 ;;
    --threads) threads=$2 ;; --rounds) rounds=$2 ;; --seconds) seconds=$2 ;; --peers) peers=$2 ;;
    --build) build=$2 ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift 2
done
[ -f "$peers" ] || { echo "compare.sh: no harness at '$peers'; name it with --peers" >&2; exit 1; }
[ -x "$build/bench/bench_step" ] || {
    echo "compare.sh: no bench_step in '$build'; build it: meson setup $build --buildtype=release && ninja -C $build" >&2
    exit 1
}
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
round=1
while [ "$round" -le "$rounds" ]; do
    # The tuned cases of the harness are a task of their own; the expression picks from both.
    for harness_task in $([ "$task" = train2 ] && echo "train2 train2_tuned" || echo "$task"); do
        python3 "$peers" "$harness_task" --peer "$peer" --size "$size" --batch "$batch" \
            --threads "$threads" --quiet 30 | tee -a "$lines"
    done
    "$build/bench/bench_step" --task "$task" --size "$size" --batch "$batch" --threads "$threads" \
        --padding fixed --seconds "$seconds" | tee -a "$lines"
    round=$((round + 1))
done
echo
echo "commit $(git -C "$here" rev-parse --short HEAD 2>/dev/null || echo unknown), $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(date +%F)"
python3 - "$lines" <<'END'
import json, sys

best = {}
for line in open(sys.argv[1]):
    try:
        d = json.loads(line)
    except ValueError:
        continue
    if "img_per_s" in d:
        key = d["peer"], d.get("precision", "")
        if key not in best or d["img_per_s"] > best[key]["img_per_s"]:
            best[key] = d
ours = [d for (peer, _), d in best.items() if peer == "attractivenet"]
print("| what | precision | img/s, best pass | peak MB | ours / this |\n|---|---|---|---|---|")
for (peer, precision), d in sorted(best.items(), key=lambda item: -item[1]["img_per_s"]):
    ratio = max((o["img_per_s"] for o in ours), default=0) / d["img_per_s"]
    print(f"| {peer} | {precision} | {d['img_per_s']:.2f} | {d['peak_rss_mb']:.0f} | {ratio:.2f} |")
END
