# SPDX-License-Identifier: MIT
"""Keras files that the program writes, opened by Keras 3 or, where it is installed, by tf_keras: the same predictions,
the loss of the same training step, and the same weights when Keras writes the file again.

usage: keras_write.py PROGRAM WORK
"""
import array
import json
import math
import os
import random
import sys
from pathlib import Path

import numpy as np
from common import call, differences, make_images, must, read_safetensors, scores, settled, untrained, write_safetensors
from tap import Tap

try:
    import tf_keras as keras
    IS_3 = False
except ImportError:
    import keras
    IS_3 = True

WORK = Path(sys.argv[2]).resolve()
IMAGENET = Path(os.environ.get("AN_WEIGHTS_DIR", "")) / "mobilenet_v2_1.0_224_imagenet_dequant.h5"
LINES = {"unit": (1 / 255, 0), "tf": (1 / 127.5, -1), "article": (1 / .255, 0)}
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])  # of ImageNet's channels


def scaled(images, scale):
    x = np.asarray(images, np.float64)
    if scale == "torch":
        return ((x / 255 - MEAN) / DEVIATION).astype(np.float32)
    gain, offset = LINES[scale]
    return (x * gain + offset).astype(np.float32)


def with_outputs(path, outputs, task, classes=None):
    """Give the model another head."""
    draw = random.Random(outputs)
    metadata, arrays = read_safetensors(path)
    features = arrays["dense/kernel"][0][0]
    arrays["dense/kernel"] = [features, outputs], array.array("f", (draw.gauss(0, 1 / math.sqrt(features))
                                                                    for _ in range(features * outputs)))
    arrays["dense/bias"] = [outputs], array.array("f", (draw.gauss(0, 0.3) for _ in range(outputs)))
    write_safetensors(path, dict(metadata, outputs=str(outputs), task=task, **(classes or {})), arrays)


def zeroed(model):
    model.set_weights([np.zeros_like(value) for value in model.get_weights()])
    return model


def opened(file, kind, compiled):
    """The model of a file that Keras opens, or its weights in a model of the same layers."""
    if kind != ".weights.h5":
        return keras.models.load_model(str(file) + kind, compile=compiled)
    model = zeroed(keras.models.load_model(str(file) + ".keras", compile=False))
    model.load_weights(str(file) + kind)
    return model


def arrays_of(path):
    return {name: values.tobytes() for name, (_, values) in read_safetensors(path)[1].items()}


def again(model, kind, ours, options):
    """Problems of the file that Keras writes of a model, read by the program."""
    path, back = WORK / f"again{kind}", WORK / "back.safetensors"
    if kind == ".weights.h5":
        model.save_weights(str(path))
    else:
        model.save(str(path))
    status, _, err = call("convert", "--quiet", *options, path, back)
    if status:
        return [err.strip()]
    return [] if arrays_of(back) == arrays_of(ours) else ["other weights"]


def check(tap, title, ours, size, scale, padding, is_bytes=False):
    """One model, in every format that this Keras has."""
    photos = WORK / f"photos_{size}"
    images = np.array(make_images(photos, size, 6))
    want, file = scores(ours, photos), WORK / "model"
    x = images.astype(np.uint8) if is_bytes else scaled(images, scale)
    for kind in (".h5", ".keras", ".weights.h5") if IS_3 else (".h5",):
        must("convert", "--quiet", *(["--bytes"] if is_bytes else []), ours, str(file) + kind)
    for kind in (".h5", ".keras", ".weights.h5") if IS_3 else (".h5",):
        for compiled in (True, False) if kind != ".weights.h5" else (False,):
            model = opened(file, kind, compiled)
            problems = differences(model.predict(x, verbose=0).tolist(), want)
            if (getattr(model, "optimizer", None) is not None) != compiled:
                problems.append("compiled" if not compiled else "not compiled")
            tap.case(f"{title}: predictions of {kind}, compile={compiled}", problems)
        if is_bytes and kind == ".weights.h5":
            continue  # a file without a config and with another layer is refused
        options = [] if is_bytes else ["--scale", scale]
        if kind == ".weights.h5":
            options += ["--size", size, "--padding", padding]
        tap.case(f"{title}: written, read and written by Keras as {kind}, and read", again(model, kind, ours, options))
    must("convert", "--quiet", str(file) + ".h5", WORK / "back.safetensors")
    tap.case(f"{title}: written and read", [] if read_safetensors(WORK / "back.safetensors") == read_safetensors(ours)
             else ["not the same"])


