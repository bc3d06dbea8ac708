# SPDX-License-Identifier: MIT
"""Install into an empty folder and use what is there as a stranger would: the program, pkg-config with C and C++,
static linking, CMake, and the programs that the README shows.

usage: install.py ROOT BUILD
"""
import json
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

ROOT, BUILD = Path(sys.argv[1]), Path(sys.argv[2])
HERE = Path(__file__).resolve().parent
MAX_STRIPPED_BYTES = 2250000


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
    """The program that the README shows below the words `NAME`, such as score.c."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    language = name.rsplit(".", 1)[1]
    return re.search("^`" + re.escape(name) + "`.*?^```" + language + r"\n(.*?)^```", text, re.S | re.M).group(1)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="attractivenet install ") as name:  # a blank in the path
        work = Path(name)
        env = dict(os.environ, DESTDIR=str(work / "root"))
        problems = run("meson", "install", "-C", BUILD, "--no-rebuild", env=env)
        tap.case("meson install", problems)
        if problems:
            tap.exit()
        tap.case("an installation for a package calls no ldconfig", [run.output] if "ldconfig" in run.output else [])
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

        problems = run("nm", "--extern-only", "--defined-only", "--format=posix", static)
        tap.case("the archive has no names but an_* and ani_*",
                 problems or [line for line in run.output.splitlines()
                              if line and not line.endswith(":") and not re.match("ani?_", line)][:20])
        into_usr_local(tap, work)

        stripped = work / "stripped.so"
        problems = run("strip", "--strip-unneeded", "-o", stripped, library)
        size = stripped.stat().st_size if not problems else 0
        tap.case("the stripped library is smaller than 2.25 MB",
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
    env = dict(os.environ, PKG_CONFIG_LIBDIR=str(moved_pc.parent), PKG_CONFIG_PATH="", LD_LIBRARY_PATH=str(lib_dir))
    bin_dir = prefix / "bin"
    the_program(tap, env, bin_dir / "attractivenet")
    what_finds_the_library(tap, moved, prefix, lib_dir)

    def flags(*options):
        problems = run("pkg-config", *options, "attractivenet", env=env)
        return problems, run.output.split()

    user = HERE / "user.c"
    problems, shared = flags("--cflags", "--libs")
    wanted = [f"-I{prefix}/include", f"-L{lib_dir}", "-lattractivenet"]
    tap.case("pkg-config asks a user of the shared library for our folders alone, and for no other package",
             problems or ([] if shared == wanted else [f"{shared}, expected {wanted}"]))
    for compiler, standard, language in (("cc", "c11", "c"), ("c++", "c++17", "c++")):
        program = moved / f"user-{language}"
        name = f"a user in {language.upper()} compiles and runs, from pkg-config"
        if not shutil.which(compiler):
            tap.skip(name, f"no {compiler}")
            continue
        problems = run(compiler, "-std=" + standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-x", language, user,
                       "-x", "none", "-o", program, *shared, env=env)
        tap.case(name, problems or run(program, env=env))
    # Our archive with the shared libraries of others: Debian has no archive of libzip.
    alone = moved / "alone"
    alone.mkdir()
    shutil.copy(lib_dir / "libattractivenet.a", alone)
    problems, static = flags("--static", "--cflags", "--libs")
    static = [f"-L{alone}" if word == f"-L{lib_dir}" else word for word in static]
    program = moved / "user-static"
    problems = problems or run("cc", "-std=c11", user, "-o", program, *static)
    plain = dict(os.environ)
    tap.case("a static user compiles with pkg-config --static, and runs without the shared library",
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
        for target in ("user", "user_static"):
            tap.case(f"{name}: {target}", problems or run(project / "build" / target, env=plain))
        problems = run("readelf", "-d", project / "build/user_static")
        tap.case("the static target links the archive",
                 problems or ([run.output] if "libattractivenet" in run.output else []))
    else:
        tap.skip(name, "no cmake")

    faces = moved / "faces.zip"
    tap.case("made-up faces for the README's programs", run(bin_dir / "attractivenet", "faces", "--out", faces,
                                                             "--count", "40", "--size", "96", env=env))
    for compiler, standard, language in (("cc", "c11", "c"), ("c++", "c++17", "c++")):
        readme_programs_run(tap, moved, shared, env, faces, compiler, standard, language)


def the_program(tap, env, program):
    problems = run(program, "version", env=env) if program.is_file() else ["it is not there"]
    tap.case("the installed program runs", problems or ([] if "libattractivenet" in run.output else [run.output]))
    share = program.parent.parent / "share"
    tap.case("its man page and completions are installed",
             [name for name in ("man/man1/attractivenet.1", "bash-completion/completions/attractivenet.bash",
                                "zsh/site-functions/_attractivenet", "fish/vendor_completions.d/attractivenet.fish")
              if not (share / name).is_file()])
    problems = run("readelf", "-d", program)
    tap.case("the installed program has no path to libraries",
             problems or ([run.output] if "RPATH" in run.output or "RUNPATH" in run.output else []))


def what_finds_the_library(tap, moved, prefix, lib_dir):
    """The last step of an installation, where neither loader nor pkg-config look: root calls ldconfig, others are told."""
    tools = moved / "tools"
    tools.mkdir()
    (tools / "ldconfig").write_text(f"#!/bin/sh\necho called >>'{moved}/called'\n")
    (tools / "ldconfig").chmod(0o755)
    script = ROOT / "pkgconfig/found.sh"
    env = dict(os.environ, MESON_INSTALL_PREFIX=str(prefix), PATH=f"{tools}:{os.environ['PATH']}")
    env.pop("DESTDIR", None)
    env.pop("PKG_CONFIG_PATH", None)
    env["PKG_CONFIG_LIBDIR"] = str(tools)
    finds = subprocess.run([prefix / "bin/attractivenet", "--version"], capture_output=True, env=env).returncode == 0
    problems = run("sh", script, "bin", lib_dir.relative_to(prefix), env=env)
    for name, found in (
            ("an installation that loader and pkg-config do not find says so, with what helps",
             problems or [text for text in ("run ldconfig", f"PKG_CONFIG_PATH={lib_dir}/pkgconfig", str(lib_dir))
                          if text not in run.output]),
            ("root calls ldconfig by itself",
             [] if (moved / "called").exists() == (os.geteuid() == 0) else ["not so"])):
        if finds:
            tap.skip(name, "this system has the library, where its loader looks")
        else:
            tap.case(name, found)
    problems = run("sh", script, "bin", lib_dir.relative_to(prefix), env=dict(env, DESTDIR="/stage"))
    tap.case("a staged installation is left alone", problems or ([run.output] if run.output else []))


def into_usr_local(tap, work):
    """In a file system of its own, so that the machine stays as it is."""
    name = "after an installation into /usr/local the program runs"
    prefix = next(option["value"] for option in json.loads((BUILD / "meson-info/intro-buildoptions.json").read_text())
                  if option["name"] == "prefix")
    if prefix != "/usr/local":
        return tap.skip(name, f"the prefix is {prefix}")
    if (shutil.which("meson") or "").startswith(prefix) or run("unshare", "--mount", "true"):
        return tap.skip(name, "no mount namespaces")
    etc = work / "etc"
    (etc / "ld.so.conf.d").mkdir(parents=True)
    for file in [Path("/etc/ld.so.conf"), Path("/etc/ld.so.cache"), *Path("/etc/ld.so.conf.d").glob("*")]:
        if file.is_file():
            shutil.copy(file, work / file.relative_to("/"))
    script = work / "install.sh"
    script.write_text(f"""set -e
