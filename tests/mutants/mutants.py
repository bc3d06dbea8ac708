#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Break the library in many places, one at a time, and check that a test fails for each.

A mutant is one changed line, listed in catalogue.py with why it is wrong and which tests should
notice. The source is copied to build/mutants, built there once, and its tests must pass. Then each
mutant is applied, what its tests need is rebuilt, and they run until one fails: the mutant is
killed. One that no test notices has survived; one whose text is no longer in its file is stale.
Both make this program fail: write the test, or fix the catalogue.

Results are kept, so that an interrupted run can be resumed; a change to the source or to the mutant
makes it run again.
"""
import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
from catalogue import MUTANTS  # noqa: E402

TOP = Path(__file__).resolve().parents[2]
SKIPPED = 77  # exit status of a test that cannot run here
LEAST_TIMEOUT = 60
# Parts of the source that are not built into the library or its tests.
LEFT_OUT = {"build", ".git", "bench"}


class Failure(Exception):
    pass


def files_of(top):
    for folder, folders, names in os.walk(top):
        if Path(folder) == top:
            folders[:] = [f for f in folders if f not in LEFT_OUT]
            names = [name for name in names if name.startswith("meson")]
        folders[:] = sorted(f for f in folders if f != "__pycache__")
        for name in sorted(names):
            yield (Path(folder) / name).relative_to(top)


def copy_source(to):
    """Copy only what has changed, so that little is rebuilt. Returns a hash of the content."""
    digest = hashlib.sha256()
    wanted = set()
    for name in files_of(TOP):
        content = (TOP / name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
        wanted.add(name)
        copy = to / name
        if copy.exists() and copy.read_bytes() == content:
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(TOP / name, copy)
        shutil.copymode(TOP / name, copy)
    for name in list(files_of(to)):
        if name not in wanted:
            (to / name).unlink()
    return digest.hexdigest()


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **more)


class Build:
    def __init__(self, source, jobs):
        self.folder = source / "build" / "release"
        self.jobs = jobs
        if not (self.folder / "build.ninja").exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.must(["meson", "setup", str(self.folder), str(source), "-Dbuildtype=release", "-Doptimization=2",
                       "-Dtests=enabled", "-Dbench=disabled", "-Dexamples=disabled", "-Dcuda=disabled"])
        self.must(["ninja", "-C", str(self.folder), "build.ninja"])
        listed = json.loads(subprocess.check_output(["meson", "introspect", "--tests", str(self.folder)]))
        self.tests = {test["name"]: test for test in listed}
        self.seconds = {}

    def must(self, command):
        done = run(command)
        if done.returncode:
            raise Failure(f"{' '.join(command)}:\n{done.stdout[-4000:]}")

    def test(self, name):
        if name not in self.tests:
            raise Failure(f"there is no test '{name}'")
        return self.tests[name]

    def make(self, name):
        """Build a test's program; returns the output if that fails."""
        program = os.path.relpath(self.test(name)["cmd"][0], self.folder)
        done = run(["ninja", "-C", str(self.folder), "-j", str(self.jobs), program])
        return done.stdout if done.returncode else None

    def run_test(self, name, timeout):
        """Returns (status, what failed)."""
        test = self.test(name)
        env = {**os.environ, **test["env"]}
        for variable in ("AN_GOLDEN_DIR", "AN_WEIGHTS_DIR", "AN_DATA_DIR"):  # the data in every clone must suffice
            env.pop(variable, None)
        try:
            done = run(test["cmd"], env=env, timeout=timeout, cwd=test["workdir"] or self.folder)
        except subprocess.TimeoutExpired:
            return 1, "timed out"
        failed = re.findall(r"\[  FAILED  \] (?:\S+: )?(\w+)$", done.stdout, re.M)
        if done.returncode < 0:
            failed.append(f"signal {-done.returncode}")
        return done.returncode, failed[0] if failed else f"status {done.returncode}"

    def check_unbroken(self, names):
        """Check that all tests pass before anything is broken, and time them."""
        programs = sorted({os.path.relpath(self.test(name)["cmd"][0], self.folder) for name in names})
        self.must(["ninja", "-C", str(self.folder), "-j", str(self.jobs)] + programs)
        for name in names:
            begun = time.monotonic()
            status, failed = self.run_test(name, 900)
            self.seconds[name] = time.monotonic() - begun
            if status not in (0, SKIPPED):
                raise Failure(f"test '{name}' fails before anything is broken: {failed}")


