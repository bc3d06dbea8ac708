# SPDX-License-Identifier: MIT
"""bindings/cpp/attractivenet.hpp: test_cpp.cpp with both compilers, with and without exceptions, once under
AddressSanitizer, which also finds leaks.

usage: cpp.py ROOT BUILD PROGRAM
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

ROOT, BUILD, PROGRAM = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), str(Path(sys.argv[3]).resolve())
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Werror"]
WAYS = (("g++, AddressSanitizer", "g++", ["-g1", "-fsanitize=address,undefined"]),
        ("clang++", "clang++", []),
        ("g++ -fno-exceptions", "g++", ["-fno-exceptions"]),
        ("clang++ -fno-exceptions", "clang++", ["-fno-exceptions", "-fsyntax-only"]))
# Functions for programs that call such callbacks themselves.
NOT_WRAPPED = {"an_warning_init", "an_progress_init", "an_fill_batch_init", "an_loss_batch_init", "an_train_event_init"}


def run(*command, env=None):
    """Run. Returns what went wrong, and what it said."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", env=env, stdin=subprocess.DEVNULL)
    return ([] if done.returncode == 0 else [f"exit status {done.returncode}", done.stdout[-4000:]]), done.stdout


def one_way(work, way):
    """Compile and run: [(name of a case, problems)]; None: no such compiler."""
    name, compiler, flags = way
    if not shutil.which(compiler):
        return None
    folder = work / re.sub(r"\W+", "-", name)
    folder.mkdir()
    library = BUILD / "lib"
    runs = "-fsyntax-only" not in flags
    link = ["-o", folder / "test", "-L", library, "-lattractivenet"] if runs else []
    problems, _ = run(compiler, "-std=c++17", "-O0", *WARNINGS, *flags, "-I", work / "include", "-I", ROOT / "include",
                      ROOT / "tests/cpp/test_cpp.cpp", *link)
    cases = [("compiles without a warning", problems)]
    if runs and not problems:
        env = dict(os.environ, LD_LIBRARY_PATH=str(library), LSAN_OPTIONS=f"suppressions={work / 'leaks'}:print_suppressions=0")
        problems, said = run(folder / "test", work / "faces.zip", folder, env=env)
        why = []
        for line in said.splitlines():
            found = re.match(r"(ok|not ok) - (.*)$", line)
            if found:
                cases.append((found[2], why + ["failed"] if found[1] == "not ok" else []))
                why = []
            else:
                why.append(line)
        cases.append(("ends well, without a leak", problems))
    return cases


def main():
    tap = Tap()
    header = (ROOT / "bindings/cpp/attractivenet.hpp").read_text(encoding="utf-8")
    names = set(re.findall(r"^an_\w+$", (ROOT / "tests/abi/symbols.txt").read_text(), re.M))
    tap.case("the header calls every function of the library",
             sorted(names - NOT_WRAPPED - set(re.findall(r"\ban_\w+", header))))
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "include/attractivenet").mkdir(parents=True)
        (work / "include/attractivenet/attractivenet.hpp").symlink_to(ROOT / "bindings/cpp/attractivenet.hpp")
        (work / "leaks").write_text("leak:libfontconfig\n")
        problems, _ = run(PROGRAM, "faces", "--out", work / "faces.zip", "--count", "40", "--size", "64", "--quiet")
        tap.case("made-up faces", problems)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for way, cases in zip(WAYS, pool.map(lambda one: one_way(work, one), WAYS)):
                if cases is None:
                    tap.skip(way[0], f"no {way[1]}")
                for case, problems in cases or []:
                    tap.case(f"{way[0]}: {case}", problems)
    tap.exit()


if __name__ == "__main__":
    main()
