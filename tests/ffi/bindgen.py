# SPDX-License-Identifier: MIT
"""The headers as a binding generator reads them: what Rust's bindgen makes of them agrees with tests/abi.

usage: bindgen.py ROOT BUILD    BUILD: folder with the configured headers
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT, BUILD = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(ROOT / "tests/support"))
from tap import Tap  # noqa: E402


def recorded():
    """Sizes of structs, offsets of fields, constants and functions of tests/abi."""
    sizes, offsets, constants = {}, {}, {}
    for line in (ROOT / "tests/abi/layout.txt").read_text().splitlines():
        words = line.split()
        if words[0] == "struct":
            sizes[words[1]] = int(words[2])
        elif "." in words[0]:
            offsets[words[0]] = int(words[1])
        elif words[0].startswith("AN_"):
            constants[words[0]] = int(words[1])
    functions = {line for line in (ROOT / "tests/abi/symbols.txt").read_text().split() if line.startswith("an_")}
    return sizes, offsets, constants, functions


def generated(text):
    """The same from bindgen's output, with its own checks of the layout. A field that is a word of Rust ends in "_"."""
    found = re.findall(r"size_of::<(an_\w+)>\(\)(?:,| -)\s*(\d+)usize", text)
    sizes = {name: int(size) for name, size in found}
    found = re.findall(r"addr_of!\(\(\*ptr\)\.(\w+)\) as usize - ptr as usize\s*\},\s*(\d+)usize,\s*concat!\(\s*"
                       r'"Offset of field: ",\s*stringify!\((an_\w+)\)', text)
    found += [(field, offset, struct) for struct, field, offset in  # from bindgen 0.70 on
              re.findall(r"offset_of!\((an_\w+), (\w+)\) - (\d+)usize", text)]
    offsets = {f"{struct}.{field.rstrip('_')}": int(offset) for field, offset, struct in found}
    constants = {name: int(value) for name, value in re.findall(r"pub const (AN_\w+): \w+ = (-?\d+);", text)}
    return sizes, offsets, constants, set(re.findall(r"pub fn (an_\w+)\(", text))


def differences(kind, ours, theirs):
    if isinstance(ours, set):
        return [f"{kind} only in {where}: {name}" for where, names in (("tests/abi", ours - theirs), ("bindgen", theirs - ours))
                for name in sorted(names)]
    # what bindgen knows besides, such as structs without a size of their own, is not recorded
    return [f"{kind} {name}: recorded {value}, bindgen {theirs.get(name)}" for name, value in ours.items()
            if theirs.get(name) != value]


def main():
    tap = Tap()
    bindgen, name = shutil.which("bindgen"), "bindgen reads the headers as tests/abi records them"
    if not bindgen:
        tap.skip(name, "no bindgen (Debian's package bindgen)")
        tap.exit()
    done = subprocess.run([bindgen, ROOT / "include/attractivenet/attractivenet.h", "--allowlist-function", "an_.*",
                           "--allowlist-type", "an_.*", "--allowlist-var", "AN_.*", "--", f"-I{ROOT / 'include'}",
                           f"-I{BUILD / 'include'}", "-DAN_API="], capture_output=True, text=True)
    problems = [done.stderr] if done.returncode else []
    text = done.stdout
    for kind, ours, theirs in zip(("size of", "offset of", "constant", "function"), recorded(), generated(text)):
        tap.case(f"bindgen and tests/abi agree: {kind} {len(ours)}", problems or differences(kind, ours, theirs))
    tap.case("no type needs bindgen's opaque blobs or unions", problems or re.findall(r"pub union \w+|__BindgenOpaque\w+", text))
    tap.exit()


main()
