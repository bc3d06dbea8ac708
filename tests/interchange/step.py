# SPDX-License-Identifier: MIT
"""Other tools, each in a virtual environment of its own: makes the environments that are missing, runs every check of
checks.txt in its environment, and prints TAP.

usage: step.py PROGRAM FOLDER [NAME...]     NAME: an environment or a script; by default all

A check is called as: ENVIRONMENT/bin/python SCRIPT PROGRAM WORK, with WORK an empty folder of its own. It prints TAP
and ends with 0 if no case failed. Cases whose environment cannot be made here are skipped with the reason.
"""
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

HERE = Path(__file__).resolve().parent
TIMEOUT = 1800  # seconds, of a check

# Without what each torch needs for CUDA, which would be 3 GB. On a machine without the CUDA toolkit it cannot be
# imported then, and is installed again with all of it.
TORCH_NEEDS = ["filelock", "fsspec", "jinja2", "networkx", "sympy", "typing_extensions", "numpy", "pillow"]
TORCH_CUDA = ["nvidia-cufile", "nvidia-cusparselt-cu13", "nvidia-nvshmem-cu13", "nvidia-nccl-cu13"]

# Name: what pip installs, one call after another; the modules that must be found afterwards.
ENVIRONMENTS = {
    "keras3": ([["keras>=3", "tensorflow-cpu", "h5py", "onnx", "onnxruntime", "openvino", "opencv-python-headless",
                 "pillow"],
                ["--no-deps", "tf2onnx"]],
               ["keras", "onnxruntime", "openvino", "cv2", "tf2onnx"]),
    "tfkeras": ([["tensorflow-cpu", "h5py"], ["--no-deps", "tf-keras"]], ["tf_keras"]),
    "torch": ([["--no-deps", "torch", "torchvision", "timm", *TORCH_CUDA],
               [*TORCH_NEEDS, "safetensors", "pyyaml", "huggingface_hub", "onnx", "onnxscript"]],
              ["torch", "torchvision", "timm", "safetensors.torch", "onnxscript"]),
    "old": ([["onnxruntime==1.15.1", "numpy<2"]], ["onnxruntime"]),
}
# Instead, if the first cannot be installed or used: another way, and what is different about it.
OTHERWISE = {
    "torch": [["torch", "torchvision", "timm", "safetensors", "onnx", "onnxscript"]],
    "old": [["onnxruntime<1.19", "numpy<2"], ["onnxruntime<1.21"]],
}


def tail(text):
    return "\n".join((text or "").rstrip().splitlines()[-12:])


def run(*arguments, **options):
    return subprocess.run([str(a) for a in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)


def finds(python, modules):
    return run(python, "-c", "".join(f"import {module}\n" for module in modules), timeout=300)


def install(folder, calls, modules):
    """None, or why it did not work."""
    shutil.rmtree(folder, ignore_errors=True)
    done = run(sys.executable, "-m", "venv", folder)
    if done.returncode:
        return tail(done.stdout)
    for call in calls:
        done = run(folder / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *call)
        if done.returncode:
            return f"pip install {' '.join(call)}:\n{tail(done.stdout)}"
    done = finds(folder / "bin/python", modules)
    return tail(done.stdout) if done.returncode else None


def make(folder, name):
    """Make an environment unless it is there; None, or why it cannot be had."""
    calls, modules = ENVIRONMENTS[name]
    mark = folder / "made"
    wanted = repr((calls, OTHERWISE.get(name)))
    if mark.exists() and mark.read_text() == wanted:
        return None
    print(f"# {name}: making the environment", flush=True)
    why = install(folder, calls, modules)
    for other in OTHERWISE.get(name, []) if why else []:
        print(f"# {name}: pip install {' '.join(other)} instead", flush=True)
        if not install(folder, [other], modules):
            why = None
            break
    if not why:
        mark.write_text(wanted)
    return why


def checks(names):
    for line in (HERE / "checks.txt").read_text().splitlines():
        words = line.split("#")[0].split()
        if words and (not names or set(words) & set(names)):
            yield words


def main():
    program, folder, names = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), sys.argv[3:]
    tap, missing = Tap(), {}
    folder.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="",
                       PYTHONWARNINGS="ignore", PYTHONDONTWRITEBYTECODE="1")
    for name, script in checks(names):
        if name not in missing:
            missing[name] = make(folder / name, name)
        title = f"{name}: {script}"
        if missing[name]:
            print("\n".join(f"# {line}" for line in missing[name].splitlines()))
            tap.skip(title, f"the environment '{name}' cannot be made here")
            continue
        work = folder / "work" / f"{name}_{Path(script).stem}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        print(f"# {title}", flush=True)
        try:
            done = subprocess.run([str(folder / name / "bin/python"), str(HERE / script), str(program), str(work)],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
                                  cwd=HERE.parent.parent, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            tap.case(f"{title}: ends", [f"it runs longer than {TIMEOUT} s"])
            continue
        lines = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "not ok ", "#"))]
        for line in lines:
            print(line.replace("ok - ", f"ok - {name}: ", 1) if not line.startswith("#") else line)
        failed = sum(line.startswith("not ok") for line in lines)
        tap.failed += failed
        if done.returncode and not failed or not any(not line.startswith("#") for line in lines):
            tap.case(f"{title}: ends", [f"exit status {done.returncode}", tail(done.stderr)])
        sys.stdout.flush()
    tap.exit()


main()