def key_of(mutant):
    return hashlib.sha256(repr(sorted(mutant.items())).encode()).hexdigest()


def text_problem(mutant):
    path = TOP / mutant["file"]
    count = path.read_text().count(mutant["find"]) if path.exists() else 0
    if count == 1 and mutant["find"] != mutant["put"]:
        return None
    return f"its text occurs {count} times in {mutant['file']}, expected once: {mutant['find']!r}"


def try_mutant(build, source, mutant):
    """Returns (outcome, words)."""
    path = source / mutant["file"]
    whole = path.read_text()
    ran = 0
    path.write_text(whole.replace(mutant["find"], mutant["put"]))
    try:
        for name in mutant["tests"]:
            output = build.make(name)
            if output is not None:
                return "stale", "it does not compile:\n" + output[-1500:]
            status, failed = build.run_test(name, LEAST_TIMEOUT + 10 * build.seconds.get(name, 0))
            if status == SKIPPED:
                continue
            ran += 1
            if status:
                return "killed", f"{name}: {failed}"
    finally:
        path.write_text(whole)
    return ("survived", "by " + ", ".join(mutant["tests"])) if ran else ("skipped", "its tests cannot run here")


def choose(words):
    chosen = []
    for word in words:
        hits = [m for i, m in enumerate(MUTANTS, 1) if word in (str(i), m["name"]) or m["file"].startswith(f"lib/{word}")]
        if not hits:
            raise Failure(f"no mutant has the number, name or folder '{word}'; --list shows them")
        chosen += [m for m in hits if m not in chosen]
    return chosen or MUTANTS


def main():
    parser = argparse.ArgumentParser(prog="mutants.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", nargs="*", metavar="NUMBER|NAME|FOLDER", help="only these; FOLDER is below lib, such as kernels/avx2; default: all")
    parser.add_argument("--list", action="store_true", help="list the mutants, break nothing")
    parser.add_argument("--check", action="store_true", help="check that their texts are in the source, break nothing")
    parser.add_argument("--again", action="store_true", help="also run those that were killed before")
    parser.add_argument("--folder", default=str(TOP / "build" / "mutants"), help="where to copy and build; default: build/mutants")
    options = parser.parse_args()
    jobs = int(os.environ.get("JOBS", os.cpu_count() or 1))
    mutants = choose(options.which)
    if options.list:
        for mutant in mutants:
            print(f"{MUTANTS.index(mutant) + 1:3} {mutant['name']:34} {mutant['file']}: {mutant['why']}")
        return 0

    counts = dict.fromkeys(("killed", "survived", "stale", "skipped"), 0)
    bad = []

    def count(mutant, outcome, words, seconds=None):
        counts[outcome] += 1
        if outcome in ("survived", "stale"):
            bad.append(f"{mutant['name']} ({mutant['file']}: {mutant['why']})")
        took = "" if seconds is None else f" [{seconds:.0f} s]"
        print(f"{MUTANTS.index(mutant) + 1:3} {mutant['name']:34} {outcome:8} {words}{took}", flush=True)

    fresh = []
    for mutant in mutants:
        problem = text_problem(mutant)
        if problem:
            count(mutant, "stale", problem)
        else:
            fresh.append(mutant)
    if not options.check:
        folder = Path(options.folder)
        source = folder / "source"
        content = copy_source(source)
        kept_path = folder / "results.json"
        kept = json.loads(kept_path.read_text()) if kept_path.exists() else {}
        if kept.get("content") != content:
            kept = {"content": content, "killed": {}}
        todo = []
        for mutant in fresh:
            if key_of(mutant) in kept["killed"] and not options.again:
                count(mutant, "killed", kept["killed"][key_of(mutant)] + " (before)")
            else:
                todo.append(mutant)
        if todo:
            build = Build(source, jobs)
            build.check_unbroken(sorted({name for mutant in todo for name in mutant["tests"]}))
        for mutant in todo:
            begun = time.monotonic()
            outcome, words = try_mutant(build, source, mutant)
            count(mutant, outcome, words, time.monotonic() - begun)
            if outcome == "killed":
                kept["killed"][key_of(mutant)] = words
                kept_path.write_text(json.dumps(kept, indent=1) + "\n")
    if options.check:
        print(f"{len(fresh)} of {len(mutants)} texts found")
    else:
        print(", ".join(f"{n} {what}" for what, n in counts.items() if n or what in ("killed", "survived")))
    for line in bad:
        print("not killed: " + line)
    return 1 if bad or len(mutants) == counts["skipped"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(failure, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
