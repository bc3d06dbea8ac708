#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure int8 inference of the peers: the models of peers.py, quantised by the peers' own tools with images of noise.

usage: int8.py convert | infer [--batch 1,32] [--threads 1,2] [--seconds N] [--peer REGEX]

convert needs, beside what the harness' setup makes: nncf in the environment of OpenVINO. One JSON
line a case, with the harness' fields: img_per_s is batch / the fastest pass."""
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time

HOME = os.environ.get("PEERS_HOME") or os.path.join(tempfile.gettempdir(), "peers")
SIZE, IMAGES = 350, 4
PEERS = {"onnxruntime int8": "ort", "openvino int8": "ov", "openvino int8, of onnxruntime's file": "ov",
         "litert int8": "litert"}


def model(name):
    return os.path.join(HOME, "models", name)


def noise(batch, channels_first):
    import numpy as np
    shape = (batch, 3, SIZE, SIZE) if channels_first else (batch, SIZE, SIZE, 3)
    for i in range(IMAGES if batch == 1 else 1):
        yield np.random.default_rng(i).random(shape, np.float32)


def convert_ort():
    site = os.path.join("lib", "python%d.%d" % sys.version_info[:2], "site-packages")
    sys.path += [os.path.join(HOME, "extra"), os.path.join(HOME, "v", "torch", site)]
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self, batch):
            self.images = ({"x": x} for x in noise(batch, True))

        def get_next(self):
            return next(self.images, None)

    for batch in (1, 32):
        prepared = model("mnv2_b%d_prepared.onnx" % batch)
        quant_pre_process(model("mnv2_b%d.onnx" % batch), prepared, skip_symbolic_shape=True)
        quantize_static(prepared, model("mnv2_b%d_int8.onnx" % batch), Reader(batch), quant_format=QuantFormat.QDQ,
                        per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)


def convert_ov():
    import nncf
    import openvino as ov
    for batch in (1, 32):
        float_model = ov.Core().read_model(model("mnv2_b%d.onnx" % batch))
        images = nncf.Dataset(list(noise(batch, True)))
        quantised = nncf.quantize(float_model, images, subset_size=IMAGES if batch == 1 else 1)
        ov.save_model(quantised, model("mnv2_b%d_int8_ov.xml" % batch))


def convert_tf():
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    net = keras.models.load_model(model("mnv2.keras"))
    for batch in (1, 32):
        spec = tf.TensorSpec((batch, SIZE, SIZE, 3), tf.float32)
        function = tf.function(lambda x: net(x, training=False)).get_concrete_function(spec)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(function)])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([x] for x in noise(batch, False))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        with open(model("mnv2_b%d_int8.tflite" % batch), "wb") as file:
            file.write(converter.convert())


def runner(peer, batch, threads):
    """A function that predicts once, and the peer's version."""
    if peer == "onnxruntime int8":
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = ort.InferenceSession(model("mnv2_b%d_int8.onnx" % batch), options,
                                       providers=["CPUExecutionProvider"])
        x = next(noise(batch, True))
        return lambda: session.run(None, {"x": x}), ort.__version__
    if peer == "litert int8":
        import importlib.metadata
        from ai_edge_litert.interpreter import Interpreter
        interpreter = Interpreter(model_path=model("mnv2_b%d_int8.tflite" % batch), num_threads=threads)
        interpreter.allocate_tensors()
        place = interpreter.get_input_details()[0]["index"]
        x = next(noise(batch, False))

        def run():
            interpreter.set_tensor(place, x)
            interpreter.invoke()
        return run, importlib.metadata.version("ai-edge-litert")
    import openvino as ov
    name = "mnv2_b%d_int8_ov.xml" if peer == "openvino int8" else "mnv2_b%d_int8.onnx"
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    request = ov.Core().compile_model(model(name % batch), "CPU", settings).create_infer_request()
    x = next(noise(batch, True))
    request.set_input_tensor(ov.Tensor(x, shared_memory=True))
    return lambda kept=x: request.infer(), ov.__version__


def case(peer, batch, threads, seconds):
    run, version = runner(peer, batch, threads)
    for _ in range(3):
        run()
    passes, begun = [], time.perf_counter()
    while len(passes) < 3 or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        run()
        passes.append(time.perf_counter() - start)
    passes.sort()
    best, median = passes[0], passes[len(passes) // 2]
    print(json.dumps({
        "peer": peer, "version": version, "task": "infer", "batch": batch, "size": SIZE, "threads": threads,
        "precision": "int8", "img_per_s": round(batch / best, 2), "img_per_s_median": round(batch / median, 2),
        "ms_per_batch_min": round(1e3 * best, 2), "ms_median": round(1e3 * median, 2), "runs": len(passes),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}), flush=True)


def in_environment(name, *arguments):
    python = os.path.join(HOME, "v", name, "bin", "python")
    return subprocess.run([python, os.path.abspath(__file__), *arguments], check=False,
                          env=dict(os.environ, PEERS_HOME=HOME, TF_CPP_MIN_LOG_LEVEL="2")).returncode


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in ("convert", "infer", "_convert", "_case"):
        print(__doc__)
        return 0 if sys.argv[1:2] == ["--help"] else 2
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "_convert":
        globals()["convert_" + arguments[0]]()
        return 0
    if command == "_case":
        case(arguments[0], int(arguments[1]), int(arguments[2]), float(arguments[3]))
        return 0
    if command == "convert":
        return max(in_environment(name, "_convert", name) for name in ("ort", "ov", "tf"))
    options = {"--batch": "1,32", "--threads": "1,2", "--seconds": "4", "--peer": "."}
    options.update(zip(arguments[::2], arguments[1::2]))
    failed = 0
    for batch in options["--batch"].split(","):
        for threads in options["--threads"].split(","):
            for peer, environment in PEERS.items():
                if re.search(options["--peer"], peer):
                    failed |= in_environment(environment, "_case", peer, batch, threads, options["--seconds"])
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(main())
