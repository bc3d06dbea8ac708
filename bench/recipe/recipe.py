#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare settings of training: every setting with every seed on every data set, one run of attractivenet train each.

usage: recipe.py run    --program PROGRAM --data DIR [--weights FILE] [--sets A,B] [--settings A,B] [--seeds 1,2,...]
       recipe.py report [--sets A,B] [--metric test_rmse] [--svg FILE] [--against SETTING]

run appends a line a run to the results and skips runs that are there already, so it can be stopped and started again
at any time; a run that was stopped continues from its checkpoint. report prints a table for each data set: the mean
over the seeds, its standard error, and the difference to one setting in pairs of the same seed; --svg draws it with
bars of one standard error. The seed is that of the split, the order, the augmentation and the initial head.

settings.txt and sets.txt, beside this file, are the tables: a line a setting, "name | options". Choose by val_rmse; the
test part is there to report what was chosen. No package beyond Python's own library is needed."""
import argparse
import csv
import hashlib
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FIELDS = ["set", "setting", "seed", "options", "val_rmse", "test_rmse", "test_mae", "test_pearson", "deviation",
          "half_width", "coverage", "epochs1", "epochs2", "best_epoch", "cpu_seconds", "library", "level"]


def table(name):
    """The lines "name | options" of a file, in order."""
    rows = {}
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.split("#")[0].strip()
            if not line:
                continue
            key, bar, options = line.partition("|")
            key = key.strip()
            if not bar or not key or key in rows:
                sys.exit("%s:%d: '%s'; a line is 'name | options', and a name occurs once" % (name, number, line))
            rows[key] = options.split()
    return rows


def choose(rows, names, what):
    if not names:
        return list(rows)
    chosen = names.split(",")
    for name in chosen:
        if name not in rows:
            sys.exit("there is no %s '%s'; there are: %s" % (what, name, ", ".join(rows)))
    return chosen


def read_results(path):
    if not os.path.exists(path):
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def append_result(path, row):
    is_new = not os.path.exists(path)
    with open(path, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


# --- run ---------------------------------------------------------------------------------------------------


def run_one(args, name, setting, seed, options):
    """Train once, in a folder of its own, and return the line of the results."""
    key = hashlib.sha256(" ".join([name, str(seed)] + options).encode()).hexdigest()[:12]
    folder = os.path.join(args.work, "%s-%s-%d-%s" % (name, setting, seed, key))
    command = [args.program, "train", "--out", folder, "--seed", str(seed), "--threads", str(args.threads),
               "--cache", "pixels", "--quiet", "--resume"] + options
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit("%s\nended with %d: %s" % (" ".join(command), done.returncode, done.stderr.strip()))
    with open(os.path.join(folder, "metrics.json"), encoding="utf-8") as file:
        metrics = json.load(file)
    with open(os.path.join(folder, "run.json"), encoding="utf-8") as file:
        record = json.load(file)
    with open(os.path.join(folder, "history.csv"), newline="", encoding="utf-8") as file:
        epochs = list(csv.DictReader(file))
    losses = [float(epoch["val_loss"]) for epoch in epochs]
    best = min(range(len(losses)), key=lambda i: losses[i] if losses[i] == losses[i] else math.inf)
    row = {"set": name, "setting": setting, "seed": seed, "options": " ".join(options),
           "val_rmse": "%.6f" % math.sqrt(losses[best]), "test_rmse": "%.6f" % metrics["rmse"],
           "test_mae": "%.6f" % metrics["mae"],
           "test_pearson": "" if metrics["pearson"] is None else "%.6f" % metrics["pearson"],
           "deviation": "%.6f" % metrics["deviation"],
           "half_width": "%.6f" % metrics["interval"]["half_width"],
           "coverage": "%.6f" % metrics["interval"]["coverage"],
           "epochs1": sum(epoch["stage"] == "1" for epoch in epochs),
           "epochs2": sum(epoch["stage"] == "2" for epoch in epochs),
           "best_epoch": "%s.%s" % (epochs[best]["stage"], epochs[best]["epoch"]),
           "cpu_seconds": "%.1f" % (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime),
           "library": record["library"]["version"], "level": record["library"]["level"]}
    shutil.rmtree(folder)
    return row


def run(args):
    settings, sets = table("settings.txt"), table("sets.txt")
    done = {(row["set"], row["setting"], int(row["seed"]), row["options"]) for row in read_results(args.results)}
    os.makedirs(args.work, exist_ok=True)
    values = {"DATA": args.data, "WEIGHTS": args.weights or ""}
    seeds = [int(seed) for seed in args.seeds.split(",")]
    # Seed by seed, so that all settings have as many whenever it is stopped.
    for seed in seeds:
        for name in choose(sets, args.sets, "set"):
            for setting in choose(settings, args.settings, "setting"):
                plain = sets[name] + settings[setting]
                if (name, setting, seed, " ".join(plain)) in done:
                    continue
                row = run_one(args, name, setting, seed, [word.format(**values) for word in plain])
                row["options"] = " ".join(plain)
                append_result(args.results, row)
                print("%s %s seed %d: val %s test %s (%s s)" % (name, setting, seed, row["val_rmse"],
                                                                row["test_rmse"], row["cpu_seconds"]), flush=True)


# --- report ------------------------------------------------------------------------------------------------


def mean_and_error(values):
    """The mean and its standard error; NaN for a single value."""
    count, mean = len(values), sum(values) / len(values)
    if count < 2:
        return mean, math.nan
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (count - 1) / count)


