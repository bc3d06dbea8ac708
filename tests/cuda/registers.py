# SPDX-License-Identifier: MIT
"""What ptxas says of each kernel: no spills, no stack frame, and no more registers than its limit.

usage: registers.py ROOT ARCH...    ARCH: sm_80, sm_90, ...

limits.txt, beside this file, has the limits. Skipped where nvcc is not found.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from tap import Tap  # noqa: E402

ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(\w+)'")
FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")


def find_nvcc():
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or "/usr/local/cuda"
    found = shutil.which("nvcc") or str(Path(home) / "bin/nvcc")
    return found if Path(found).exists() else None


def read_limits():
    """Lines "FILE KERNEL REGISTERS"; "*" is any kernel. The last line that fits counts."""
    limits = []
    for line in (HERE / "limits.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            file, kernel, registers = line.split("#")[0].split()
            limits.append((file, kernel, int(registers)))
    return limits


def simple_name(mangled):
    """The function's own name in a mangled one: the first name after its namespaces."""
    match = re.match(r"_ZN?(?:L)?(\d+)", mangled)
    names, at = [], 2 + (mangled[2] == "N") if match else 0
    while at < len(mangled):
        match = re.match(r"L?(\d+)", mangled[at:])
        if not match:
            break
        at += match.end()
        length = int(match.group(1))
        names.append(mangled[at:at + length])
        at += length
    return names[-1] if names else mangled


def kernels_of(report):
    """Yield (mangled, frame, spills, registers) of what ptxas -v has printed."""
    mangled = frame = spills = None
    for line in report.splitlines():
        if match := ENTRY.search(line):
            mangled, frame, spills = match.group(1), 0, 0
        elif mangled and (match := FRAME.search(line)):
            frame, spills = int(match.group(1)), int(match.group(2)) + int(match.group(3))
        elif mangled and (match := USED.search(line)):
            yield mangled, frame, spills, int(match.group(1))
            mangled = None


def problems_of(file, report, limits):
    problems, seen = [], 0
    for mangled, frame, spills, registers in kernels_of(report):
        seen += 1
        name = simple_name(mangled)
        fitting = [most for f, k, most in limits if f in ("*", file) and k in ("*", name)]
        if frame or spills:
            problems.append(f"{name} ({mangled}): {frame} bytes of stack, {spills} bytes of spills")
        if registers > fitting[-1]:
            problems.append(f"{name} ({mangled}): {registers} registers; the limit is {fitting[-1]}")
    return problems if seen else [f"ptxas names no kernel:\n{report}"]


def main():
    root, archs = Path(sys.argv[1]), sys.argv[2:]
    nvcc = find_nvcc()
    if not nvcc:
        sys.exit(77)
    tap, limits = Tap(), read_limits()
    # The test itself: it finds what it looks for.
    report = ("ptxas info    : Compiling entry function '_ZN5space4slowIfLi8EEEvPf' for 'sm_80'\n"
              "    8 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads\n"
              "ptxas info    : Used 200 registers, used 1 barriers\n")
    found = problems_of("x.cu", report, [("*", "*", 128)])
    tap.case("spills and registers are found in a report", [] if len(found) == 2 and
             found[0].startswith("slow ") else found)
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted((root / "lib/backend/cuda/kernel").glob("*.cu")):
            for arch in archs:
                done = subprocess.run(
                    [nvcc, "-std=c++17", "-arch=" + arch, "-O3", "-fmad=false", "-cubin", "-Xptxas", "-v", "-I", root / "include", "-I",
                     root / "lib", "-o", Path(folder) / "out.cubin", path],
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                problems = ([done.stdout] if done.returncode else problems_of(path.name, done.stdout, limits))
                tap.case(f"{path.name}, {arch}: no spills, registers within limits", problems)
    tap.exit()


if __name__ == "__main__":
    main()
