# SPDX-License-Identifier: MIT
"""ONNX files of ours in other runtimes: onnx.checker, ONNX Runtime, OpenCV's dnn and OpenVINO, as far as the environment
has them; and those of tf2onnx here.

usage: onnx_tools.py PROGRAM WORK
"""
import array
import importlib.util
import os
import random
import sys
import zipfile
from pathlib import Path

import numpy as np
from common import call, differences, make_images, must, read_safetensors, scores, settled, untrained, write_safetensors
from tap import Tap

SIDE, COUNT = 96, 6
WORK = Path(sys.argv[2])


def has(module):
    return importlib.util.find_spec(module) is not None


# --- runtimes: a function from an input to outputs [image][output] ----------------------------------------------------

def ort(path, level="ORT_ENABLE_ALL"):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def plain_ort(path):
    return ort(path, "ORT_DISABLE_ALL")


# OpenCV 5.0.0 multiplies the codes of the last pixels of a plane wrongly with AVX-VNNI (docs/interchange.md); it reads
# this variable when it is imported.
os.environ["OPENCV_CPU_DISABLE"] = "AVX_VNNI"


def opencv(path):
    import cv2
    net = cv2.dnn.readNetFromONNX(str(path))

    def run(x):
        rows = []
        for image in x:
            net.setInput(image[None])
            rows.append(net.forward().reshape(1, -1).copy())
        return np.concatenate(rows)
    return run


def openvino(path):
    import openvino as ov
    model = ov.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
    return lambda x: model([x])[model.outputs[0]]


def runtimes():
    for module, name, make in (("onnxruntime", "ONNX Runtime", ort),
                               ("onnxruntime", "ONNX Runtime without optimisations", plain_ort),
                               ("cv2", "OpenCV", opencv), ("openvino", "OpenVINO", openvino)):
        if has(module):
            yield f"{name} {__import__(module).__version__.split('-')[0]}", make


# --- networks --------------------------------------------------------------------------------------------------------

def classes(source, path, count):
    """The same network with another head: count classes."""
    draw = random.Random(7)
    metadata, arrays = read_safetensors(source)
    rows = arrays["dense/kernel"][0][0]
    arrays["dense/kernel"] = ([rows, count], array.array("f", (draw.gauss(0, 0.015) for _ in range(rows * count))))
    arrays["dense/bias"] = ([count], array.array("f", [0.0] * count))
    write_safetensors(path, dict(metadata, task="classification", outputs=str(count)), arrays)


def input_of(images, scale, layout, is_bytes):
    x = np.asarray(images, np.uint8)
    if not is_bytes:
        x = x.astype(np.float32)
        x = x / np.float32(127.5) - np.float32(1) if scale == "tf" else x / np.float32(255)
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2) if layout == "nchw" else x)


