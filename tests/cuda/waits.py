# SPDX-License-Identifier: MIT
"""Removes each wait of the CUDA kernels in turn (ani_sync, ani_sync_warp, ani_copy_wait): a test must fail.

usage: waits.py ROOT BUILD [FILE...]    FILE: only these, of lib/backend/cuda/kernel

The stand-in library is linked again from the objects of BUILD, with those objects compiled anew that the file is part
of. AN_TEST_SHARE is the share of the cases; the default is 12. Waits that nobody can miss are named in WITHOUT.
"""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

ROOT, BUILD = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
KERNELS = ROOT / "lib/backend/cuda/kernel"
WAIT = re.compile(r"\bani_(?:sync|sync_warp|copy_wait<[^>;]*>)\(\);")
# (file, number of the wait in it): why no test can miss it.
WITHOUT = {}


def commands():
    """The compile command of each kernel file of the stand-in library, by its name."""
    found = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        match = re.search(r"libshim_kernels\.a\.p/.*kernel_(\w+)\.cpp\.o$", entry["output"])
        if match:
            found[match.group(1) + ".cu"] = (shlex.split(entry["command"]), BUILD / entry["output"])
    return found


def parts_of(name):
    """The kernel files that include a file, itself if it is one."""
    users, wanted = set(), {name}
    while wanted:
        some = wanted.pop()
        users.add(some)
        for path in sorted(KERNELS.iterdir()):
            if path.name not in users and f'"backend/cuda/kernel/{some}"' in path.read_text():
                wanted.add(path.name)
    return sorted(user for user in users if user.endswith(".cu"))


def build(folder, name, text, all_commands):
    """Make the library with one file changed; None if it does not compile."""
    changed = folder / "lib/backend/cuda/kernel"
    changed.mkdir(parents=True, exist_ok=True)
    (changed / name).write_text(text)
    objects = {file: str(output) for file, (_, output) in all_commands.items()}
    for file in parts_of(name):
        command, _ = all_commands[file]
        command = [word for word in command if word not in ("ccache",)]
        at = command.index("-o")
        command[at + 1] = objects[file] = str(folder / (file + ".o"))
        command[1:1] = ["-I" + str(folder / "lib"), "-Wno-error"]
        if subprocess.run(command, cwd=BUILD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            return None
    cuda = BUILD / "tests/cuda"
    rest = [str(p) for folder_of in ("libattractivenet-cuda-shim.so.p", "libshim.a.p")
            for p in sorted((cuda / folder_of).iterdir()) if p.name.endswith(".o")]
    library = folder / "library.so"
    done = subprocess.run(["c++", "-shared", "-o", str(library), *objects.values(), *rest, "-lm", "-pthread"])
    return None if done.returncode else library


def failing_test(library):
    """The first test that fails with a library; None if all pass."""
    tests = [("entries", "tests/backend/test_backend_entries", [], {}),
             ("units", "tests/backend/test_backend_units", [], {}),
             ("infer", "tests/backend/test_backend_infer", [], {})]
    for name, program, arguments, more in tests:
        environment = dict(os.environ, AN_TEST_DEVICE="cuda", AN_TEST_CUDA_LIBRARY=str(library), **more)
        environment.setdefault("AN_TEST_SHARE", "12")
        try:
            done = subprocess.run([BUILD / program, *arguments], env=environment, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, timeout=900)
            if done.returncode:
                return name
        except subprocess.TimeoutExpired:
            return name
    return None


def main():
    tap, all_commands = Tap(), commands()
    only = sys.argv[3:]
    for path in sorted(KERNELS.iterdir()):
        if path.name in ("kernel.h", "mma.h") or (only and path.name not in only):
            continue
        text = path.read_text()
        for number, match in enumerate(WAIT.finditer(text), 1):
            line = text.count("\n", 0, match.start()) + 1
            what = f"{path.name}:{line}: without {match.group(0)[:-1]}, wait {number} of the file"
            if (path.name, number) in WITHOUT:
                tap.skip(what, WITHOUT[path.name, number])
                continue
            with tempfile.TemporaryDirectory() as folder:
                library = build(Path(folder), path.name, text[:match.start()] + ";" + text[match.end():], all_commands)
                if not library:
                    tap.case(what, ["it does not compile"])
                    continue
                failed = failing_test(library)
                tap.case(f"{what}: {failed} fails" if failed else what, [] if failed else ["no test fails"])
    tap.exit()


if __name__ == "__main__":
    main()
