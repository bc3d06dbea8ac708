# SPDX-License-Identifier: MIT
"""The package of bindings/python: installs from a clean copy of the sources, and its tests, types, notebook.

usage: python.py ROOT BUILD PROGRAM

What pip installs is kept in BUILD/python. Skipped, with the reason, where pip cannot get it.
"""
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as xml
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

ROOT, BUILD, PROGRAM = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), str(Path(sys.argv[3]).resolve())
WORK = BUILD / "python"
PYTHON = WORK / "env/bin/python"
REQUIREMENTS = ROOT / "bindings/python/tests/requirements.txt"


def run(*command, cwd=WORK, **env):
    """Run. Returns what went wrong, and what the program said."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, errors="replace", cwd=cwd,
                          env={**os.environ, "PATH": f"{PYTHON.parent}:{os.environ['PATH']}", **env})
    wrong = [] if done.returncode == 0 else [f"{' '.join(map(str, command))}: exit status {done.returncode}",
                                             *done.stdout.splitlines()[-60:]]
    return wrong, done.stdout


def environment():
    """A virtual environment with the requirements. Returns why there is none, or ''."""
    if not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        return "Python's headers are missing (apt install python3-dev)"
    stamp = WORK / "requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted and PYTHON.exists():
        return ""
    shutil.rmtree(WORK / "env", ignore_errors=True)
    WORK.mkdir(exist_ok=True)
    wrong, _ = run(sys.executable, "-m", "venv", WORK / "env", cwd=BUILD)
    if wrong:
        return "no virtual environment (apt install python3-venv): " + wrong[-1]
    wrong, _ = run(PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "-q", "-r", REQUIREMENTS)
    if wrong:
        return "pip cannot install what the tests need: " + wrong[-1]
    stamp.write_text(wanted)
    return ""


def copy_sources(to):
    """The files of a clean clone: those that git knows, with their changes. Times stay, so that little is rebuilt."""
    listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if listed.returncode:
        return ROOT
    names = [name for name in listed.stdout.decode().split("\0") if name and os.path.lexists(ROOT / name)]
    kept = set(names)
    for folder, folders, files in os.walk(to):
        for name in files + [one for one in folders if os.path.islink(os.path.join(folder, one))]:
            path = os.path.join(folder, name)
            if os.path.relpath(path, to) not in kept:
                os.unlink(path)
    for name in names:
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink():
            target.unlink()
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    return to


def count_cases(tap, report):
    """A TAP line for each case of a pytest report."""
    for case in xml.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname').split('.')[-1]}: {case.get('name')}"
        skipped = case.find("skipped")
        if skipped is not None:
            tap.skip(name, " ".join(skipped.get("message", "").split()))
            continue
        wrong = [part for kind in ("failure", "error") for part in case.findall(kind)]
        tap.case(name, [line for part in wrong for line in (part.text or "").splitlines()[-60:]])


def main():
    tap = Tap()
    why = environment()
    if why:
        tap.skip("the Python package", why)
        tap.exit()
    source = copy_sources(WORK / "source")
    wrong, _ = run(PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "-q", "--no-build-isolation", "--no-deps",
                   "--force-reinstall", "./bindings/python", f"-Cbuild-dir={WORK / 'build'}", cwd=source)
    tap.case("pip install ./bindings/python, from a clean copy of the sources", wrong)
    if wrong:
        tap.exit()
    tests = source / "bindings/python"
    report = WORK / "report.xml"
    report.unlink(missing_ok=True)
    wrong, said = run(PYTHON, "-m", "pytest", tests / "tests", f"--junitxml={report}", "-o", "junit_family=xunit1",
                      "--rootdir", tests, AN_PROGRAM=PROGRAM, PYTHONPATH="", PYTHONDONTWRITEBYTECODE="1")
    if report.exists():
        count_cases(tap, report)
    else:
        tap.case("pytest runs", wrong or [said])
    wrong, _ = run(PYTHON, "-m", "mypy", "--strict", "--cache-dir", WORK / "mypy", "-p", "attractivenet")
    tap.case("mypy --strict: the package", wrong)
    examples = sorted((tests / "examples").glob("*.py"))
    wrong, _ = run(PYTHON, "-m", "mypy", "--strict", "--cache-dir", WORK / "mypy", *examples)
    tap.case("mypy --strict: programs that use the package", wrong)
    tap.exit()


main()
