# SPDX-License-Identifier: MIT
"""Source rules that no compiler checks.

usage: lint.py ROOT BUILD    BUILD: the build folder, for its config.h and list of tests
"""
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

ROOT = Path(sys.argv[1]).resolve()
BUILD = Path(sys.argv[2]).resolve()
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", "-fsyntax-only"]
# Headers of an ISA level are included in one source file of that level, with its compiler flags.
LEVEL_FOLDERS = tuple(f"lib/kernels/{level}/" for level in ("simd", "avx2", "avx512", "avx512vnni", "avx512bf16", "neon"))
KERNEL_FOLDER = "lib/backend/cuda/kernel/"  # C++
CLANG_FORMAT = "14"  # the reference version; others format some lines differently


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    return done.returncode, done.stdout


def project_files():
    """The project's files: those that git tracks, or without git all except build folders."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        status, out = run("git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z",
                          "--cached", "--others", "--exclude-standard")
        if status == 0:
            return sorted(ROOT / name for name in out.split("\0") if name and (ROOT / name).is_file())
    files = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if not f.startswith("build") and f not in (".git", "out", "__pycache__")]
        files += [Path(folder) / name for name in names]
    return sorted(files)


FILES = project_files()


def relative(path):
    return path.relative_to(ROOT).as_posix()


def sources(*folders, endings=(".c", ".h")):
    return [f for f in FILES if relative(f).startswith(folders) and f.suffix in endings]


def without_comments(text):
    """Blank out comments and the contents of strings; line numbers are preserved."""
    def blank(match):
        found = match.group(0)
        if found.startswith("/"):
            return re.sub(r"[^\n]", " ", found)
        return found[0] + " " * (len(found) - 2) + found[-1]
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def find(pattern, files, clean=True):
    problems = []
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        if clean:
            text = without_comments(text)
        for match in re.finditer(pattern, text):
            line = text.count("\n", 0, match.start()) + 1
            problems.append(f"{relative(path)}:{line}: {match.group(0).strip()}")
    return problems


# --- include directions ---------------------------------------------------------------------------

def read_rows():
    rows, public = {}, {}
    for line in (ROOT / "tests/lint/rows.txt").read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        row, module, *headers = line.split()
        rows[module] = int(row)
        for header in headers:
            public[header] = module
    return rows, public


ROWS, PUBLIC = read_rows()


def module_of_include(name):
    """The module of an included header; None for a header from elsewhere."""
    parts = name.split("/")
    if parts[0] == "attractivenet" and len(parts) == 2:
        return PUBLIC.get(parts[1][:-2], "?")
    if len(parts) > 1 and parts[0] in ROWS:
        return parts[0]
    return None


def include_problems(path, module):
    problems = []
    for name in INCLUDE.findall(path.read_text(encoding="utf-8")):
        other = module_of_include(name)
        if other is None or other == module:
            continue
        if other == "?":
            problems.append(f"{relative(path)}: <{name}> has no row in tests/lint/rows.txt")
        elif ROWS[other] >= ROWS[module]:
            problems.append(f"{relative(path)}: row {ROWS[module]} ({module}) includes \"{name}\" of "
                            f"row {ROWS[other]} ({other})")
    return problems


def circles():
    """Sources of one folder that need each other: X.c and X.h count as one; a header without a source, which
    several sources of a folder share, counts as none."""
    needs = {}
    for path in sources("lib/", endings=(".c",)):
        text = "".join(f.read_text(encoding="utf-8") for f in (path, path.with_suffix(".h")) if f.exists())
        headers = [(ROOT / "lib" / name).with_suffix(".c") for name in INCLUDE.findall(text)]
        needs[path] = {other for other in headers if other != path and other.parent == path.parent and other.exists()}
    # A file that needs none of the remaining ones is not in a cycle; what remains in the end is in one or leads to one.
    free = True
    while free:
        free = [path for path in needs if not needs[path] & needs.keys()]
        for path in free:
            del needs[path]
    return [f"{relative(path)} needs {', '.join(sorted(relative(other) for other in needs[path] & needs.keys()))}"
            for path in sorted(needs)]


def check_rows(tap):
    folders = {f.name for f in (ROOT / "lib").iterdir() if f.is_dir()}
    with_sources = {relative(f).split("/")[1] for f in sources("lib/")}
    tap.case("each folder of lib/ has a row", [f"lib/{name}" for name in sorted((folders & with_sources) - set(ROWS))])
    for module in sorted(ROWS, key=lambda m: (ROWS[m], m)):
        files = sources(f"lib/{module}/")
        if files:
            tap.case(f"includes of lib/{module} point downwards",
                     [p for f in files for p in include_problems(f, module)])
    problems = []
    for path in sources("include/"):
        name = path.stem
        if name == "attractivenet":
            continue
        if name not in PUBLIC:
            problems.append(f"{relative(path)} has no row in tests/lint/rows.txt")
            continue
        problems += include_problems(path, PUBLIC[name])
        problems += [f"{relative(path)}: includes \"{i}\", which is not installed"
                     for i in INCLUDE.findall(path.read_text()) if "/" in i and not i.startswith("attractivenet/")]
    tap.case("includes of public headers point downwards", problems)
    tap.case("no circle of sources in a folder of lib/", circles())
    own_first = []
    for path in sources("lib/", endings=(".c",)):
        found = INCLUDE.findall(path.read_text(encoding="utf-8"))
        header = path.with_suffix(".h")
        if header.exists() and (not found or found[0] != header.relative_to(ROOT / "lib").as_posix()):
            own_first.append(f"{relative(path)}: its first include is not its own header")
    tap.case("each source includes its own header first", own_first)
    inside = [f"{relative(f)}: \"{name}\"" for f in sources("program/", "examples/", "bindings/")
              for name in INCLUDE.findall(f.read_text(encoding="utf-8")) if name.split("/")[0] in ROWS]
    tap.case("programs and bindings include public headers only", inside)


# --- self-contained headers -----------------------------------------------------------------------

def compile_alone(compiler, standard, header, includes):
    language = "c++" if standard.startswith("c++") else "c"
    return run(compiler, "-x", language, "-std=" + standard, *WARNINGS, *includes,
               "-include", str(header), "/dev/null")


def check_headers(tap):
    public = sources("include/", endings=(".h",))
    include = ["-I" + str(ROOT / "include")]
    for compiler, standard in (("gcc", "c11"), ("g++", "c++17"), ("clang", "c11"), ("clang++", "c++17")):
        name = f"each public header compiles on its own: {compiler}, {standard}"
        if not shutil.which(compiler):
            tap.skip(name, f"no {compiler}")
            continue
        problems = []
        for header in public:
            status, out = compile_alone(compiler, standard, header, include)
            if status:
                problems.append(out)
        tap.case(name, problems)
    include += ["-I" + str(ROOT / "lib"), "-I" + str(ROOT / "tests"), "-I" + str(ROOT / "program"),
                "-I" + str(BUILD), "-D_GNU_SOURCE"]
    if shutil.which("pkg-config"):
        for package in ("jansson", "libzip", "libpng", "libjpeg", "hdf5", "cairo", "openblas"):
            status, out = run("pkg-config", "--cflags", package)
            include += out.split() if status == 0 else []
    include += ["-I" + str(ROOT / "tests/cuda/shim")]  # for the toolkit's headers
    problems = []
    for header in sources("lib/", "tests/support/", "program/", endings=(".h",)):
        if relative(header).startswith(LEVEL_FOLDERS + (KERNEL_FOLDER,)):
            continue
        status, out = compile_alone("cc", "c11", header, include)
        if status:
            problems.append(out)
    tap.case("each internal header compiles on its own: cc, c11", problems)
    name = "each header of CUDA kernels compiles on its own: g++, c++17"
    if not shutil.which("g++"):
        tap.skip(name, "no g++")
        return
    problems = []
    for header in sources(KERNEL_FOLDER, endings=(".h",)):
        # What a file of kernels does not call is unused in it.
        status, out = compile_alone("g++", "c++17", header, [*include, "-Wno-unused-function"])
        if status:
            problems.append(out)
    tap.case(name, problems)


# --- calls ----------------------------------------------------------------------------------------

def check_misuse(tap):
    """Each public function is tested with wrong arguments."""
    tests = "".join(f.read_text() for f in sources("tests/unit/") if f.name.startswith("test_misuse"))
    problems = []
    for path in sources("include/"):
        for name in re.findall(r"AN_API\b[^;(]*?\b(an_\w+)\(", without_comments(path.read_text())):
            if not re.search(rf"\b{name}\b", tests):
                problems.append(f"{relative(path)}: {name}()")
    tap.case("tests/unit/test_misuse*.c call each public function with wrong arguments", problems)


# --- mutants --------------------------------------------------------------------------------------

def check_mutants(tap):
    """The catalogue of mutants must follow renames; running its tests takes minutes."""
    sys.path.insert(0, str(ROOT / "tests/mutants"))
    from mutants import MUTANTS, text_problem
    problems = [f"{m['name']}: {problem}" for m in MUTANTS for problem in [text_problem(m)] if problem]
    tests = {test["name"] for test in json.loads((BUILD / "meson-info/intro-tests.json").read_text())}
    elsewhere = re.compile("kernels_|backend_|hdf5|keras")  # for other processors' levels, or libhdf5
    problems += [f"{m['name']}: there is no test '{name}'" for m in MUTANTS for name in m["tests"]
                 if name not in tests and not elsewhere.match(name)]
    tap.case("the texts and tests of tests/mutants/catalogue.py exist", problems)


# --- texts ----------------------------------------------------------------------------------------

DATA_ENDINGS = {".jpg", ".jpeg", ".png", ".zip", ".h5", ".keras", ".safetensors", ".json", ".csv", ".md", ".bin"}


def check_texts(tap):
    written = [f for f in FILES if f.suffix not in DATA_ENDINGS and not relative(f).startswith("tests/golden/data/")
               and "corpus/" not in relative(f)
               and f.name not in ("LICENSE", ".gitignore", ".clang-format", ".gitattributes")]
    problems = []
    for path in written:
        head = path.read_text(encoding="utf-8", errors="replace")[:200]
        if "SPDX-License-Identifier: MIT" not in head:
            problems.append(relative(path))
    tap.case("each file states its licence in an SPDX line", problems)

    library = sources("lib/")
    above_base = [f for f in library if not relative(f).startswith("lib/base/")]
    tap.case("the library never ends the process and never prints",
             find(r"\b(?:exit|_exit|abort|printf|puts|putchar|perror|vprintf)\s*\(|\bstd(?:out|err)\b", library))
    tap.case("memory comes only from lib/base/memory.h",
             find(r"(?<![\w>.])(?:malloc|calloc|realloc|free|strdup|strndup|aligned_alloc|posix_memalign|"
                  r"reallocarray|asprintf|vasprintf)\s*\(", above_base))
    tap.case("files are opened only through lib/base/file.h",
             find(r"(?<![\w>.])(?:fopen|fdopen|freopen|open|openat|creat|rename|unlink|remove|tmpfile|mkstemp)\s*\(",
                  above_base))
    tap.case("the library leaves the locale and signals alone",
             find(r"\b(?:setlocale|signal|sigaction|fesetround|setenv|putenv|unsetenv)\s*\(", library))
    tap.case("public structs have members of fixed width: no long, bool, size_t, enum",
             find(r"(?m)^    (?:unsigned |signed )?(?:long|bool|size_t|enum)\b[^(\n]*;", sources("include/")))

    machine = "|".join(["/" + "work/", "/" + "farm/", "/" + "root/", "/" + "home/[a-z]"])
    texts = [f for f in FILES if f.suffix not in DATA_ENDINGS - {".md", ".json", ".csv"}]
    tap.case("no paths of a particular machine", find(machine, texts, clean=False))

    unfinished = "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"])
    tap.case("nothing marked as unfinished", find(rf"\b(?:{unfinished})\b", sources("lib/", "include/", "program/", "examples/"),
                                                   clean=False))
    trailing = [f for f in written if f.suffix in (".c", ".h", ".py", ".sh", ".build", ".txt")]
    tap.case("no tabs and no trailing blanks", find(r"\t|[ ]+(?=\n)", trailing, clean=False))


def check_format(tap):
    name = f"clang-format {CLANG_FORMAT} changes nothing"
    tool = shutil.which(f"clang-format-{CLANG_FORMAT}") or shutil.which("clang-format")
    version = re.search(r"version (\d+)", run(tool, "--version")[1]) if tool else None
    if not version or version.group(1) != CLANG_FORMAT:
        tap.skip(name, f"no clang-format {CLANG_FORMAT}")
        return
    files = sources("lib/", "include/", "program/", "tests/", "examples/", "bench/", "bindings/")
    out = run(tool, "--dry-run", *[str(f) for f in files])[1]
    places = re.findall(r"^(.*?):\d+:\d+: (?:warning|error):", out, re.M)
    tap.case(name, [f"{relative(Path(path))}: {places.count(path)} places" for path in sorted(set(places))])


def check_shell(tap):
    scripts = [f for f in FILES if f.suffix == ".sh" or relative(f) == ".ci/run"]
    problems = []
    for path in scripts:
        status, out = run("bash" if "bash" in path.read_text().split("\n", 1)[0] else "sh", "-n", str(path))
        if status:
            problems.append(out)
    tap.case("shell scripts parse", problems)


def main():
    tap = Tap()
    check_rows(tap)
    check_headers(tap)
    check_misuse(tap)
    check_mutants(tap)
    check_texts(tap)
    check_format(tap)
    check_shell(tap)
    tap.exit()


if __name__ == "__main__":
    main()
