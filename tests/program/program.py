# SPDX-License-Identifier: MIT
"""The installed program: its commands and what they answer to mistakes, its man page and completion, run.json.

usage: program.py PROGRAM PAGES    PAGES: folder of the man page and the completions
"""
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

PROGRAM, PAGES = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
COMMANDS = ["train", "predict", "live", "test", "report", "convert", "faces", "devices", "version"]
SMALL = ["--size", "32", "--alpha", "0.35", "--weights", "none", "--batch", "8", "--bn-momentum", "0.5"]


class Done:
    """A call of the program, or of another one."""

    def __init__(self, *arguments, program=PROGRAM, cwd=None):
        done = subprocess.run([os.fsencode(part) for part in (program, *map(str, arguments))], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, errors="replace", cwd=cwd)
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.line = " ".join(map(str, arguments))

    def ended(self, status, *texts):
        """Problems unless it ended with this status and said all these texts."""
        if self.status != status:
            return [f"{self.line}: exit status {self.status}, expected {status}", self.out[-2000:], self.err[-2000:]]
        return [f"{self.line}: no '{text}'" for text in texts if text not in self.out + self.err]


def options_of(command):
    """Names of a command's options, as --help shows them."""
    return re.findall(r"^  --([a-z0-9-]+)", Done(command, "--help").out, re.M)


def commands(tap):
    done = Done("--help")
    listed = re.findall(r"^  (\w+) +\w", done.out.partition("commands:")[2], re.M)
    tap.case("--help lists the commands", done.ended(0) or ([] if listed == COMMANDS else [listed]))
    for command in COMMANDS:
        done = Done(command, "--help")
        tap.case(f"{command} --help begins with its usage, on stdout",
                 done.ended(0) or ([] if done.out.startswith(f"usage: attractivenet {command}") and not done.err
                                   else [done.out[:200], done.err]))
    done = Done()
    tap.case("without arguments it shows its usage, as a mistake",
             done.ended(2, "usage: attractivenet", *COMMANDS) or ([done.out] if done.out else []))
    for arguments in (["version"], ["--version"], ["train", "--version"], ["--data", "x", "--version"]):
        done = Done(*arguments)
        tap.case(f"{' '.join(arguments)}: release, features, ISA level",
                 done.ended(0, "libattractivenet 0.", "features: ", "not built in: ", "ISA level: "))
    for word, meant in (("trian", "train"), ("tain", "train"), ("pred", "predict"), ("Version", "version")):
        tap.case(f"the command '{word}' is answered with '{meant}'",
                 Done(word).ended(2, f"unknown command '{word}'; did you mean '{meant}'?"))
    done = Done("photograph")
    tap.case("a command like none is answered with all of them",
             done.ended(2, "unknown command 'photograph'", *COMMANDS) or ([done.err] if "mean" in done.err else []))
    for arguments, texts in (
            (["train", "--outt", "x"], ["attractivenet train: unknown option '--outt'; did you mean '--out'?"]),
            (["train", "--augmant=fast"], ["did you mean '--augment'?"]),
            (["train", "--xyzzy"], ["unknown option '--xyzzy'\n"]),
            (["train", "--epochs", "3"], ["option '--epochs' is ambiguous"]),
            (["train", "-x"], ["unknown option '-x'"]),
            (["train", "--out"], ["'--out' needs a value: DIR"]),
            (["train", "--quiet=yes"], ["--quiet does not take a value"]),
            (["train", "--data", "x"], ["--out is missing"]),
            (["predict", "--model", "x"], ["IMAGE|FOLDER... is missing"]),
            (["version", "please"], ["unexpected argument 'please'"])):
        done = Done(*arguments)
        tap.case(f"{' '.join(arguments)}: a mistake that is named",
                 done.ended(2, *texts, "usage: attractivenet ", "try 'attractivenet ") or ([done.out] if done.out else []))


def replicas(tap):
    with tempfile.TemporaryDirectory() as folder:
        data, scores = Path(folder) / "faces.zip", {}
        made = Done("faces", "--out", data, "--count", "40", "--size", "32")
        for devices in ("1", "3", "cpu,cpu,cpu"):
            out = Path(folder) / devices
            done = Done("train", "--data", data, "--out", out, "--weights", "none", "--size", "32", "--alpha", "0.1", "--batch", "8",
                        "--epochs1", "1", "--epochs2", "1", "--threads", "3", "--devices", devices, "--sync-batch-norm",
                        "--verbose", "bar")
            shown = " images/s, " in done.out
            tap.case(f"train --devices {devices}: trains, and several show their speed",
                     made.ended(0) or done.ended(0) or ([] if shown == (devices != "1") else [done.out]))
            scores[devices] = (out / "model.safetensors").read_bytes() if done.status == 0 else None
        tap.case("three replicas and three named devices give the same model", [] if scores["3"] == scores["cpu,cpu,cpu"] else ["they differ"])
        for devices in ("0", "65", "", "cpu,", ",cpu"):
            done = Done("train", "--data", data, "--out", folder, "--devices", devices)
            tap.case(f"--devices '{devices}' is refused", done.ended(2, f"--devices is '{devices}'; it must be "))


