# SPDX-License-Identifier: MIT
"""The installed program and the examples from a made data set to scores, and what scripts rely on: names of outputs, their
columns and keys, exit statuses.

usage: e2e.py PROGRAM FOLDER    PROGRAM: attractivenet; FOLDER: of the built examples
"""
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

PROGRAM, EXAMPLES = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
STEPS = ["01_get_data", "02_load_data", "03_prepare_data", "04_build_model", "05_train", "06_plot", "07_test"]
RESULTS = ["model.safetensors", "history.csv", "loss.png", "scatter.png", "metrics.json", "run.json"]
SMALL = ["--size", "32", "--alpha", "0.35", "--weights", "none", "--batch", "8"]
SHORT = ["--epochs1", "1", "--epochs2", "2", "--bn-momentum", "0.5"]


def path_of(name):
    return str(PROGRAM if name == "attractivenet" else EXAMPLES / name)


class Done:
    def __init__(self, name, *arguments, env=None):
        done = subprocess.run([path_of(name), *map(str, arguments)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace",
                              env={**os.environ, **(env or {})})
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.line = " ".join([name, *map(str, arguments)])

    def ended(self, status=0):
        """Problems unless it ended with this status."""
        return [] if self.status == status else \
            [f"{self.line}: exit status {self.status}, expected {status}", self.out[-2000:], self.err[-2000:]]


def missing(folder, names):
    return [f"no {name}" for name in names if not (folder / name).is_file()]


def helps(tap):
    for name in ["attractivenet", "predict", "make_faces", *STEPS, "08_live"]:
        done = Done(name, "--help")
        tap.case(f"{name} --help explains itself",
                 done.ended() or ([] if "usage: " + name in done.out and "--help" in done.out else [done.out]))
        done = Done(name, "--version")
        tap.case(f"{name} --version: release, features, ISA level",
                 done.ended() or [text for text in (f"{name}: libattractivenet 0.", "features: ", "ISA level: ")
                                  if text not in done.out])
    tap.case("an unknown option is a mistake", Done("attractivenet", "--colour", "red").ended(2))
    done = Done("attractivenet", "--data", "x", "--out", "y", "z")
    tap.case("a word too many is named", done.ended(2) or ([] if "'z'" in done.err else [done.err]))
    done = Done("attractivenet", "--out", "x")
    tap.case("a missing option is named", done.ended(2) or ([] if "--data" in done.err else [done.err]))
    for name, option in (("attractivenet", "--out"), ("attractivenet", "--weights"), ("predict", "--model"),
                         ("make_faces", "--out"), ("05_train", "--tensorboard")):
        done = Done(name, option, "")
        tap.case(f"{name} {option} with an empty word is a mistake that is named",
                 done.ended(2) or ([] if f"{option} is ''; it must be" in done.err else [done.err]))
    done = Done("attractivenet", "--data", "x", "--out", "y", "--size", "12")
    tap.case("a number out of range is shown with its limits",
             done.ended(2) or ([] if "32" in done.err and "12" in done.err else [done.err]))


def make(tap, work):
    tap.case("make_faces draws an archive", Done("make_faces", "--out", work / "faces.zip", "--count", 60, "--size", 64).ended())
    tap.case("make_faces draws a folder", Done("make_faces", "--out", work / "faces", "--count", 3, "--size", 64).ended())
    Done("make_faces", "--out", work / "again.zip", "--count", 60, "--size", 64)
    same = (work / "faces.zip").read_bytes() == (work / "again.zip").read_bytes()
    tap.case("make_faces draws the same for the same seed", [] if same else ["the archives differ"])
    labels = (work / "faces/SCUT-FBP5500_v2/train_test_files/All_labels.txt").read_text().splitlines()
    images = work / "faces/SCUT-FBP5500_v2/Images"
    for what, folder in (("its own", work / "faces"), ("another one's", work / "used")):
        folder.mkdir(exist_ok=True)
        (folder / "keep.txt").write_text("mine")
        done = Done("make_faces", "--out", folder, "--count", 2, "--size", 32)
        tap.case(f"make_faces leaves a used folder, {what}, as it is",
                 done.ended(1) or ([] if "is not empty" in done.err and (folder / "keep.txt").read_text() == "mine" and
                                   (not images.exists() or len(list(images.iterdir())) == 3) else [done.err]))
        (folder / "keep.txt").unlink()
    tap.case("make_faces takes an empty folder",
             Done("make_faces", "--out", work / "used", "--count", 2, "--size", 32).ended())
    (work / "sub/pack.zip.parts/SCUT-FBP5500_v2/Images").mkdir(parents=True)
    mine = work / "sub/pack.zip.parts/SCUT-FBP5500_v2/Images/AF1.jpg"
    mine.write_text("mine")
    done = Done("make_faces", "--out", work / "sub/pack.zip", "--count", 2, "--size", 32)
    tap.case("make_faces packs beside the files of others",
             done.ended() or ([] if mine.read_text() == "mine" and
                              sorted(p.name for p in (work / "sub").iterdir()) == ["pack.zip", "pack.zip.parts"]
                              else sorted((work / "sub").iterdir())))
    tap.case("each face has a score from 1 to 5",
             [line for line in labels if not re.fullmatch(r"AF\d+\.jpg [1-5]\.\d{6}", line)] or
             ([] if len(labels) == 3 else [labels]))


def tutorial(tap, work):
    out = work / "run"
    done = Done("attractivenet", "--data", work / "faces.zip", "--out", out, *SMALL, *SHORT, "--threads", 2)
    problems = done.ended() or missing(out, RESULTS)
    tap.case("attractivenet leaves all its results", problems)
    if problems:
        return
    lines = (out / "history.csv").read_text().splitlines()
    places = [line.split(",")[:2] for line in lines[1:]]
    tap.case("history.csv: header, epochs from 1 in each stage",
             [] if lines[0] == "stage,epoch,loss,val_loss,rate,seconds" and places == [["1", "1"], ["2", "1"], ["2", "2"]]
             else lines)
    metrics = json.loads((out / "metrics.json").read_text())
    wanted = {"rmse", "mae", "r2", "pearson", "n_train", "n_val", "n_test"}
    tap.case("metrics.json: keys, and the sizes of the split",
             [] if wanted <= set(metrics) and [metrics[k] for k in ("n_train", "n_val", "n_test")] == [42, 12, 6]
             else [metrics])
    tap.case("plots are PNG", [name for name in ("loss.png", "scatter.png")
                                  if (out / name).read_bytes()[:8] != b"\x89PNG\r\n\x1a\n"])
    quiet = Done("attractivenet", "--data", work / "faces.zip", "--out", work / "quiet", *SMALL, *SHORT, "--quiet",
                 "--threads", 1)
    tap.case("--quiet says nothing but that random weights have no use for stage 1",
             quiet.ended() or ([quiet.out] if quiet.out else []) or
             [line for line in quiet.err.splitlines()
              if not re.match("warning: the features of the frozen base|--weights imagenet or FILE", line)])
    tap.case("a frozen base of random weights is warned of, with what to do",
             [] if all(text in done.err for text in ("the head can learn only a constant", "--weights imagenet or FILE",
                                                     "--epochs1 0")) else [done.err])
    same = (work / "quiet/model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()
    tap.case("one thread gives the model of two threads, bit for bit", [] if same else ["the models differ"])
    tap.case("a missing archive is an error, and nothing is left of it",
             Done("attractivenet", "--data", work / "none.zip", "--out", work / "none", *SMALL).ended(1))


def without_seconds(path):
    return [line.rsplit(",", 1)[0] for line in path.read_text().splitlines()]


def resume(tap, work):
    whole, out = work / "whole", work / "cut"
    command = ["--data", work / "faces.zip", *SMALL, "--epochs1", 2, "--epochs2", 12, "--bn-momentum", "0.5",
               "--patience", -1, "--checkpoint-seconds", 0]
    done = Done("attractivenet", *command, "--out", whole)
    running = subprocess.Popen([path_of("attractivenet"), *map(str, command), "--out", str(out)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while running.poll() is None and not ((out / "history.csv").is_file() and
                                          len((out / "history.csv").read_text().splitlines()) > 3):
        time.sleep(0.01)
    running.send_signal(signal.SIGTERM)
    told = running.communicate()[1]
    tap.case("a signal ends a training with status 3",
             done.ended() or ([] if running.returncode == 3 and "--resume" in told else [running.returncode, told]))
    again = Done("attractivenet", *command, "--out", out)
    tap.case("an unfinished training is not begun anew by accident",
             again.ended(1) or ([] if "--resume" in again.err and "--restart" in again.err else [again.err]))
    other = Done("attractivenet", *command, "--out", out, "--resume", "--batch", 4)
    tap.case("a resumed training wants the settings of before",
             other.ended(1) or ([] if "batch was '8', and is '4' now" in other.err else [other.err]))
    rest = Done("attractivenet", *command, "--out", out, "--resume", "--threads", 3)
    problems = rest.ended() or missing(out, RESULTS)
    if not problems:
        problems = [f"{name} differs" for name in ("model.safetensors", "metrics.json")
                    if (out / name).read_bytes() != (whole / name).read_bytes()]
        if without_seconds(out / "history.csv") != without_seconds(whole / "history.csv"):
            problems.append("history.csv differs")
    tap.case("--resume ends as if there had been no signal, bit for bit", problems)
    longer = [*command[:command.index("--epochs2")], "--epochs2", 14, *command[command.index("--epochs2") + 2:]]
    tap.case("--resume with fewer epochs is refused",
             Done("attractivenet", *command, "--out", out, "--resume", "--epochs2", 11).ended(1))
    changed = Done("attractivenet", *longer, "--out", out, "--resume", "--epochs1", 3)
    tap.case("--resume with more epochs of a stage that is over is refused",
             changed.ended(1) or ([] if "--epochs1 2, or --restart" in changed.err else [changed.err]))
    (out / "metrics.json").unlink(missing_ok=True)
    ended = Done("attractivenet", *command, "--out", out, "--resume")
    tap.case("--resume of a training that has ended says so and leaves all results",
             ended.ended() or missing(out, RESULTS) or
             ([] if "has already ended" in ended.out and
              (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes() else [ended.out]))
    straight = Done("attractivenet", *longer, "--out", work / "straight")
    further = Done("attractivenet", *longer, "--out", out, "--resume")
    problems = straight.ended() or further.ended() or missing(out, RESULTS)
    if not problems:
        problems = [f"{name} differs" for name in ("model.safetensors", "metrics.json")
                    if (out / name).read_bytes() != (work / "straight" / name).read_bytes()]
        if without_seconds(out / "history.csv") != without_seconds(work / "straight/history.csv"):
            problems.append("history.csv differs")
    tap.case("--resume of a training that has ended goes on with more epochs, bit for bit", problems)
    tap.case("a training leaves no locks", [str(path) for path in work.glob("*/*.lock")])
    tap.case("--resume where there is nothing begins",
             Done("attractivenet", "--data", work / "faces.zip", "--out", work / "new", *SMALL, "--epochs1", 1,
                  "--epochs2", 0, "--resume").ended())


def two_at_once(tap, work):
    out = work / "shared"
    command = ["--data", work / "faces.zip", *SMALL, "--epochs1", 0, "--epochs2", 1000, "--patience", -1, "--out", out]
    running = subprocess.Popen([path_of("attractivenet"), *map(str, command)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    while running.poll() is None and not (out / "checkpoint-1.safetensors").is_file():
        time.sleep(0.01)
    for flags in ([], ["--resume"], ["--restart"]):
        second = Done("attractivenet", *command, *flags)
        tap.case("a second training in a folder is refused" + "".join(f", with {flag}" for flag in flags),
                 second.ended(1) or ([] if f"'{out}' is in use: process {running.pid}" in second.err else [second.err]))
    elsewhere = Done("attractivenet", "--data", work / "faces.zip", "--out", work / "other", *SMALL, "--epochs1", 1,
                     "--epochs2", 0)
    tap.case("a training in another folder is not", elsewhere.ended())
    running.kill()
    running.wait()
    tap.case("a training that was killed locks nobody out",
             Done("attractivenet", *command, "--restart", "--epochs1", 1, "--epochs2", 0).ended())


def broken(tap, work):
    """A training whose loss is no number, as the weights that it begins with are too large."""
    out, heavy = work / "broken", work / "heavy.safetensors"
    weights = bytearray((work / "run/model.safetensors").read_bytes())
    size = int.from_bytes(weights[:8], "little")
    begin, end = (8 + size + place for place in json.loads(weights[8:8 + size])["dense/kernel"]["data_offsets"])
    weights[begin:end] = struct.pack("<f", 3e38) * ((end - begin) // 4)
    heavy.write_bytes(weights)
    command = ["attractivenet", "--data", work / "faces.zip", "--out", out, *SMALL, "--weights", heavy,
               "--epochs1", 2, "--epochs2", 0, "--lr1", "0.25"]
    for what, flags in [("a training whose loss is no number", []), ("--resume of it", ["--resume"])]:
        done = Done(*command, *flags)
        tap.case(f"{what} says what may help",
                 done.ended(1) or [done.err for text in ("the loss is", "--resume", "--restart with --lr1 below 0.25",
                                                         "no model to keep") if text not in done.err])


def former_words(tap, work):
    """Options and words of before the first release are understood."""
    lines = []
    for name, words in (("former", ["--scale", "seed", "--low-memory", "--recalibrate"]),
                        ("present", ["--scale", "article", "--recompute", "--update-batch-norm"])):
        run = Done("attractivenet", "--data", work / "faces.zip", "--out", work / name, *SMALL, "--epochs1", 0,
                   "--epochs2", 1, *words)
        tap.case(f"{' '.join(words)} are understood", run.ended())
        lines.append((work / name / "model.safetensors").read_bytes() if not run.ended() else name)
    tap.case("former and present words mean the same", [] if lines[0] == lines[1] else ["the models differ"])


def predict(tap, work):
    model = work / "run/model.safetensors"
    faces = work / "faces/SCUT-FBP5500_v2/Images"
    folder = Done("predict", "--model", model, faces)
    lines = folder.out.splitlines()
    tap.case("predict scores a folder: name, tab, six decimals, sorted",
             folder.ended() or [line for line in lines if not re.fullmatch(r"[^\t]+\t-?\d+\.\d{6}", line)] or
             ([] if [line.split("\t")[0] for line in lines] == ["AF1.jpg", "AF2.jpg", "AF3.jpg"] else lines))
    (work / "bad.jpg").write_text("this is no image")
    mixed = Done("predict", "--model", model, work / "bad.jpg", faces / "AF2.jpg", work / "gone.jpg", faces / "AF1.jpg")
    tap.case("an unreadable image is told, the others are scored, the status is 1",
             mixed.ended(1) or ([] if mixed.out.splitlines() == lines[:2] and "bad.jpg" in mixed.err
                                and "gone.jpg" in mixed.err else [mixed.out, mixed.err]))
    names = ["a/x.jpg", "b/x.jpg", "b/deep/er/Y.JPG", "j/z.jfif", "j/w.jpe", "j/v.Jpeg", "j/u.png", ".hidden/h.jpg",
             "j/._w.jpg", "j/__MACOSX/w.jpg"]
    for name in names:
        (work / "many" / name).parent.mkdir(parents=True, exist_ok=True)
        (work / "many" / name).write_bytes((faces / "AF1.jpg").read_bytes())
    (work / "many/loop").symlink_to(work / "many", target_is_directory=True)
    many = Done("predict", "--model", model, work / "many")
    found = [line.split("\t")[0] for line in many.out.splitlines()]
    tap.case("predict goes into folders, and takes all endings of images",
             many.ended() or ([] if found == ["Y.JPG", "u.png", "v.Jpeg", "w.jpe", str(work / "many/a/x.jpg"),
                                              str(work / "many/b/x.jpg"), "z.jfif"] else [found]))
    two = Done("predict", "--model", model, work / "many/b/x.jpg", faces / "AF1.jpg", work / "many/a/x.jpg")
    found = [line.split("\t")[0] for line in two.out.splitlines()]
    tap.case("predict tells images of one name apart by their paths",
             two.ended() or ([] if found == ["AF1.jpg", str(work / "many/a/x.jpg"), str(work / "many/b/x.jpg")]
                             else [found]))
    (work / "many/j/photo.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    one = Done("predict", "--model", model, work / "many/j")
    (work / "many/j/deep").mkdir()
    (work / "many/j/deep/notes.txt").write_text("")
    (work / "many/j/empty").mkdir()
    more = Done("predict", "--model", model, work / "many/j", work / "many/j/empty")
    tap.case("predict says what it skips, and which folders have no images",
             one.ended() or more.ended() or
             ([] if "photo.heic', which does not end in" in one.err and "skipped 2 files in '" in more.err and
              f"no images in '{work / 'many/j/empty'}'" in more.err and len(more.out.splitlines()) == 4
              else [one.err, more.err]))
    heic = Done("predict", "--model", model, work / "many/j/photo.heic")
    tap.case("predict names another format, and what converts it",
             heic.ended(1) or ([] if "is HEIC" in heic.err and "heif-convert" in heic.err else [heic.err]))
    tap.case("predict without images is a mistake", Done("predict", "--model", model).ended(2))
    (work / "empty").mkdir()
    tap.case("an empty folder is an error", Done("predict", "--model", model, work / "empty").ended(1))
    tap.case("a missing model is an error", Done("predict", "--model", work / "none", faces).ended(1))


def folds(tap, work):
    """Cross-validation with drawn folds and with files: each image is predicted by one model."""
    fast = ["--data", work / "faces.zip", *SMALL, "--head", "ridge", "--epochs1", "1", "--epochs2", "0", "--quiet"]
    out = work / "folds"
    done = Done("attractivenet", *fast, "--out", out, "--folds", 3)
    wanted = ["folds.json", "predictions.csv", *(f"fold-{k}/{name}" for k in (1, 2, 3) for name in RESULTS)]
    problems = done.ended() or missing(out, wanted)
    tap.case("--folds trains a model for each fold", problems)
    if problems:
        return
    rows = [line.split(",") for line in (out / "predictions.csv").read_text().splitlines()[1:]]
    each = [json.loads((out / f"fold-{k}/metrics.json").read_text())["rmse"] for k in (1, 2, 3)]
    found = json.loads((out / "folds.json").read_text())
    squares = {k: [(float(r[1]) - float(r[2])) ** 2 for r in rows if r[3] == str(k)] for k in (1, 2, 3)}
    tap.case("each image is predicted once, and the numbers follow from that",
             [] if len({r[0] for r in rows}) == len(rows) == 60 and found["rmse"]["each"] == each and
             abs(found["rmse"]["mean"] - sum(each) / 3) < 1e-12 and
             all(abs((sum(v) / len(v)) ** 0.5 - each[k - 1]) < 1e-6 for k, v in squares.items()) and
             abs(found["together"]["rmse"] ** 2 - sum(map(sum, squares.values())) / 60) < 1e-6
             else [str(found), str(each)])
    files, names = work / "fold files", [r[0] for r in rows]
    for k in (1, 2):
        (files / f"cross_validation_{k}").mkdir(parents=True)
        (files / f"cross_validation_{k}/test_{k}.txt").write_text(
            "".join(f"{name} 2.5\n" for name in names[k - 1::2][:20]))
    done = Done("attractivenet", *fast, "--out", work / "own folds", "--fold-files", files)
    rows = (work / "own folds/predictions.csv").read_text().splitlines()[1:] if not done.status else []
    tap.case("--fold-files tests the names in each file",
             done.ended() or ([] if {r.split(",")[0] for r in rows if r.endswith(",1")} == set(names[0::2][:20]) and
                              len(rows) == 40 else rows))
    (files / "cross_validation_2/test_2.txt").write_text("nobody.jpg 1\n")
    done = Done("attractivenet", *fast, "--out", work / "own folds", "--fold-files", files, "--restart")
    tap.case("a name that the data lacks is an error with its line",
             done.ended(1) or ([] if "test_2.txt', line 1" in done.err and "nobody.jpg" in done.err else [done.err]))


def without_interval(path):
    """metrics.json without what the program adds to the steps."""
    return {key: value for key, value in json.loads(path.read_text()).items() if key != "interval"}


def steps(tap, work):
    out = work / "steps"
    data = out / "data"
    for name, arguments, files in (
            ("01_get_data", ["--data", work / "faces.zip"], ["data/AF1.jpg", "data/All_labels.txt"]),
            ("01_get_data", ["--data", work / "faces.zip"], ["data/AF60.jpg"]),
            ("02_load_data", ["--data", data, "--size", 32], []),
            ("03_prepare_data", ["--data", data, "--size", 32, "--batch", 8], ["batch.png"]),
            ("04_build_model", ["--size", 32, "--alpha", "0.35", "--weights", "none"], ["initial.safetensors"]),
            ("05_train", ["--data", data, "--model", out / "initial.safetensors", "--batch", 8, *SHORT],
             ["model.safetensors", "history.csv"]),
            ("06_plot", ["--history", out / "history.csv"], ["loss.png"]),
            ("07_test", ["--data", data, "--model", out / "model.safetensors", "--batch", 8],
             ["metrics.json", "scatter.png"])):
        done = Done(name, *arguments, *([] if name == "02_load_data" else ["--out", out]))
        tap.case(f"{name} takes its step", done.ended() or missing(out, files))
    run, alone = ((work / folder / "metrics.json") for folder in ("run", "steps"))
    if run.is_file() and alone.is_file():
        tap.case("the steps alone end where all in one do",
                 [] if without_interval(run) == without_interval(alone) else [run.read_text(), alone.read_text()])


def said(done, status, *texts):
    """Problems unless it ended with this status and said all these texts."""
    return done.ended(status) or [done.out + done.err for text in texts if text not in done.out + done.err]


class Answers(http.server.BaseHTTPRequestHandler):
    """/NAME: a file of the folder; /cut/NAME: its first half, as a server does it that tells no length."""
    folder = None

    def do_GET(self):
        file = self.folder / self.path.rsplit("/", 1)[-1]
        whole = file.read_bytes() if file.is_file() else b'{"message": "Not Found", "status": "404"}'
        self.send_response(200 if file.is_file() else 404)
        if self.path.startswith("/cut/"):
            whole = whole[:len(whole) // 2]
        else:
            self.send_header("Content-Length", str(len(whole)))
        self.end_headers()
        self.wfile.write(whole)

    def log_message(self, *_):
        pass


def downloads(tap, work):
    """Archives from addresses: a local server, and file:."""
    for name, count in (("a", 12), ("b", 11)):
        Done("make_faces", "--out", work / f"{name}.zip", "--count", count, "--size", 32, "--seed", count)
    Answers.folder = work
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}"
    alone = {"no_proxy": "*"}
    out = work / "fetched"
    first = Done("01_get_data", "--data", f"{origin}/a.zip", "--out", out, env=alone)
    if "libcurl" in first.err:
        server.shutdown()
        return tap.skip("downloads", "no libcurl")
    tap.case("01_get_data downloads and extracts", first.ended() or missing(out, ["archive.zip", "data/AF12.jpg"]))
    again = Done("01_get_data", "--data", f"{origin}/a.zip", "--out", out, env=alone)
    tap.case("the second time there is nothing to do", said(again, 0, "extracted 0 files"))
    gone = Done("01_get_data", "--data", f"{origin}/nothing.zip", "--out", out, env=alone)
    tap.case("an address that has nothing is an error, shown as the server says it",
             said(gone, 1, "HTTP status 404", '"message": "Not Found"'))
    for kind, url in (("of a server", origin), ("of a file", f"file://{work}")):
        folder = work / ("other " + kind)
        Done("01_get_data", "--data", f"{url}/a.zip", "--out", folder, env=alone)
        other = Done("attractivenet", "--data", f"{url}/b.zip", "--out", folder, *SMALL, "--epochs1", 0, "--epochs2", 1,
                     env=alone)
        same = (folder / "archive.zip").read_bytes() == (work / "b.zip").read_bytes()
        tap.case(f"another address {kind} is used, with a warning",
                 said(other, 0, "came from another address", "11 images") or ([] if same else ["the old archive"]))
    mixed = Done("01_get_data", "--data", work / "b.zip", "--out", out)
    tap.case("images of another archive are not mixed in",
             said(mixed, 1, f"remove '{out}/data'", "it contains 1 files that are not in the archive, such as 'AF12.jpg'"))
    shutil.rmtree(out / "data")
    tap.case("the other archive alone is extracted", Done("01_get_data", "--data", work / "b.zip", "--out", out).ended() or
             missing(out, ["data/AF11.jpg"]) or ([] if not (out / "data/AF12.jpg").exists() else ["AF12.jpg"]))
    cut = Done("01_get_data", "--data", f"{origin}/cut/a.zip", "--out", work / "cut off", env=alone)
    tap.case("an archive that is cut without a length is not kept",
             said(cut, 1, "not a whole zip file") or [path.name for path in (work / "cut off").iterdir()])
    good = hashlib.sha256((work / "a.zip").read_bytes()).hexdigest()
    bad = "0" * 64
    for data in (work / "a.zip", f"file://{work}/a.zip", f"{origin}/a.zip"):
        checked = work / "checked"
        wrong = Done("01_get_data", "--data", data, "--out", checked, "--sha256", bad, env=alone)
        tap.case(f"a wrong hash is an error with both hashes: {str(data).split(':')[0].split('/')[-1]}",
                 said(wrong, 1, good, bad) or (["data was extracted"] if (checked / "data").exists() else []))
    tap.case("a right hash is no error", Done("01_get_data", "--data", work / "a.zip", "--out", work / "checked",
                                              "--sha256", good.upper()).ended())
    tap.case("a folder has no hash", said(Done("attractivenet", "--data", work / "faces", "--out", work / "x",
                                               "--sha256", good), 1, "is a folder"))
    server.shutdown()
    offline = {"https_proxy": "http://127.0.0.1:1", "no_proxy": "", "XDG_CACHE_HOME": str(work / "cache")}
    tap.case("ImageNet weights without a network: address, folder, other choices",
             said(Done("04_build_model", "--out", work / "x", "--alpha", "0.35", env=offline), 1,
                  "/mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5;",
                  f"{work}/cache/attractivenet'", "none or FILE"))


def damaged(tap, work):
    """A data set with other names: what --labels, --suffix and --skip-damaged do, alike in each program."""
    folder, out = work / "odd", work / "odd_run"
    Done("make_faces", "--out", folder, "--count", 24, "--size", 48)
    images = sorted(folder.rglob("*.jpg"))
    labels = next(folder.rglob("All_labels.txt"))
    for image in images:
        image.rename(image.with_suffix(".JPG"))
    labels.write_text(labels.read_text().replace(".jpg ", ".JPG\t"))
    (folder / "drawing.png").write_bytes(b"no label")
    labels.rename(labels.with_name("scores.txt"))
    named = ["--data", folder, "--labels", "scores.txt"]
    done = Done("02_load_data", "--data", folder, "--size", 32)
    tap.case("a label file of another name is asked for",
             done.ended(1) or ([] if "no label file 'All_labels.txt'" in done.err else [done.err]))
    done = Done("02_load_data", *named, "--suffix", ".png", "--size", 32)
    tap.case("--suffix takes one ending only", done.ended(1) or ([] if "drawing.png" in done.err else [done.err]))
    bad = [image.with_suffix(".JPG") for image in (images[3], images[9], images[20])]
    for image in bad:
        image.write_bytes(image.read_bytes()[:200])
    done = Done("02_load_data", *named, "--size", 32)
    tap.case("02_load_data names all damaged images",
             done.ended(1) or [image.name for image in bad if image.name not in done.err] or
             ([] if "--skip-damaged" in done.err else [done.err]))
    train = ["attractivenet", *named, "--out", out, *SMALL, *SHORT]
    done = Done(*train)
    tap.case("attractivenet finds them before it trains",
             done.ended(1) or ([] if not (out / "history.csv").exists() else ["it has trained"]))
    done = Done(*train, "--skip-damaged")
    sizes = {key: value for key, value in json.loads((out / "metrics.json").read_text()).items() if key[:2] == "n_"} \
        if (out / "metrics.json").exists() else {}
    tap.case("--skip-damaged trains without them",
             done.ended() or [image.name for image in bad if image.name not in done.err] or
             ([] if sum(sizes.values()) == 21 else [str(sizes)]))
    before = without_interval(out / "metrics.json") if sizes else {}
    again = Done("07_test", *named, "--skip-damaged", "--model", out / "model.safetensors", "--out", out, "--batch", 8)
    tap.case("07_test --skip-damaged has the split of the training",
             again.ended() or ([] if without_interval(out / "metrics.json") == before else [str(before)]))


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        helps(tap)
        make(tap, work)
        tutorial(tap, work)
        if (work / "run/model.safetensors").is_file():
            former_words(tap, work)
            predict(tap, work)
            broken(tap, work)
        steps(tap, work)
        downloads(tap, work)
        damaged(tap, work)
        folds(tap, work)
        resume(tap, work)
        two_at_once(tap, work)
    tap.exit()


if __name__ == "__main__":
    main()
