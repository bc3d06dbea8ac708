# SPDX-License-Identifier: MIT
"""What the package costs over the library: a table of figures, each the best of several runs.

    python overhead.py [--quick]

The time of the C call itself is that of the same function through cffi, which adds 0.1 microseconds.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import subprocess
import sys
import time
from typing import Any, Callable

import numpy as np

import attractivenet as an
from attractivenet._core import ffi, lib


def best(call: Callable[[], Any], calls: int, runs: int) -> float:
    """Seconds of one call."""
    found = float("inf")
    for _ in range(runs):
        begun = time.perf_counter()
        for _ in range(calls):
            call()
        found = min(found, (time.perf_counter() - begun) / calls)
    return found


def in_turn(a: Callable[[], Any], b: Callable[[], Any], calls: int, runs: int) -> tuple[float, float]:
    """Seconds of a call of each; their runs alternate, so that both see the same machine."""
    pairs = [(best(a, calls, 1), best(b, calls, 1)) for _ in range(runs)]
    return min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)


def raw(model: an.Model, x: Any) -> Callable[[], Any]:
    """The library's call on dense frames, with all arguments at hand."""
    out = np.empty((len(x), model.outputs), np.float32)
    predictor = model._take_predictor()
    arguments = (predictor, ffi.from_buffer("uint8_t[]", x), len(x), 0, x.shape[1], x.shape[2], 0,
                 ffi.from_buffer("float[]", out), ffi.NULL)
    return lambda: lib.an_predictor_score_frames(*arguments)


def overhead(title: str, model: an.Model, x: Any, calls: int, runs: int) -> None:
    ours, theirs = in_turn(lambda: model.predict(x), raw(model, x), calls, runs)
    around = best(lambda: model._read_frames(lambda *_: 0, x, model.outputs), 1000, 20)
    print(f"{title}: {ours * 1e6:.1f} us, C {theirs * 1e6:.1f} us: {(ours / theirs - 1) * 100:+.2f} %; "
          f"Python around the call {around * 1e6:.1f} us, {around / theirs * 100:.2f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    runs = 5 if parser.parse_args().quick else 30
    print(f"attractivenet {an.__version__}, {an.Backend()!r}")

    code = "import numpy, time; t = time.process_time(); import attractivenet; print(time.process_time() - t)"
    seconds = min(float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
                  for _ in range(runs))
    print(f"import, with NumPy imported: {seconds * 1e3:.1f} ms")

    one = an.Backend(threads=1)
    draw = np.random.default_rng(1)
    small = an.MobileNetV2(size=64, alpha=0.35, device=one)
    overhead("predict, one frame 64x64, alpha 0.35, 1 thread", small, draw.integers(0, 256, (1, 64, 64, 3), np.uint8), 50, runs * 4)
    large = an.MobileNetV2(size=350)
    overhead("predict, 32 frames 350x350", large, draw.integers(0, 256, (32, 350, 350, 3), np.uint8), 1, 5)

    # A fit with a callback a step: the time in our code and the callback, over that of the whole fit.
    data = an.Dataset.from_arrays(draw.integers(0, 256, (256, 64, 64, 3), np.uint8), np.zeros(256))
    from attractivenet import training

    spent = 0.0
    inner = training._Events.__call__

    def timed(self: Any, event: Any) -> None:
        nonlocal spent
        begun = time.perf_counter()
        inner(self, event)
        spent += time.perf_counter() - begun

    training._Events.__call__ = timed  # type: ignore[method-assign]
    begun = time.perf_counter()
    small.fit(an.Loader(data, batch_size=8), epochs=4, verbose=0,
              callbacks=[an.LambdaCallback(on_train_batch_end=lambda batch, logs: logs["loss"])])
    whole = time.perf_counter() - begun
    print(f"fit, 128 steps of 8 images 64x64 with a callback a step: {whole:.2f} s, {spent / whole * 100:.2f} % in Python")

    # Threads that predict on one model.
    shared = an.MobileNetV2(size=128)
    x = draw.integers(0, 256, (1, 128, 128, 3), np.uint8)
    rates: dict[int, float] = {}
    for _ in range(runs // 4):
        for threads in (1, 2, 4, 8):
            with concurrent.futures.ThreadPoolExecutor(threads) as pool:
                list(pool.map(shared.predict, [x] * threads * 2))
                begun = time.perf_counter()
                list(pool.map(shared.predict, [x] * 100))
                rates[threads] = max(rates.get(threads, 0.0), 100 / (time.perf_counter() - begun))
    print("threads predicting on one model, images a second:",
          ", ".join(f"{threads}: {rate:.0f}" for threads, rate in rates.items()),
          f"; 8 over the best: {rates[8] / max(rates.values()):.2f}")


if __name__ == "__main__":
    main()
