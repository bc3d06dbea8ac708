# SPDX-License-Identifier: MIT
"""Sum up gcov's counts: lines of each file in lib/, branches of those that read strangers' files.

usage: coverage.py SOURCE_ROOT BUILD_ROOT [--missing]

--missing: also list each line that did not run, and in parsers each branch, as FILE:LINE.

A line or branch counts once, however many objects hold it. Branches that the compiler adds for
exceptions are none of ours and left out, as are those of assert().
"""
import gzip
import json
import os
import subprocess
import sys
import tempfile

PARSERS = ("lib/io/", "lib/dataset/labels.c", "lib/dataset/source.c", "lib/train/checkpoint",
           "lib/mobilenetv2/facts.c", "lib/mobilenetv2/weights.c")


def objects(build):
    for folder, _, names in os.walk(os.path.join(build, "lib")):
        for name in names:
            if name.endswith(".gcda"):
                yield os.path.join(folder, name)


def main():
    source, build = (os.path.realpath(path) for path in sys.argv[1:3])
    missing = "--missing" in sys.argv[3:]
    lines, branches = {}, {}
    with tempfile.TemporaryDirectory() as work:
        for data in objects(build):
            subprocess.run(["gcov", "--json-format", "--branch-probabilities", data], cwd=work,
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for name in os.listdir(work):
                with gzip.open(os.path.join(work, name)) as packed:
                    report = json.load(packed)
                os.remove(os.path.join(work, name))
                root = report["current_working_directory"]
                for file in report["files"]:
                    path = os.path.realpath(os.path.join(root, build, file["file"]))
                    path = os.path.relpath(path, source)
                    if not path.startswith("lib/") or not path.endswith(".c"):
                        continue
                    for line in file["lines"]:
                        key = path, line["line_number"]
                        lines[key] = lines.get(key, 0) + line["count"]
                        for i, branch in enumerate(line["branches"]):
                            if branch["throw"]:
                                continue
                            where = key + (i,)
                            branches[where] = branches.get(where, 0) + branch["count"]
    files = sorted({path for path, _ in lines})
    total = [0, 0, 0, 0]
    print(f"{'file':44} {'lines':>14} {'branches':>14}")
    for path in files:
        own = [count for key, count in lines.items() if key[0] == path]
        taken = [count for key, count in branches.items() if key[0] == path]
        is_parser = path.startswith(PARSERS)
        total[0] += sum(count > 0 for count in own)
        total[1] += len(own)
        if is_parser:
            total[2] += sum(count > 0 for count in taken)
            total[3] += len(taken)
        print(f"{path:44} {share(own):>14} {share(taken) if is_parser else '':>14}")
    if missing:
        print()
        for path in files:
            show_missing(source, path, lines, branches)
    print(f"\nlines of lib/: {total[0]} of {total[1]}, {100 * total[0] / max(total[1], 1):.1f} %")
    print(f"branches of parsers: {total[2]} of {total[3]}, "
          f"{100 * total[2] / max(total[3], 1):.1f} %")
    return 0


def show_missing(source, path, lines, branches):
    with open(os.path.join(source, path), encoding="utf-8") as file:
        texts = file.read().splitlines()
    for number, text in enumerate(texts, 1):
        ways = [branches[path, number, i] for i in range(1000) if (path, number, i) in branches]
        if lines.get((path, number), 1) == 0:
            print(f"{path}:{number}: not run: {text.strip()}")
        elif path.startswith(PARSERS) and 0 in ways:
            never = ",".join(str(i) for i, count in enumerate(ways) if not count)
            print(f"{path}:{number}: branch {never} of {len(ways)}: {text.strip()}")


def share(counts):
    if not counts:
        return "-"
    done = sum(count > 0 for count in counts)
    return f"{done}/{len(counts)} {100 * done / len(counts):3.0f} %"


if __name__ == "__main__":
    sys.exit(main())
