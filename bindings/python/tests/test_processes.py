# SPDX-License-Identifier: MIT
"""Other processes, threads, and what a long-lived process keeps."""

from __future__ import annotations

import concurrent.futures
import gc
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attractivenet as an


def score(model: an.Model, images: Any) -> Any:
    return model.predict(images)


def train_anew(archive: Path) -> bytes:
    model = an.MobileNetV2(size=32, alpha=0.35)
    model.fit(an.Loader(an.Dataset.open(archive, size=32), shuffle=True), epochs=1, verbose=0)
    return model.to_bytes()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_other_processes_score_and_train_alike(method: str, trained: an.Model, frames: Any, archive: Path) -> None:
    expected, weights = trained.predict(frames), train_anew(archive)  # threads run before the fork
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        scores = [pool.submit(score, trained, frames) for _ in range(3)]  # the model travels as a pickle
        other = pool.submit(train_anew, archive)
        assert all(np.array_equal(one.result(timeout=60), expected) for one in scores)
        assert other.result(timeout=60) == weights
    assert np.array_equal(trained.predict(frames), expected)


@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_model_that_a_child_inherits_says_so(trained: an.Model, frames: Any) -> None:
    trained.predict(frames)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = "no error"
            try:
                trained.predict(frames)
            except an.ArgumentError as error:
                said = str(error)
            own = an.MobileNetV2(size=32, alpha=0.35)  # on a backend of the child's
            said += " | " + str(own.predict(frames).shape)
            os.write(writing, said.encode())
        finally:
            os._exit(0)
    os.close(writing)
    said = b""
    while part := os.read(reading, 4096):
        said += part
    os.close(reading)
    os.waitpid(child, 0)
    assert b"fork" in said or b"process" in said
    assert said.endswith(b"| (5, 1)")


def test_threads_predict_on_one_model(trained: an.Model) -> None:
    x = np.random.default_rng(5).integers(0, 256, (40, 64, 64, 3), np.uint8)
    expected = trained.predict(x)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda k: trained.predict(x[k:k + 1]), list(range(40)) * 5))
    assert np.array_equal(np.concatenate(parts[:40]), expected) and np.array_equal(np.concatenate(parts[-40:]), expected)
    assert len(trained._predictors) <= 8


def test_threads_predict_while_one_trains(model: an.Model, faces: an.Dataset, frames: Any) -> None:
    seen: set[bytes] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.add(model.predict(frames).tobytes())

    states: set[bytes] = {model.predict(frames).tobytes()}
    note = an.LambdaCallback(on_train_batch_end=lambda *_: states.add(model.predict(frames).tobytes()))
    worker = threading.Thread(target=look)
    worker.start()
    model.fit(an.Loader(faces, batch_size=8), epochs=3, verbose=0, callbacks=[note])
    stop.set()
    worker.join()
    assert seen <= states  # only the weights between two steps


def test_threads_that_raise_raise_their_own(faces: an.Dataset) -> None:
    def train(k: int) -> str:
        def fail(*_: Any) -> None:
            raise LookupError(f"mine is {k}")

        model = an.MobileNetV2(size=64, alpha=0.35)
        try:
            model.fit(an.Loader(faces[:8]), epochs=1, verbose=0, callbacks=[an.LambdaCallback(on_train_batch_end=fail)])
        except LookupError as error:
            return str(error)
        return "nothing"

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(train, range(8))) == [f"mine is {k}" for k in range(8)]


def test_a_program_ends_well_with_everything_alive(archive: Path) -> None:
    code = f"""
import attractivenet as an, numpy as np, threading
faces = an.Dataset.open({str(archive)!r}, size=32)
loader = an.Loader(faces); batches = iter(loader); next(batches)
held = an.Dataset.from_arrays(np.zeros((4, 32, 32, 3), np.uint8), np.zeros(4)); floats = an.Loader.from_arrays(
    np.zeros((4, 32, 32, 3), np.float32), np.zeros(4)); next(iter(floats))
model = an.MobileNetV2(size=32, alpha=0.35); model.predict(held); model.fit(floats, verbose=0)
model.cycle = [model, held, floats, loader]
threading.Thread(target=lambda: model.predict(held)).start()
print("done")
"""
    for how in ([], ["-X", "dev"]):
        done = subprocess.run([sys.executable, *how, "-c", code], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def resident() -> float:
    """Memory of this process in MB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_memory_stays_flat() -> None:
    """10,000 predictions, and 100 trainings with callbacks, loaders and a data set each."""
    code = """
import gc, os, sys, numpy as np, attractivenet as an
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from test_processes import resident
model = an.MobileNetV2(size=32, alpha=0.35)
x = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), np.uint8)
wide = np.zeros((2, 40, 50, 3), np.uint8)
def predict(times):
    for _ in range(times):
        model.predict(x[:1]); model.predict(wide[:, 3:35, 3:35])
def train(times):
    for _ in range(times):
        data = an.Dataset.from_arrays(x, np.arange(4.0))
        model.fit(an.Loader(data, batch_size=2, shuffle=True), validation_data=data, epochs=1, verbose=0,
                  callbacks=[an.LambdaCallback(on_train_batch_end=lambda *_: None), an.EarlyStopping()])
predict(1000); train(30); gc.collect(); first = resident()
predict(5000); gc.collect(); second = resident()
train(100); gc.collect(); third = resident()
print(second - first, third - second)
"""
    done = subprocess.run([sys.executable, "-c", code, __file__], capture_output=True, text=True, check=True)
    grown = [float(part) for part in done.stdout.split()]
    assert max(grown) < 2, grown


def test_import_in_either_order_with_other_libraries() -> None:
    """Beside libraries with thread pools and BLAS of their own (torch and TensorFlow: tests/python/others.py)."""
    for order in ("numpy, scipy.linalg, attractivenet", "attractivenet, numpy, scipy.linalg"):
        code = (f"import {order}\nimport numpy as np, attractivenet as an, scipy.linalg\n"
                "a = np.random.default_rng(1).random((200, 200)); b = scipy.linalg.inv(a) @ a\n"
                "s = an.MobileNetV2(size=32, alpha=0.35, seed=1).compute_features(np.full((1, 32, 32, 3), 9, np.uint8))\n"
                "print(np.allclose(b, np.eye(200)), s.tobytes().hex()[:64])")
        pytest.importorskip("scipy.linalg")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("True")


def test_garbage_in_another_thread(archive: Path) -> None:
    """A handle may be collected on any thread, also on one without a call of its own."""
    things = [an.MobileNetV2(size=32, alpha=0.35), an.Dataset.from_arrays(np.zeros((4, 32, 32, 3), np.uint8), np.zeros(4))]
    things[0].cycle = things
    del things
    worker = threading.Thread(target=gc.collect)
    worker.start()
    worker.join()