def devices(tap):
    done = Done("devices", "--json")
    listed = json.loads(done.out)["devices"] if done.status == 0 else []
    names = [one["device"] for one in listed]
    tap.case("devices --json lists the processor and the GPUs",
             done.ended(0) or ([] if names[:1] == ["cpu"] and names[1:] in (["cuda"], [f"cuda:{i}" for i in range(len(names) - 1)])
                               else [names]))
    table = Done("devices")
    tap.case("devices: a table of the same", table.ended(0, *names, *(one["name"] for one in listed)))
    tap.case("an unknown device is refused with those that are known",
             Done("predict", "--device", "gpu", "--model", "x", "x.jpg").ended(1, "device is 'gpu'; it must be 'cpu', 'cuda'"))
    if any(one["usable"] for one in listed if one["device"] != "cpu"):
        return tap.skip("without a card --device cuda is an error", "this machine has a card that can be used")
    reason = listed[-1]["reason"] if listed else ""
    with tempfile.TemporaryDirectory() as folder:
        for command in (["predict", "--model", "x", "x.jpg"], ["train", "--data", "x", "--out", folder],
                        ["test", "--data", "x", "--model", "x", "--out", folder]):
            for device in ("cuda", "cuda:1"):
                done = Done(command[0], "--device", device, *command[1:])
                tap.case(f"{command[0]} --device {device} without a card: an error that says what is missing, no silent CPU",
                         done.ended(1, "error: " + reason) or ([] if "lib" in reason and not done.out else [done.out]))
        done = Done("predict", "--device", "auto", "--model", "x", "x.jpg")
        tap.case("without a card auto takes the processor, and says so",
                 done.ended(1, f"device: cpu ({listed[0]['name']}), no GPU: {reason}", "cannot open 'x'"))