def photographs(folder, count):
    """Photographs with scores, as files of the network's size; None without the data."""
    data, weights = os.environ.get("AN_DATA_DIR"), os.environ.get("AN_WEIGHTS_DIR")
    found = sorted(Path(data).glob("*.zip")) if data else []
    kept = sorted(Path(weights).glob("*dequant.h5")) if weights else []
    if not found or not kept or not has("PIL"):
        return None
    from PIL import Image
    folder.mkdir()
    with zipfile.ZipFile(found[0]) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
        for name in names[::max(1, len(names) // count)][:count]:
            with archive.open(name) as file:
                Image.open(file).convert("RGB").resize((SIDE, SIDE)).save(folder / (Path(name).stem + ".png"))
    images = [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]
    run = WORK / "photographs_run"
    must("train", "--quiet", "--data", found[0], "--out", run, "--weights", kept[0], "--scale", "tf", "--size", SIDE,
         "--epochs1", "6", "--epochs2", "1", "--augment", "none", "--threads", "1", "--bn-momentum", "0.9")
    return found[0], run / "model.safetensors", np.stack(images)


# --- the cases -------------------------------------------------------------------------------------------------------

def check_floats(tap, name, model, folder, images, scale):
    want = scores(model, folder)
    for layout, is_bytes in (("nhwc", False), ("nchw", False), ("nchw", True)):
        path = WORK / "model.onnx"
        must("convert", "--quiet", "--layout", layout, *(["--bytes"] if is_bytes else []), model, path)
        if has("onnx"):
            import onnx
            try:
                onnx.checker.check_model(onnx.load(path), full_check=True)
                tap.case(f"onnx.checker: {name}, {layout}")
            except onnx.checker.ValidationError as error:
                tap.case(f"onnx.checker: {name}, {layout}", [error])
        x = input_of(images, scale, layout, is_bytes)
        for title, make in runtimes():
            case = f"{title}: {name}, {layout}{', of bytes' if is_bytes else ''}"
            if is_bytes and title.startswith("OpenCV"):
                tap.skip(case, "OpenCV's networks take floats")
                continue
            try:
                tap.case(case, differences(make(path)(x).tolist(), want))
            except Exception as error:  # noqa: BLE001  a runtime's own exceptions
                tap.case(case, [f"{type(error).__name__}: {error}"])


def check_int8(tap, name, data, model, folder, images, scale):
    """Within 2 % of the spread of the outputs; where codes agree, to the last digits."""
    must("test", "--quiet", "--data", data, "--model", model, "--out", model.parent, "--int8", "40")
    int8, path = model.parent / "model_int8.safetensors", WORK / "int8.onnx"
    want = np.asarray(scores(int8, folder))
    exact = np.asarray(scores(model, folder))
    must("convert", "--quiet", "--int8", "--layout", "nchw", int8, path)
    spread = float(np.ptp(want))
    for title, make in runtimes():
        try:
            got = make(path)(input_of(images, scale, "nchw", False))
            off = float(np.abs(got - want).max())
            print(f"# {title}, int8 of {name}: off by {off:.3g}, {100 * off / spread:.3g} % of the spread {spread:.3g}; "
                  f"int8 itself by {float(np.abs(want - exact).max()):.3g}")
            tap.case(f"{title}: int8 of {name}", [] if off <= 0.02 * spread else [f"off by {off}, spread {spread}"])
        except Exception as error:  # noqa: BLE001
            tap.case(f"{title}: int8 of {name}", [f"{type(error).__name__}: {error}"])
    status, _, err = call("convert", path, WORK / "no.safetensors")
    tap.case(f"int8 of {name} is not read, but refused by name",
             [] if status == 1 and "is quantised; convert the network before" in err else [status, err])


def check_tf2onnx(tap):
    """Networks of Keras as tf2onnx writes them, in its own words and here. Random ones amplify the rounding; the L2 distance
    is that of ImageNet weights alone."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf
    import tf2onnx
    keras.utils.set_random_seed(3)
    images = np.asarray(make_images(WORK / "tf", SIDE, COUNT), np.float32)
    kept = sorted(Path(os.environ.get("AN_WEIGHTS_DIR", "none")).glob("*imagenet_dequant.h5"))
    for alpha, is_rescaled, is_known, weights in ((0.35, True, True, None), (0.35, False, False, None),
                                                  *((1.0, False, False, path) for path in kept[:1])):
        size = (SIDE, SIDE, 3) if is_known else (None, None, 3)
        inputs = keras.Input((SIDE, SIDE, 3))
        base = keras.applications.MobileNetV2(input_shape=size if is_known else None, alpha=alpha, include_top=False,
                                              weights=None, pooling="avg")
        seen = images if is_rescaled else images / 127.5 - 1
        draw = np.random.default_rng(4)
        if weights:
            base.load_weights(str(weights))
        # Random weights, normalised by what they see: so the outputs differ between images far above the rounding.
        for layer in [] if weights else base.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.gamma.assign(draw.uniform(0.7, 1.1, layer.gamma.shape))
                layer.beta.assign(draw.normal(0.4, 0.4, layer.beta.shape))
                layer.momentum = 0.0
        if not weights:
            base(images / 127.5 - 1, training=True)
        x = keras.layers.Rescaling(1 / 127.5, -1)(inputs) if is_rescaled else inputs
        x = keras.layers.Dropout(0.3)(base(x))
        head = keras.layers.Dense(3 if is_rescaled else 1)
        raw = head(x)
        if is_rescaled:  # scores of mean 0 and deviation 1: a softmax is neither saturated nor constant
            found = keras.Model(inputs, raw)(seen, training=False).numpy()
            head.kernel.assign(head.kernel.numpy() / found.std(axis=0))
            head.bias.assign(-found.mean(axis=0) / found.std(axis=0))
        model = keras.Model(inputs, keras.layers.Softmax()(raw) if is_rescaled else raw)
        path, out = WORK / f"tf_{alpha}.onnx", WORK / f"tf_{alpha}.safetensors"
        call_ = tf.function(lambda x, model=model: model(x, training=False))
        tf2onnx.convert.from_function(call_, [tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32, name="image")], opset=17,
                                      output_path=str(path))
        want = model(seen, training=False).numpy()
        must("convert", "--quiet", *([] if is_rescaled else ["--scale", "tf"]), path, out)
        name = f"alpha {alpha}, {'ImageNet weights' if weights else 'random'}, {'of bytes' if is_rescaled else 'of floats'}"
        tap.case(f"tf2onnx {tf2onnx.__version__} of Keras {keras.__version__}, {name}, is read",
                 differences(scores(out, WORK / "tf"), want.tolist(), distance=2e-5 if weights else None))


def main():
    tap = Tap()
    images = make_images(WORK / "images", SIDE, COUNT)
    for alpha, scale in (("0.35", "tf"), ("1.0", "unit")):
        model = untrained(WORK, SIDE, alpha)
        settled(model, int(float(alpha) * 100), scale=scale)
        check_floats(tap, f"alpha {alpha}", model, WORK / "images", images, scale)
        classes(model, WORK / "classes.safetensors", 3)
        check_floats(tap, f"alpha {alpha}, 3 classes", WORK / "classes.safetensors", WORK / "images", images, scale)
        check_int8(tap, f"alpha {alpha}", WORK / f"faces_{SIDE}.zip", model, WORK / "images", images, scale)
    found = photographs(WORK / "photographs", 24)
    if found:
        data, model, pictures = found
        check_floats(tap, "ImageNet weights, photographs", model, WORK / "photographs", pictures, "tf")
        check_int8(tap, "ImageNet weights, photographs", data, model, WORK / "photographs", pictures, "tf")
    else:
        tap.skip("ImageNet weights, photographs", "AN_WEIGHTS_DIR or AN_DATA_DIR has none, or Pillow is missing")
    if has("tf2onnx"):
        check_tf2onnx(tap)
    tap.exit()


main()
