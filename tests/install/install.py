# SPDX-License-Identifier: MIT
"""Install into an empty folder and use what is there as a stranger would: pkg-config with C and C++,
static linking, CMake, and the programs that the README shows.

usage: install.py ROOT BUILD MAKE_FACES
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

ROOT, BUILD, MAKE_FACES = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
HERE = Path(__file__).resolve().parent
MAX_STRIPPED_BYTES = 2_000_000  # the shared library without symbols and without what it links


def run(*command, env=None, cwd=None):
    """Run; an empty list if it went well, else what it said."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", env=env, cwd=cwd)
    run.output = done.stdout
    return [] if done.returncode == 0 else [f"{' '.join(map(str, command))}: exit status {done.returncode}", done.stdout]


def one(folder, pattern):
    found = sorted(folder.rglob(pattern))
    return found[0] if found else None


def readme_program(name):
    """The program that the README shows below the words `NAME.c`."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(r"^`" + name + r"\.c`.*?^```c\n(.*?)^```", text, re.S | re.M).group(1)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="attractivenet install ") as name:  # a blank in the path
        work = Path(name)
        env = dict(os.environ, DESTDIR=str(work / "root"))
        problems = run("meson", "install", "-C", BUILD, "--no-rebuild", env=env)
        tap.case("meson install", problems)
        if problems:
            tap.exit()
        pc = one(work / "root", "attractivenet.pc")
        library = one(work / "root", "libattractivenet.so.*.*")
        static = one(work / "root", "libattractivenet.a")
        config = one(work / "root", "attractivenetConfig.cmake")
        header = one(work / "root", "attractivenet.h")
        tap.case("there is a shared and a static library, a header, a pkg-config and a CMake file",
                 [f"no {what}" for what, path in (("shared library", library), ("static library", static),
                  ("header", header), ("attractivenet.pc", pc), ("attractivenetConfig.cmake", config)) if not path])
        if not (pc and library and static and config and header):
            tap.exit()

        # pkg-config in the staging folder: the prefix is where it lies now. (Not PKG_CONFIG_SYSROOT_DIR:
        # that would move the system's packages, too.) A path without blanks: pkg-config's output is split.
        moved = Path(tempfile.mkdtemp())
        try:
            use(tap, work, moved, pc, library)
        finally:
            shutil.rmtree(moved)

        stripped = work / "stripped.so"
        problems = run("strip", "--strip-unneeded", "-o", stripped, library)
        size = stripped.stat().st_size if not problems else 0
        tap.case("the stripped library is smaller than 2 MB",
                 problems or ([f"{size} bytes"] if size > MAX_STRIPPED_BYTES else []))
        problems = run("readelf", "-d", library)
        tap.case("the library has its SONAME and no path to other libraries",
                 problems or ([] if re.search(r"SONAME.*\[libattractivenet\.so\.\d+\]", run.output)
                              and "RPATH" not in run.output and "RUNPATH" not in run.output else [run.output]))
    tap.exit()


def use(tap, work, moved, pc, library):
    prefix = moved / "usr"
    text = pc.read_text()
    installed = re.search(r"^prefix=(.*)$", text, re.M).group(1)
    shutil.copytree(str(work / "root") + installed, prefix, symlinks=True)
    moved_pc = prefix / pc.relative_to(str(work / "root") + installed)
    moved_pc.write_text(re.sub(r"^prefix=.*$", f"prefix={prefix}", text, flags=re.M))
    lib_dir = prefix / library.relative_to(str(work / "root") + installed).parent
    env = dict(os.environ, PKG_CONFIG_PATH=f"{moved_pc.parent}:{os.environ.get('PKG_CONFIG_PATH', '')}",
               LD_LIBRARY_PATH=str(lib_dir))

    def flags(*options):
        problems = run("pkg-config", *options, "attractivenet", env=env)
        return problems, run.output.split()

    user = HERE / "user.c"
    problems, shared = flags("--cflags", "--libs")
    tap.case("pkg-config knows the library", problems)
    for compiler, standard, language in (("cc", "c11", "c"), ("c++", "c++17", "c++")):
        program = moved / f"user-{language}"
        name = f"a user in {language.upper()} compiles and runs, from pkg-config"
        if not shutil.which(compiler):
            tap.skip(name, f"no {compiler}")
            continue
        problems = run(compiler, "-std=" + standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-x", language, user,
                       "-x", "none", "-o", program, *shared, env=env)
        tap.case(name, problems or run(program, env=env))
    # Our archive with the shared libraries of others: their own static closure needs packages that few have.
    private = re.search(r"^Requires\.private:(.*)$", text, re.M)
    names = re.findall(r"[\w.+-]+", re.sub(r"[<>=]+\s*[\w.]+", "", private.group(1))) if private else []
    problems = run("pkg-config", "--libs", *names, env=env) if names else []
    libraries = (run.output.split() if names else []) + ["-lm", "-pthread"]
    libraries += [f"-I{prefix}/include"]
    program = moved / "user-static"
    problems = problems or run("cc", "-std=c11", user, "-o", program, lib_dir / "libattractivenet.a", *libraries, env=env)
    plain = dict(os.environ)
    tap.case("a static user compiles and runs without the shared library",
             problems or run(program, env=plain))

    name = "a user with CMake compiles and runs"
    if shutil.which("cmake"):
        project = moved / "cmake"
        project.mkdir()
        shutil.copy(user, project / "user.c")
        shutil.copy(HERE / "CMakeLists.txt", project)
        problems = run("cmake", "-G", "Ninja", "-S", project, "-B", project / "build",
                       f"-DCMAKE_PREFIX_PATH={prefix}", env=env)
        problems = problems or run("cmake", "--build", project / "build", env=env)
        tap.case(name, problems or run(project / "build/user", env=plain))
    else:
        tap.skip(name, "no cmake")

    faces = moved / "faces.zip"
    tap.case("made-up faces for the README's programs", run(MAKE_FACES, "--out", faces, "--count", "40", "--size", "96"))
    for compiler, standard, language in (("cc", "c11", "c"), ("c++", "c++17", "c++")):
        readme_programs_run(tap, moved, shared, env, faces, compiler, standard, language)


def readme_programs_run(tap, moved, flags, env, faces, compiler, standard, language):
    """The README's programs, as written but for the download of ImageNet's weights: random ones."""
    names = ("score", "train")
    if not shutil.which(compiler):
        for name in names:
            tap.skip(f"the README's program {name}.c in {language.upper()}", f"no {compiler}")
        return
    for name in names:
        source = moved / f"{name}.c"
        source.write_text(readme_program(name).replace("AN_WEIGHTS_IMAGENET", "AN_WEIGHTS_RANDOM"))
    problems = {name: run(compiler, "-std=" + standard, "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror",
                          "-x", language, moved / f"{name}.c", "-x", "none", "-o", moved / name, *flags, "-lm", env=env)
                for name in names}
    problems["train"] = problems["train"] or run(moved / "train", faces, "1", env=env, cwd=moved)
    if not problems["train"] and not re.search(r"^RMSE of \d+ test images: \d+\.\d+$", run.output, re.M):
        problems["train"] = [run.output]
    image = moved / "photo.png"
    with zipfile.ZipFile(faces) as archive:
        image.write_bytes(archive.read(next(n for n in archive.namelist() if n.endswith((".png", ".jpg")))))
    problems["score"] = problems["score"] or problems["train"] or run(moved / "score", "model.safetensors", image, env=env, cwd=moved)
    if not problems["score"] and not re.search(r"^score -?\d+\.\d+$", run.output, re.M):
        problems["score"] = [run.output]
    for name in names:
        tap.case(f"the README's program {name}.c in {language.upper()}", problems[name])

if __name__ == "__main__":
    main()