mount -t tmpfs none /usr/local
mount --bind '{etc}' /etc
[ ! -d /var/cache/ldconfig ] || mount -t tmpfs none /var/cache/ldconfig
meson install -C '{BUILD}' --no-rebuild
/usr/local/bin/attractivenet version
""")
    env = {key: value for key, value in os.environ.items() if key not in ("LD_LIBRARY_PATH", "DESTDIR")}
    problems = run("unshare", "--mount", "sh", script, env=env)
    tap.case(name, problems or ([] if "ISA level" in run.output else [run.output]))


def readme_programs_run(tap, moved, flags, env, faces, compiler, standard, language):
    """The README's programs, as written but for the download of ImageNet's weights: random ones."""
    names = ("score", "train")
    if not shutil.which(compiler):
        for name in names:
            tap.skip(f"the README's program {name}.c in {language.upper()}", f"no {compiler}")
        return
    for name in names:
        source = moved / f"{name}.c"
        source.write_text(readme_program(f"{name}.c").replace("AN_WEIGHTS_IMAGENET", "AN_WEIGHTS_RANDOM"))
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
    if language == "c++":
        expected = run.output
        source = moved / "score.cpp"
        source.write_text(readme_program(source.name))
        wrong = run(compiler, "-std=" + standard, "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", source,
                    "-o", moved / "score-cpp", *flags, env=env)
        wrong = wrong or run(moved / "score-cpp", "model.safetensors", image, env=env, cwd=moved)
        tap.case("the README's program score.cpp gives the score of score.c",
                 wrong or ([] if run.output == expected else [run.output, f"and not {expected}"]))


if __name__ == "__main__":
    main()