# --- a step of training -----------------------------------------------------------------------------------------------

def train_part(count, seed):
    """The tutorial's split: the images of its training part. The program sorts them by their names."""
    order = np.random.RandomState(seed).permutation(count)
    return np.array(sorted(range(count), key=lambda i: f"{i}.png"))[order[math.ceil(0.3 * count):]]


def check_step(tap, title, ours, size, scale, options=()):
    count, data = 20, WORK / f"data_{size}"
    images = np.array(make_images(data, size, count, seed=8))
    draw = random.Random(3)
    targets = [round(draw.uniform(1, 5), 3) for _ in range(count)]
    (data / "All_labels.txt").write_text("".join(f"{i}.png {target}\n" for i, target in enumerate(targets)))
    must("train", "--data", data, "--suffix", ".png", "--out", WORK / "step", "--weights", ours, "--size", size, "--scale",
         scale, "--epochs1", "0", "--epochs2", "1", "--batch", "100", "--augment", "none", "--restart", "--quiet", *options)
    want = float((WORK / "step/history.csv").read_text().splitlines()[1].split(",")[2])
    part = train_part(count, 42)
    for kind in (".h5", ".keras") if IS_3 else (".h5",):
        must("convert", "--quiet", ours, WORK / f"model{kind}")
        model = keras.models.load_model(str(WORK / f"model{kind}"))
        loss = model.fit(scaled(images[part], scale), np.array(targets)[part], batch_size=100, epochs=1, shuffle=False,
                         verbose=0).history["loss"][0]
        tap.case(f"{title}: the loss of a step, {kind}", [] if abs(loss - want) <= 1e-4 else [f"{loss}, ours {want}"])


def main():
    tap = Tap()
    print(f"# {keras.__name__} {keras.__version__}", flush=True)
    for alpha, size, padding, scale in (("0.35", 65, "fixed", "unit"), ("1", 64, "tutorial", "tf")):
        ours = untrained(WORK, size, alpha, "--padding", padding)
        title = f"alpha {alpha}, {padding}"
        settled(ours, size, scale=scale)
        check(tap, title, ours, size, scale, padding)
        check_step(tap, title, ours, size, scale, ["--alpha", alpha, "--padding", padding])
    ours = WORK / "run_65_0.35/model.safetensors"
    check(tap, "bytes", ours, 65, "unit", "fixed", is_bytes=True)
    with_outputs(ours, 3, "classification", {"classes": json.dumps(["one", "two", "three"], separators=(",", ":"))})
    check(tap, "three classes", ours, 65, "unit", "fixed")
    with_outputs(ours, 1, "classification", {"classes": json.dumps(["no", "yes"], separators=(",", ":"))})
    check(tap, "yes or no", ours, 65, "unit", "fixed")
    ours = untrained(WORK, 65, "0.35", "--padding", "symmetric")
    settled(ours, 4, padding="symmetric", scale="torch", epsilon="1e-05")
    check(tap, "as PyTorch, bytes", ours, 65, "torch", "symmetric", is_bytes=True)
    if IMAGENET.exists():
        must("faces", "--out", WORK / "faces_96.zip", "--count", "60", "--size", "96", "--quiet")
        must("train", "--data", WORK / "faces_96.zip", "--out", WORK / "trained", "--weights", IMAGENET, "--size", "96",
             "--epochs1", "3", "--epochs2", "1", "--scale", "tf", "--augment", "none", "--quiet")
        ours = WORK / "trained/model.safetensors"
        check(tap, "ImageNet weights, trained", ours, 96, "tf", "tutorial")
        check_step(tap, "ImageNet weights, trained", ours, 96, "tf")
    else:
        tap.skip("ImageNet weights, trained", "AN_WEIGHTS_DIR has no weights")
    tap.exit()


main()