def man_page(tap):
    page = PAGES / "attractivenet.1"
    if not page.is_file():
        return tap.skip("the man page", "it was not built: this build's programs do not run here")
    text = page.read_text(encoding="utf-8")
    problems = []
    for command in COMMANDS:
        part = re.search(rf"^\.SS {command}\n(.*?)(?=^\.S[SH])", text, re.S | re.M)
        named = re.findall(r"^\.B \\-\\-([a-z0-9\\-]+)", part.group(1), re.M) if part else []
        if [name.replace("\\-", "-") for name in named] != options_of(command):
            problems.append(f"{command}: {named}")
    tap.case("the man page has all commands with the options of --help", problems)
    if shutil.which("man") and shutil.which("groff"):
        done = Done("--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page, program="man")
        tap.case("man finds no fault in it", done.ended(0) or ([done.err] if done.err else []))
    elif shutil.which("mandoc"):
        done = Done("-Tlint", "-Werror", page, program="mandoc")
        tap.case("mandoc finds no error in it", done.ended(0))
    else:
        tap.skip("the man page has no faults", "no man, no mandoc")


def offered(words, folder):
    """What bash's completion offers for the last of the words."""
    script = (f"source '{PAGES}/attractivenet.bash'; compopt() {{ :; }}; COMP_WORDS=(attractivenet \"$@\"); "
              "COMP_CWORD=$#; _attractivenet; printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = Done("-c", script, "bash", *words, program="bash", cwd=folder)
    return done.out.split("\n")[:-1], done.err


def completion(tap, work):
    if not (PAGES / "attractivenet.bash").is_file():
        return tap.skip("completions", "they were not built: this build's programs do not run here")
    (work / "a folder").mkdir()
    cases = [([""], COMMANDS), (["tr"], ["train"]), (["train", "--augment", ""], ["none", "fast", "keras", "legacy"]),
             (["train", "--augment", "k"], ["keras"]), (["--precision", ""], ["fp32", "mixed"]),
             (["test", "--out", "a"], ["a folder"]), (["train", "--batch", ""], [""]), (["faces", "--s"], ["--size", "--seed"])]
    cases += [([command, "--"], [f"--{name}" for name in options_of(command)]) for command in COMMANDS]
    cases += [(["--"], [f"--{name}" for name in options_of("train")])]
    if shutil.which("bash"):
        for words, wanted in cases:
            found, said = offered(words, work)
            tap.case(f"bash completes 'attractivenet {' '.join(words)}'",
                     [said] if said else [] if found == wanted else [f"{found}, expected {wanted}"])
    else:
        tap.skip("bash's completion", "no bash")
    for shell, file in (("zsh", "_attractivenet"), ("fish", "attractivenet.fish")):
        text = (PAGES / file).read_text(encoding="utf-8")
        lacking = [name for command in COMMANDS for name in options_of(command) if not re.search(rf"(--|-l ){name}\b", text)]
        tap.case(f"{shell}'s completion has all options", lacking)
        if shutil.which(shell):
            tap.case(f"{shell} reads it", Done("-n", PAGES / file, program=shell).ended(0))


def read_run(folder):
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def hash_of(labels):
    value = 0xcbf29ce484222325
    for name, score in sorted(labels):
        for byte in name.encode() + b"\0" + struct.pack("<d", score):
            value = (value ^ byte) * 0x100000001b3 % 2 ** 64
    return f"{value:016x}"


def training(tap, work):
    faces, out = work / "faces", work / "run"
    tap.case("faces draws a folder", Done("faces", "--out", faces, "--count", 30, "--size", 48).ended(0))
    short = [*SMALL, "--epochs1", 1, "--epochs2", 2]
    relative = Done("train", "--data", "faces", "--out", "run", *short, cwd=work)
    tap.case("train leaves its results", relative.ended(0))
    tap.case("options without a command train",
             Done("--data", faces, "--out", work / "bare", *short).ended(0) or
             ([] if (work / "bare/model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()
              else ["another model"]))
    run = read_run(out)
    version = Done("version").out
    labels = [line.rsplit(" ", 1) for line in
              (faces / "SCUT-FBP5500_v2/train_test_files/All_labels.txt").read_text().splitlines()]
    metrics = json.loads((out / "metrics.json").read_text())
    tap.case("run.json: complete, with the names of all results",
             [] if run["complete"] is True and run["format"] == "attractivenet run" and run["format_version"] == 1 and
             all((out / name).is_file() for name in run["results"]) and len(run["results"]) == 5 else [run])
    tap.case("run.json finds the data again, from any folder, and knows it",
             [] if run["data"] == {"path": str(faces.resolve()), "count": 30, "left_out": 0,
                                   "samples": hash_of((name, float(score)) for name, score in labels)} else [run["data"]])
    tap.case("run.json: the split", [] if run["split"] == {
        "method": "an_tutorial_split", "seed": 42, "count": 30, **{key: metrics[key] for key in ("n_train", "n_val", "n_test")}}
        else [run["split"]])
    tap.case("run.json: every option, as given or by default",
             [] if list(run["settings"]) == [name for name in options_of("train") if name not in ("help", "version")] and
             run["settings"]["batch"] == 8 and run["settings"]["alpha"] == 0.35 and run["settings"]["resume"] is False and
             run["settings"]["augment"] == "fast" and run["settings"]["suffix"] is None and run["settings"]["data"] == "faces"
             else [run["settings"]])
    lines = (out / "history.csv").read_text().splitlines()[1:]
    tap.case("run.json: the stages, with what they have done",
             [] if [(s["stage"], s["base"], s["max_epochs"], s["learning_rate"], s["epochs"], s["best_val_loss"])
                    for s in run["stages"]] ==
             [(1, "frozen", 1, 1e-3, 1, float(lines[0].split(",")[3])),
              (2, "train", 2, 1e-4, 2, min(float(line.split(",")[3]) for line in lines[1:]))] else [run["stages"], lines])
    tap.case("run.json: the library",
             [] if f"libattractivenet {run['library']['version']}, ABI {run['library']['abi']}" in version and
             f"ISA level: {run['library']['level']}" in version else [run["library"], version])
    tap.case("run.json: the model", [] if run["model"] == {"height": 32, "width": 32, "alpha": 0.35, "outputs": 1,
                                                           "scale": "unit"} else [run["model"]])

    again = Done("test", "--data", faces, "--model", out / "model.safetensors", "--out", work / "tested", "--batch", 8)
    tap.case("test gives the metrics of the training",
             again.ended(0, "RMSE") or ([] if (work / "tested/metrics.json").read_bytes() ==
                                        (out / "metrics.json").read_bytes() else ["other metrics"]))
    scored = Done("predict", "--model", out / "model.safetensors", faces)
    tap.case("predict scores a folder", scored.ended(0) or ([] if len(scored.out.splitlines()) == 30 else [scored.out]))

    kept = [(path, path.read_bytes()) for path in sorted(out.iterdir())]
    refused = Done("train", "--data", faces, "--out", out, *short, "--resume", "--seed", 7)
    tap.case("a resumption that is refused leaves all results as they were",
             refused.ended(1, "seed") or [path.name for path, content in kept
                                          if not path.exists() or path.read_bytes() != content])
    (out / "run.json.part").mkdir()
    blocked = Done("train", "--data", faces, "--out", out, *short, "--restart")
    tap.case("a run.json that cannot be written ends the training before it begins",
             blocked.ended(1, "cannot write", "run.json") or
             ([] if (out / "model.safetensors").read_bytes() == dict(kept)[out / "model.safetensors"] else ["it has trained"]))


def interrupted(tap, work):
    out = work / "cut"
    command = ["train", "--data", work / "faces", "--out", out, *SMALL, "--epochs1", 0, "--epochs2", 1000, "--patience", -1]
    running = subprocess.Popen([str(PROGRAM), *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while running.poll() is None and time.monotonic() < deadline and not (out / "history.csv").is_file():
        time.sleep(0.01)
    running.send_signal(signal.SIGTERM)
    status = running.wait()
    run = read_run(out)
    tap.case("run.json of a training under way: not complete, no results",
             [] if status == 3 and run["complete"] is False and run["results"] == [] and run["stages"][0]["epochs"] == 0
             else [status, run])


def other_names(tap, work):
    """A folder whose name is not UTF-8, and one with quotes."""
    for name, what in ((b"bytes \xff\xfe", "bytes that are no UTF-8"), (b"a \"quote\" \\ and \x01", "quotes and control characters")):
        folder = work / os.fsdecode(name)
        try:
            shutil.copytree(work / "faces", folder)
        except OSError:
            tap.skip(f"run.json keeps a path with {what}", "the file system has no such names")
            continue
        done = Done("train", "--data", folder, "--out", work / "named", *SMALL, "--epochs1", 0, "--epochs2", 1, "--restart")
        data = {} if done.status else read_run(work / "named")["data"]
        path = data.get("path") or os.fsdecode(bytes.fromhex(data.get("path_hex", "")))
        tap.case(f"run.json keeps a path with {what}", done.ended(0) or ([] if path == str(folder.resolve()) else [data]))


def recipes(tap, work):
    """What a recipe sets, by the weights, and what is given beside it."""
    out = work / "recipe"
    done = Done("train", "--data", work / "faces", "--out", out, *SMALL, "--epochs1", 0, "--epochs2", 1, "--recipe", "modern",
                "--lr2", 1e-4, "--average", 0.5)
    said = [line for line in done.out.splitlines() if line.startswith("recipe modern:")]
    settings = {} if done.status else read_run(out)["settings"]
    wanted = {"recipe": "modern", "lr2": 1e-4, "average": 0.5, "base2": "train", "schedule": "cosine", "bn-momentum": 0.5}
    found = {name: settings.get(name) for name in wanted}
    tap.case("run.json has what the recipe sets and what is given beside it, random weights with batch statistics",
             done.ended(0) or ([] if found == wanted else [found]))
    tap.case("a recipe prints what it sets, and only that",
             [] if len(said) == 1 and "--schedule cosine" in said[0] and "--lr2" not in said[0] and "--average" not in said[0]
             and "--bn-momentum" not in said[0] else [done.out])
    model = out / "model.safetensors"
    done = Done("train", "--data", work / "faces", "--out", work / "tuned", "--size", 32, "--alpha", 0.35, "--weights", model,
                "--batch", 8, "--epochs1", 1, "--epochs2", 1, "--recipe", "modern")
    stages = [] if done.status else [stage["base"] for stage in read_run(work / "tuned")["stages"]]
    tap.case("a recipe for trained weights: the head in closed form, then fixed batch norm",
             done.ended(0, "--head ridge", "--base2 finetune") or ([] if stages == ["frozen", "finetune"] else [stages]))
    done = Done("train", "--data", work / "faces", "--out", out, *SMALL, "--recipe", "tutorial", "--epochs1", 0, "--epochs2", 1,
                "--restart")
    tap.case("the tutorial's recipe sets nothing",
             done.ended(0) or ([] if "recipe tutorial" not in done.out and read_run(out)["settings"]["lr2"] == 1e-4 else [done.out]))


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        commands(tap)
        replicas(tap)
        devices(tap)
        man_page(tap)
        completion(tap, work)
        training(tap, work)
        interrupted(tap, work)
        other_names(tap, work)
        recipes(tap, work)
    tap.exit()


if __name__ == "__main__":
    main()