def summarise(rows, metric, against):
    """By setting: count, mean, error, the same of the differences in pairs with a setting, seconds."""
    by_setting = {}
    for row in rows:
        by_setting.setdefault(row["setting"], {})[row["seed"]] = row
    base = by_setting.get(against, {})
    lines = []
    for setting, runs in by_setting.items():
        mean, error = mean_and_error([float(row[metric]) for row in runs.values()])
        pairs = [float(row[metric]) - float(base[seed][metric]) for seed, row in runs.items() if seed in base]
        change, change_error = mean_and_error(pairs) if pairs and setting != against else (math.nan, math.nan)
        seconds = sum(float(row["cpu_seconds"]) for row in runs.values()) / len(runs)
        lines.append((setting, len(runs), mean, error, change, change_error, seconds))
    return lines


def draw(path, panels, metric):
    """A picture with a panel for each data set: a dot and a bar of one standard error for each setting."""
    row, left, width, top = 20, 210, 330, 34
    height = max(len(lines) for _, lines in panels) * row + top + 34
    total = len(panels) * (left + width + 20)
    out = ['<!-- SPDX-License-Identifier: MIT -->',
           '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
           'font-family="sans-serif" font-size="12">' % (total, height, total, height),
           '<rect width="%d" height="%d" fill="#fff"/>' % (total, height)]
    for number, (name, lines) in enumerate(panels):
        x0 = number * (left + width + 20)
        reach = [0 if error != error else error for _, _, _, error, _, _, _ in lines]
        low = min(line[2] - r for line, r in zip(lines, reach))
        high = max(line[2] + r for line, r in zip(lines, reach))
        span = (high - low) or 1

        def at(value):
            return x0 + left + 10 + (value - low) / span * (width - 20)
        out.append('<text x="%d" y="18" font-weight="bold">%s: %s</text>' % (x0 + left, name, metric))
        bottom = top + len(lines) * row
        for i in range(5):
            value = low + span * i / 4
            out.append('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/>' % (at(value), top, at(value), bottom))
            out.append('<text x="%.1f" y="%d" text-anchor="middle" fill="#555">%.3f</text>' % (at(value), bottom + 16, value))
        for i, (line, r) in enumerate(zip(lines, reach)):
            y = top + i * row + row / 2
            out.append('<text x="%d" y="%.1f" text-anchor="end">%s (%d)</text>' % (x0 + left - 2, y + 4, line[0], line[1]))
            out.append('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#36c" stroke-width="2"/>'
                       % (at(line[2] - r), y, at(line[2] + r), y))
            out.append('<circle cx="%.1f" cy="%.1f" r="4" fill="#36c"/>' % (at(line[2]), y))
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


def report(args):
    results = read_results(args.results)
    if not results:
        sys.exit("'%s' has no results" % args.results)
    order = list(table("settings.txt"))
    names = list(dict.fromkeys(row["set"] for row in results))
    panels = []
    for name in args.sets.split(",") if args.sets else names:
        rows = [row for row in results if row["set"] == name]
        if not rows:
            sys.exit("there are no results of set '%s'; there are: %s" % (name, ", ".join(names)))
        lines = summarise(rows, args.metric, args.against)
        lines.sort(key=lambda line: order.index(line[0]) if line[0] in order else len(order))
        panels.append((name, lines))
        print("%s\n| setting | seeds | %s | error | against %s | error | CPU seconds |\n"
              "| --- | --: | --: | --: | --: | --: | --: |" % (name, args.metric, args.against))
        for setting, count, mean, error, change, change_error, seconds in lines:
            print("| %s | %d | %.4f | %.4f | %+.4f | %.4f | %.0f |"
                  % (setting, count, mean, error, change, change_error, seconds))
        print()
    if args.svg:
        draw(args.svg, panels, args.metric)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["run", "report"])
    parser.add_argument("--results", default=os.path.join(HERE, "results.csv"))
    parser.add_argument("--sets", default="", help="names in sets.txt; without it all")
    parser.add_argument("--settings", default="", help="names in settings.txt; without it all")
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--program", default="attractivenet")
    parser.add_argument("--data", default=".", help="folder for {DATA} in sets.txt")
    parser.add_argument("--weights", help="file for {WEIGHTS} in sets.txt")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", default=os.path.join(tempfile.gettempdir(), "recipe"))
    parser.add_argument("--metric", default="test_rmse", choices=["val_rmse", "test_rmse", "test_mae"])
    parser.add_argument("--against", default="tutorial")
    parser.add_argument("--svg")
    args = parser.parse_args()
    {"run": run, "report": report}[args.verb](args)


if __name__ == "__main__":
    main()
