# SPDX-License-Identifier: MIT
"""ONNX files as another reader sees them: decoded and computed here, without the library, in plain Python.

usage: plain.py PROGRAM
"""
import array
import math
import sys
import tempfile
from pathlib import Path

from common import call, make_images, must, read_safetensors, scores, settled, untrained

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

SIDE, COUNT = 32, 3
LIMIT = 2e-5  # float's rounding through 52 layers; the program prints 6 decimals


# --- protocol buffers ------------------------------------------------------------------------------------------------

def fields(data):
    """Pairs of field number and value."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value - (1 << 64) if value >> 63 else value
    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        elif tag & 7 == 2:
            size = varint()
            if at + size > len(data):
                raise SystemExit("a field ends after its message")
            yield tag >> 3, data[at:at + size]
            at += size
        else:
            raise SystemExit(f"wire type {tag & 7}")


def all_of(data, field):
    return [value for number, value in fields(data) if number == field]


def read_onnx(path):
    model = dict(fields(path.read_bytes()))
    graph = model[7]
    constants, nodes = {}, []
    for tensor in all_of(graph, 5):
        one = dict(fields(tensor))
        code, width = {1: ("f", 4), 2: ("B", 1), 3: ("b", 1), 6: ("i", 4)}[one[2]]
        shape, values = all_of(tensor, 1), array.array(code, one.get(9, b""))
        if len(values) != math.prod(shape) or values.itemsize != width:
            raise SystemExit(f"{one[8]}: {len(values)} values of shape {shape}")
        constants[one[8].decode()] = (shape, values)
    for node in all_of(graph, 1):
        attributes = {}
        for attribute in all_of(node, 5):
            one = dict(fields(attribute))
            attributes[one[1].decode()] = all_of(attribute, 8) if one[20] == 7 else one[3]
        nodes.append(([name.decode() for name in all_of(node, 1)], all_of(node, 2)[0].decode(),
                      all_of(node, 4)[0].decode(), attributes))
    ends = {}
    for field in (11, 12):
        name, kind = (value for _, value in fields(all_of(graph, field)[0]))
        tensor = dict(fields(dict(fields(kind))[1]))
        ends[name.decode()] = (tensor[1], [dict(fields(one)).get(1, "N") for one in all_of(tensor[2], 1)])
    metadata = {key.decode(): value.decode() for key, value in (dict(fields(entry)).values() for entry in
                                                                all_of(path.read_bytes(), 14))}
    return {"ir": model[1], "opset": dict(fields(model[8]))[2], "nodes": nodes, "constants": constants, "ends": ends,
            "metadata": metadata}


# --- the operators, one image at a time; a tensor is a list of channels of rows ---------------------------------------

def conv(x, kernel, bias, a):
    (cout, cin, side, _), w = kernel
    group, (top, left, bottom, right) = a["group"], a["pads"]
    blank = [0.0] * (len(x[0][0]) + left + right)
    padded = [[blank] * top + [[0.0] * left + row + [0.0] * right for row in plane] + [blank] * bottom for plane in x]
    stride = a["strides"][0]
    height, width = (len(padded[0]) - side) // stride + 1, (len(blank) - side) // stride + 1
    out = []
    for j in range(cout):
        plane = [[bias[j]] * width for _ in range(height)]
        for i in range(cin):
            source = padded[i if group == 1 else j]
            for ky in range(side):
                for kx in range(side):
                    factor = w[((j * cin + i) * side + ky) * side + kx]
                    for y in range(height):
                        row = source[y * stride + ky][kx:kx + stride * (width - 1) + 1:stride]
                        plane[y] = [have + factor * value for have, value in zip(plane[y], row)]
        out.append(plane)
    return out


def each(x, f):
    return [[[f(value) for value in row] for row in plane] for plane in x]


def dequantise(constants, names, axis):
    (shape, codes), (_, steps) = constants[names[0]], constants[names[1]]
    zeros = constants[names[2]][1] if len(names) > 2 else [0] * len(steps)
    per = len(codes) // len(steps)
    if axis != 0 or any(zeros):
        raise SystemExit("weights are not quantised by output channel, around 0")
    return shape, [code * steps[i // per] for i, code in enumerate(codes)]


def compute(model, image):
    """The prediction for one image, [channel][row][column]."""
    constants, have = dict(model["constants"]), {"image": image}

    def value(name):
        return constants[name][1][0]
    for inputs, output, kind, a in model["nodes"]:
        x = have.get(inputs[0])
        if kind == "Conv":
            y = conv(x, constants[inputs[1]], constants[inputs[2]][1], a)
        elif kind == "Clip":
            low, high = value(inputs[1]), value(inputs[2])
            y = each(x, lambda v: min(max(v, low), high))
        elif kind in ("Add", "Sub", "Mul") and inputs[1] in constants:
            other = value(inputs[1])
            y = each(x, {"Add": lambda v: v + other, "Sub": lambda v: v - other, "Mul": lambda v: v * other}[kind])
        elif kind == "Add":
            y = [[[p + q for p, q in zip(r, s)] for r, s in zip(m, n)] for m, n in zip(x, have[inputs[1]])]
        elif kind == "QuantizeLinear":
            step, zero = value(inputs[1]), value(inputs[2])
            y = each(x, lambda v: min(max(round(v / step) + zero, 0), 255))
        elif kind == "DequantizeLinear" and x is None:
            constants[output] = dequantise(constants, inputs, a["axis"])
            continue
        elif kind == "DequantizeLinear":
            step, zero = value(inputs[1]), value(inputs[2])
            y = each(x, lambda v: (v - zero) * step)
        elif kind == "Transpose":
            if a["perm"] != [0, 3, 1, 2]:
                raise SystemExit(f"perm is {a['perm']}")
            y = [[[pixel[c] for pixel in row] for row in x] for c in range(3)]
        elif kind in ("Identity", "Cast", "Flatten"):
            y = x
        elif kind == "GlobalAveragePool":
            y = [sum(map(sum, plane)) / (len(plane) * len(plane[0])) for plane in x]
        elif kind == "Gemm":
            (rows, columns), w = constants[inputs[1]]
            y = [sum(x[i] * w[i * columns + j] for i in range(rows)) + constants[inputs[2]][1][j] for j in range(columns)]
        elif kind == "Softmax":
            powers = [math.exp(v - max(x)) for v in x]
            y = [power / sum(powers) for power in powers]
        else:
            raise SystemExit(f"operator {kind}")
        have[output] = y
    return have["prediction"]


# --- the cases -------------------------------------------------------------------------------------------------------

def planes_of(image, layout):
    return image if layout == "nhwc" else [[[pixel[c] for pixel in row] for row in image] for c in range(3)]


def scaled(image, scale):
    return [[[value / 127.5 - 1 if scale == "tf" else value / 255 for value in pixel] for pixel in row] for row in image]


def compare(path, want, images, layout, scale, is_bytes, limit):
    model = read_onnx(path)
    element, shape = model["ends"]["image"]
    wanted = ["N", SIDE, SIDE, 3] if layout == "nhwc" else ["N", 3, SIDE, SIDE]
    problems = [] if (element, shape) == (2 if is_bytes else 1, wanted) else [f"image: {element} {shape}"]
    if (model["ir"], model["opset"]) != (8, 17):
        problems.append(f"IR {model['ir']}, opset {model['opset']}")
    for image, right in zip(images, want):
        got = compute(model, planes_of(image if is_bytes else scaled(image, scale), layout))
        if len(got) != len(right) or any(not abs(g - r) <= limit * (1 + abs(r)) for g, r in zip(got, right)):
            problems.append(f"computed {got}, the library {right}")
    return problems, model


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="an_onnx_") as name:
        work = Path(name)
        photos = work / "photos"
        images = make_images(photos, SIDE, COUNT)
        model = untrained(work, SIDE, "0.1")
        for scale, layout, options in (("unit", "nhwc", []), ("tf", "nchw", ["--layout", "nchw"]),
                                       ("tf", "nhwc", ["--bytes"]), ("unit", "nchw", ["--bytes", "--layout", "nchw"])):
            settled(model, scale, scale=scale)
            want, file = scores(model, photos), work / "model.onnx"
            must("convert", "--quiet", *options, model, file)
            problems, read = compare(file, want, images, layout, scale, "--bytes" in options, LIMIT)
            if max(want)[0] - min(want)[0] < 100 * LIMIT:
                problems.append(f"the network's outputs hardly differ: {want}")
            tap.case(f"ONNX computes the same: {scale}, {layout}{', of bytes' if '--bytes' in options else ''}", problems)
        wanted = {"size": str(SIDE), "scale": "unit", "task": "regression", "alpha": "0.1", "input": "bytes 0 to 255, RGB"}
        tap.case("its metadata says what the input must be",
                 [f"{key}: {read['metadata'].get(key)}" for key in wanted if read["metadata"].get(key) != wanted[key]])
        settled(model, "unit", scale="unit")
        must("test", "--quiet", "--data", work / f"faces_{SIDE}.zip", "--model", model, "--out", model.parent, "--int8", "12")
        int8 = model.parent / "model_int8.safetensors"
        exact, want = scores(model, photos), scores(int8, photos)
        must("convert", "--quiet", "--int8", int8, work / "int8.onnx")
        problems, read = compare(work / "int8.onnx", want, images, "nhwc", "unit", False, 1)
        error = max(abs(a[0] - b[0]) for a, b in zip(exact, want))
        got = [compute(read, planes_of(scaled(image, "unit"), "nhwc"))[0] for image in images]
        # The same codes: no sum is near the middle between two.
        off = max(abs(a - b[0]) for a, b in zip(got, want))
        tap.case("int8 ONNX computes our codes",
                 problems or ([] if off <= LIMIT * 2 and off < error / 10 else [f"off by {off}, int8 by {error}"]))
        status, _, err = call("convert", "--int8", model, work / "no.onnx")
        tap.case("int8 of a model without calibration is an error, and writes nothing",
                 ([] if status == 1 and "not calibrated" in err else [status, err]) +
                 (["a file is there"] if (work / "no.onnx").exists() else []))
        status, _, err = call("convert", "--quiet", model, work / "COPY.SAFETENSORS")
        same = not status and read_safetensors(work / "COPY.SAFETENSORS")[1] == read_safetensors(model)[1]
        tap.case("our own format is written under any case of its ending", [] if same else [status, err])
        for arguments, text in (([model, work / "m.tflite"], ".tflite' does not end in a known format"),
                                (["--bytes", model, work / "m.safetensors"], "files of other tools"), ([model], "needs two files")):
            status, _, err = call("convert", *arguments)
            tap.case(f"convert says what is wrong: {text}", [] if status in (1, 2) and text in err else [status, err])
    tap.exit()


main()
