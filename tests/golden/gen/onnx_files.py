# SPDX-License-Identifier: MIT
"""ONNX files of other tools for tests/golden/onnx.c, and what ONNX Runtime predicts with them.

usage: onnx_files.py PROGRAM FOLDER

PROGRAM: attractivenet, for the file of our own. Needs torch, torchvision, timm, onnx, onnxscript, tensorflow, keras,
tf2onnx, onnxruntime, safetensors. The weights are random, but no layer is dead. Batch norm's statistics are not those of
the data, so that reading them wrongly shows.
"""
import os
import subprocess
import sys
import warnings
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
warnings.simplefilter("ignore")
import keras  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf2onnx  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

SIDE, COUNT = 64, 2


def draw_for(name, shape, draw):
    if name.endswith(("running_mean", "moving_mean")):
        return draw.normal(0, 0.2, shape)
    if name.endswith(("running_var", "moving_variance")):
        return draw.uniform(0.6, 1.4, shape)
    if len(shape) == 4:
        depthwise = shape[1] == 1 or "depthwise" in name
        fan = 9 if depthwise else np.prod(shape[1:] if "weight" in name else shape[:-1])
        return draw.normal(0, 1.25 / np.sqrt(fan), shape)
    if len(shape) == 2:
        return draw.normal(0, 0.005 if "dense" in name else 0.05, shape)
    return draw.uniform(0.7, 1.1, shape) if name.endswith(("weight", "gamma")) else draw.normal(0.4, 0.4, shape)


def torch_model(alpha, seed):
    model, draw = torchvision.models.mobilenet_v2(width_mult=alpha, num_classes=2), np.random.default_rng(seed)
    for name, value in model.state_dict().items():
        if value.dim():
            value.copy_(torch.tensor(draw_for(name, tuple(value.shape), draw), dtype=torch.float32))
    return model.eval()


def keras_model(alpha, seed):
    draw = np.random.default_rng(seed)
    base = keras.applications.MobileNetV2(input_shape=(SIDE, SIDE, 3), alpha=alpha, include_top=False, weights=None,
                                          pooling="avg")
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Rescaling(1 / 127.5, -1), base,
                              keras.layers.Dropout(0.2), keras.layers.Dense(3, activation="softmax")])
    for layer in [*base.layers, *model.layers[2:]]:
        for weight in layer.weights if layer is not base else []:
            weight.assign(draw_for(f"{layer.name}/{weight.name}", tuple(weight.shape), draw))
    return model


def strip(path):
    """Without the notes of the exporter, which name files of the machine."""
    model = onnx.load(path)
    for part in [model, model.graph, *model.graph.node, *model.graph.initializer, *model.graph.value_info,
                 *model.graph.input, *model.graph.output]:
        del part.metadata_props[:]
    onnx.save(model, path)


def main():
    program, folder = sys.argv[1], Path(sys.argv[2])
    draw = np.random.default_rng(1)
    image = draw.integers(0, 256, (COUNT, SIDE, SIDE, 3), np.uint8)
    image[1] //= 3
    x = torch.rand(COUNT, 3, SIDE, SIDE)
    torch.onnx.export(torch_model(0.05, 1), (x,), str(folder / "torch_old.onnx"), dynamo=False, input_names=["x"],
                      dynamic_axes={"x": {0: "n", 2: "h", 3: "w"}})
    torch.onnx.export(torch_model(0.1, 2), (x,), str(folder / "torch_norm.onnx"), dynamo=False,
                      do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE)
    torch.onnx.export(torch_model(0.05, 3), (x,), str(folder / "torch_new.onnx"), dynamo=True, external_data=False,
                      dynamic_shapes=({0: torch.export.Dim("n")},), verbose=False)
    strip(folder / "torch_new.onnx")
    model = keras_model(0.1, 4)
    tf2onnx.convert.from_function(tf.function(lambda x: model(x, training=False)),
                                  [tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32, name="image")], opset=17,
                                  output_path=str(folder / "tf2onnx.onnx"))
    subprocess.run([program, "convert", "--quiet", "--bytes", "--scale", "torch", "--size", str(SIDE),
                    str(folder / "torch_new.onnx"), str(folder / "ours.onnx")], check=True)
    mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    scaled = ((image / np.float32(255) - mean) / deviation).transpose(0, 3, 1, 2).astype(np.float32)
    arrays = {"image": image}
    for path in sorted(folder.glob("*.onnx")):
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        inputs = {"tf2onnx": image.astype(np.float32), "ours": image}.get(path.stem, scaled)
        arrays[path.stem] = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(inputs)})[0]
        print(path.name, path.stat().st_size, arrays[path.stem].tolist())
    save_file(arrays, str(folder / "expected.safetensors"))


main()
