# SPDX-License-Identifier: MIT
"""The programs of docs/api.md compile as C11 and C++17 without a warning, and run, in the page's order.
A block "text" after a program is what it prints, with # for any number.

usage: api.py ROOT BUILD PROGRAM
"""
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
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
LANGUAGES = (("cc", "c11", "c"), ("c++", "c++17", "c++"))


def run(*command, cwd, env=None):
    """Run. Returns what went wrong, and what the program said."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, errors="replace", cwd=cwd, env=env)
    wrong = [] if done.returncode == 0 else [f"{' '.join(map(str, command))}: exit status {done.returncode}", done.stdout]
    return wrong, done.stdout


def programs(text):
    """The page's blocks as (heading, code, what it prints or None)."""
    heading, found = "", []
    for part in re.finditer(r"^## (?P<heading>[^\n]*)$|^```(?P<kind>c|text)\n(?P<block>.*?)^```$", text, re.S | re.M):
        if part["heading"]:
            heading = part["heading"]
        elif part["kind"] == "c":
            found.append([heading, part["block"], None])
        elif found:
            found[-1][2] = part["block"]
    return found


def without_numbers(text):
    return re.sub(r"-?\d+(\.\d+)?(e[-+]?\d+)?|nan", "#", text)


def main():
    tap = Tap()
    blocks = programs((ROOT / "docs/api.md").read_text(encoding="utf-8"))
    tap.case("the page has programs", [] if len(blocks) > 1 else ["none was found"])
    library = BUILD / "lib"
    env = dict(os.environ, LD_LIBRARY_PATH=str(library))
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "check.h").write_text(blocks[0][1] if blocks else "")
        wrong, _ = run(PROGRAM, "faces", "--out", "faces.zip", "--size", "64", "--count", "40", cwd=work)
        tap.case("made-up faces", wrong)
        for at, (heading, code, prints) in enumerate(blocks[1:]):
            source = work / f"program{at}.c"
            source.write_text(code)
            for compiler, standard, language in LANGUAGES:
                if not shutil.which(compiler):
                    tap.skip(f"{heading}: {language}", f"no {compiler}")
                    continue
                program = work / f"program{at}-{language}"
                wrong, _ = run(compiler, "-std=" + standard, *WARNINGS, "-x", language, source, "-x", "none", "-o", program,
                               f"-I{ROOT / 'include'}", f"-L{library}", "-lattractivenet", "-pthread", "-lm", cwd=work)
                said = ""
                if not wrong:
                    wrong, said = run(program, cwd=work, env=env)
                if not wrong and prints is not None and without_numbers(said) != without_numbers(prints):
                    wrong = ["it prints", said, "and the page says", prints]
                tap.case(f"{heading}: {language}", wrong)
    tap.exit()


if __name__ == "__main__":
    main()
