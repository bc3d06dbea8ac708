# SPDX-License-Identifier: MIT
"""bindings/go with the library as it is installed: format, vet, staticcheck, the package's tests under the race
detector, its command, and the README's program.

usage: go.py ROOT BUILD PROGRAM
"""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

ROOT, BUILD, PROGRAM = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), str(Path(sys.argv[3]).resolve())
PACKAGE = ROOT / "bindings/go"


def run(*command, env=None, cwd=None):
    """Run. Returns what went wrong, and what it said."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", env=env, cwd=cwd, stdin=subprocess.DEVNULL)
    return ([] if done.returncode == 0 else [f"{command[0]}: exit status {done.returncode}", done.stdout[-6000:]]), done.stdout


def install(work):
    """Install into a folder: what a user sets so that Go finds the library there, or what went wrong."""
    root = BUILD / "go-root"  # the same each time: Go's cache keeps the paths that it linked with
    shutil.rmtree(root, ignore_errors=True)
    problems, _ = run("meson", "install", "-C", BUILD, "--no-rebuild", env=dict(os.environ, DESTDIR=str(root)))
    found = sorted(root.rglob("attractivenet.pc"))
    if problems or not found:
        return None, problems or ["no attractivenet.pc"]
    text = found[0].read_text()
    prefix = re.search(r"^prefix=(.*)$", text, re.M).group(1)
    found[0].write_text(re.sub(r"^prefix=.*$", f"prefix={root}{prefix}", text, flags=re.M))
    headers = hashlib.sha256()
    for header in sorted((ROOT / "include").rglob("*.h")):
        headers.update(header.read_bytes())
    env = dict(os.environ, PKG_CONFIG_PATH=str(found[0].parent), LD_LIBRARY_PATH=str(found[0].parent.parent),
               GOCACHE=str(BUILD / "go-cache"), GOPATH=str(work / "gopath"), GOPROXY="off", GOFLAGS="-race",
               # Go's cache does not look at headers from elsewhere
               CGO_CFLAGS=f"-g -O1 -DATTRACTIVENET_HEADERS={headers.hexdigest()[:16]}")
    return env, []


def package_tests(tap, env):
    # cgocheck=2: also a Go pointer that Go code writes to C memory ends the program
    _, said = run("go", "test", "-count=1", "-v", "./...", env=dict(env, GODEBUG="cgocheck=2"), cwd=PACKAGE)
    names, why = set(), []
    for line in said.splitlines():
        found = re.match(r"\s*--- (PASS|FAIL|SKIP): (\w+)", line)
        if found:
            names.add(found[2])
            tap.case(f"go test: {found[2]}", ["failed"] if found[1] == "FAIL" else [])
        elif not line.startswith(("=== ", "ok ", "PASS")):
            why.append(line)
    written = {name for path in PACKAGE.rglob("*_test.go") for name in re.findall(r"^func (Test\w+)\(", path.read_text(), re.M)}
    bad = re.search(r"^(FAIL|panic:|WARNING: DATA RACE)", said, re.M)
    tap.case("go test -race: every test has run, without a race", why[-80:] if bad or written - names else [])


def the_command(tap, env, work, image):
    command = work / "attractivenet-score"
    problems, _ = run("go", "build", "-o", command, "./cmd/attractivenet-score", env=env, cwd=PACKAGE)
    model = work / "model.safetensors"
    wanted = run(PROGRAM, "predict", "--model", model, image)[1].split()
    if not problems:
        problems, said = run(command, "-model", model, image, env=env)
        if not problems and said.split() != [str(image), f"{float(wanted[-1]):.3f}"]:
            problems = [said, f"and not {wanted}"]
    tap.case("the command gives the score of attractivenet predict", problems)
    if problems:
        return
    problems, _ = run(command, "-model", work / "none.safetensors", image, env=env)
    tap.case("the command says what is missing", [] if problems and "none.safetensors" in problems[1] else ["not so"])
    server = subprocess.Popen([command, "-model", model, "-listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True, env=env)
    try:
        address = server.stdout.readline().split()[-1]

        def upload(content):
            try:
                with urllib.request.urlopen(urllib.request.Request(f"http://{address}/", data=content), timeout=60) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                return error.code, json.load(error)
        status, answer = upload(image.read_bytes())
        tap.case("the command answers an upload with the score",
                 [] if status == 200 and abs(answer["score"] - float(wanted[-1])) < 1e-6 else [status, answer])
        status, answer = upload(b"hello")
        tap.case("the command refuses what is not an image", [] if status == 422 and answer["error"] else [status, answer])
        server.send_signal(signal.SIGTERM)
        tap.case("the command ends when it is asked to", [] if server.wait(60) == 0 else [server.returncode])
    finally:
        server.kill()
        server.wait()


def readme_program(tap, env, work, image):
    wanted = float(run(PROGRAM, "predict", "--model", work / "model.safetensors", image)[1].split()[-1])
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^`score\.go`.*?^```go\n(.*?)^```\n\n((?:    [^\n]*\n)+)", text, re.S | re.M)
    folder = work / "score"
    folder.mkdir()
    (folder / "score.go").write_text(found[1])
    commands = found[2].replace("photo.jpg", str(image)).replace("model.safetensors", str(work / "model.safetensors"))
    problems, said = run("sh", "-ec", commands, env=dict(env, SOURCE=str(ROOT)), cwd=folder)
    if not problems and f"score {wanted:.2f}" not in said.splitlines():
        problems = [said]
    tap.case("the README's program score.go", problems)
    tap.case("the README's program is formatted", run("gofmt", "-l", folder)[1].split())


def main():
    tap = Tap()
    if not shutil.which("go"):
        tap.skip("the Go package", "no go")
        tap.exit()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        env, problems = install(work)
        tap.case("the library is installed for Go", problems)
        if problems:
            tap.exit()
        tap.case("gofmt changes nothing", run("gofmt", "-l", PACKAGE)[1].split())
        tap.case("go vet", run("go", "vet", "./...", env=env, cwd=PACKAGE)[0])
        staticcheck = shutil.which("go-staticcheck") or shutil.which("staticcheck")
        if staticcheck:
            tap.case("staticcheck", run(staticcheck, "./...", env=env, cwd=PACKAGE)[0])
        else:
            tap.skip("staticcheck", "no go-staticcheck")
        package_tests(tap, env)

        problems, _ = run(PROGRAM, "faces", "--out", work / "faces.zip", "--count", "40", "--size", "64", "--quiet")
        problems = problems or run(PROGRAM, "train", "--data", work / "faces.zip", "--out", work, "--weights", "none", "--size",
                                   "64", "--alpha", "0.35", "--epochs1", "0", "--epochs2", "3", "--lr2", "0.002",
                                   "--bn-momentum", "0.5", "--quiet")[0]
        image = work / "photo.jpg"
        with zipfile.ZipFile(work / "faces.zip") as archive:
            image.write_bytes(archive.read(next(n for n in archive.namelist() if n.endswith((".png", ".jpg")))))
        tap.case("a model and an image", problems)
        if not problems:
            the_command(tap, env, work, image)
            readme_program(tap, env, work, image)
    tap.exit()


if __name__ == "__main__":
    main()
