# SPDX-License-Identifier: MIT
"""Configure the project where something is missing: 'auto' leaves out what cannot be built, 'enabled' says what lacks.

usage: setup.py ROOT
"""
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

ROOT = Path(sys.argv[1]).resolve()


def setup(folder, *options):
    done = subprocess.run(["meson", "setup", str(folder), str(ROOT), *options], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    shutil.rmtree(folder / "meson-logs", ignore_errors=True)
    return done.returncode, done.stdout


def said(result, fails, *texts):
    status, out = result
    wrong = [] if bool(status) == fails else [f"exit status {status}"]
    wrong += [f"no '{text}'" for text in texts if text not in out]
    return wrong + [out[-3000:]] if wrong else []


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        real = shutil.which("pkg-config")
        (work / "pkg-config").write_text(f"#!/bin/sh\ncase \" $* \" in *' cmocka '*) exit 1 ;; esac\nexec '{real}' \"$@\"\n")
        (work / "pkg-config").chmod(0o755)
        (work / "native.ini").write_text(f"[binaries]\npkgconfig = '{work}/pkg-config'\ncmake = '/no/cmake'\n")
        without = f"--native-file={work}/native.ini"
        result = setup(work / "auto", without)
        tests = (work / "auto/meson-info/intro-tests.json")
        tap.case("a setup without cmocka builds no tests, and says so",
                 said(result, False) or ([] if any(line.split() in (["tests", ":", "NO"], ["tests:", "NO"])
                                                   for line in result[1].splitlines()) and tests.read_text().strip() == "[]"
                                         else [result[1][-2000:]]))
        tap.case("-Dtests=enabled without cmocka is an error",
                 said(setup(work / "enabled", without, "-Dtests=enabled"), True, "cmocka"))
        tap.case("tests need no examples, benchmarks, live or CUDA",
                 said(setup(work / "few", "-Dtests=enabled", "-Dexamples=disabled", "-Dbench=disabled", "-Dlive=disabled",
                            "-Dcuda=disabled"), False))
        tap.case("-Dnccl=enabled without CUDA is an error",
                 said(setup(work / "nccl", "-Dnccl=enabled", "-Dcuda=disabled"), True, "-Dnccl=enabled: no CUDA"))
    tap.exit()


if __name__ == "__main__":
    main()
