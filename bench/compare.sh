#!/bin/sh
# SPDX-License-Identifier: MIT
# Measure the peers and this library in turn, A B A B, in one run, and print ratios: best pass against best
# pass. Absolute figures drift from machine to machine; ratios of one run are what counts.
set -eu

usage() {
    cat <<'END'
usage: bench/compare.sh [options]

What is run: every combination of the lists (values separated by commas).
  --task LIST      of train2, finetune, train1, infer             (train2)
  --size LIST      pixels                                         (350)
  --batch LIST     images in a step                               (32)
  --threads LIST                                                  (2)
  --precision P    of ours; mixed: of training, against peers in bfloat16 (fp32)
  --peer REGEX     which peers               (torch and torch.compile, channels last, jemalloc;
                                              for infer onnxruntime, openvino and litert)
How:
  --rounds N       how often all of them are run, in turn         (2)
  --seconds N      how long each is timed in each round           (15)
  --quiet N        wait up to N seconds before a peer until the machine is idle (30)
  --run-with CMD   put before each measuring command, as 'taskset -c 0,1'
  --out FILE       also append the JSON lines to FILE
  --peers FILE     the harness                                    (bench/peers/peers.py)
  --build DIR      a release build with bench_step                (build/release)

The tables of training in docs/performance.md:
  bench/compare.sh --task train2 --size 350,224 --threads 2
  bench/compare.sh --task train2 --threads 1
  bench/compare.sh --task train1
  bench/compare.sh --task finetune
  bench/compare.sh --task finetune --precision mixed

Set the peers up first: python3 FILE setup, python3 FILE convert (see bench/peers/README.md); the
cases with jemalloc need libjemalloc.so.2. TensorFlow is run with TF_ENABLE_ONEDNN_OPTS=1 unless the
variable is set: not every processor gets it by default, and the best setting of a peer counts.
END
}

here=$(cd "$(dirname "$0")/.." && pwd)
task=train2 size=350 batch=32 threads=2 precision=fp32 rounds=2 seconds=15 quiet=30 peer= run_with= out=
peers=$here/bench/peers/peers.py
build=$here/build/release
while [ $# -gt 0 ]; do
    case $1 in
    --help) usage; exit 0 ;;
    --task | --size | --batch | --threads | --precision | --peer | --rounds | --seconds | --quiet | --run-with | --out | --peers | --build)
        [ $# -ge 2 ] || { echo "compare.sh: $1 needs a value" >&2; exit 2; } ;;
    *) usage >&2; exit 2 ;;
    esac
    case $1 in
    --task) task=$2 ;; --size) size=$2 ;; --batch) batch=$2 ;; --threads) threads=$2 ;;
    --precision) precision=$2 ;; --peer) peer=$2 ;; --rounds) rounds=$2 ;; --seconds) seconds=$2 ;;
    --quiet) quiet=$2 ;; --run-with) run_with=$2 ;;
    --out) out=$2 ;; --peers) peers=$2 ;; --build) build=$2 ;;
    esac
    shift 2
done
[ -f "$peers" ] || { echo "compare.sh: no harness at '$peers'; name it with --peers" >&2; exit 1; }
[ -x "$build/bench/bench_step" ] || {
    echo "compare.sh: no bench_step in '$build'; build it: meson setup $build --buildtype=release && ninja -C $build" >&2
    exit 1
}
case $precision in
fp32) peers_precision='' ;;
mixed) peers_precision=' bf16' ;;
*) echo "compare.sh: --precision is '$precision'; it must be fp32 or mixed" >&2; exit 2 ;;
esac
export TF_ENABLE_ONEDNN_OPTS="${TF_ENABLE_ONEDNN_OPTS:-1}"
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT

list() {
    echo "$1" | tr ',' ' '
}

# Run one case of all peers, then ours.
run_case() {
    case $1 in
    train2) which="^torch(\.compile)? channels_last$peers_precision, jemalloc" harness="train2 train2_tuned" ;;
    finetune) which="^torch(\.compile)? channels_last$peers_precision, jemalloc" harness=finetune ;;
    train1) which='^torch(\.compile freezing)? channels_last, jemalloc' harness=train1 ;;
    *) which='^onnxruntime$|^openvino f32|^litert' harness=$1 ;;
    esac
    for harness_task in $harness; do
        $run_with python3 "$peers" "$harness_task" --peer "${peer:-$which}" --size "$2" --batch "$3" \
            --threads "$4" --seconds "$seconds" --quiet "$quiet" | tee -a "$lines"
    done
    $run_with "$build/bench/bench_step" --task "$1" --size "$2" --batch "$3" --threads "$4" \
        --precision "$precision" --padding fixed --seconds "$seconds" | tee -a "$lines"
}

round=1
while [ "$round" -le "$rounds" ]; do
    for t in $(list "$task"); do
        for s in $(list "$size"); do
            for b in $(list "$batch"); do
                for j in $(list "$threads"); do
                    run_case "$t" "$s" "$b" "$j"
                done
            done
        done
    done
    round=$((round + 1))
done
[ -z "$out" ] || cat "$lines" >>"$out"
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
        case = d["task"].replace("_tuned", ""), d["size"], d["batch"], d["threads"]
        key = d["peer"], d.get("precision", "")
        of_case = best.setdefault(case, {})
        if key not in of_case or d["img_per_s"] > of_case[key]["img_per_s"]:
            of_case[key] = d
for case, of_case in best.items():
    ours = max((d["img_per_s"] for (peer, _), d in of_case.items() if peer == "attractivenet"), default=0)
    print("\n%s, %s pixels, batch %s, %s threads" % case)
    print("| what | precision | img/s, best pass | median | peak MB | ours / this |\n|---|---|---|---|---|---|")
    for (peer, precision), d in sorted(of_case.items(), key=lambda item: -item[1]["img_per_s"]):
        print(f"| {peer} | {precision} | {d['img_per_s']:.2f} | {d.get('img_per_s_median', 0):.2f} "
              f"| {d['peak_rss_mb']:.0f} | {ours / d['img_per_s']:.2f} |")
END
