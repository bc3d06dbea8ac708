# SPDX-License-Identifier: MIT
"""ONNX files are read if their nodes compute a MobileNetV2, however they do it, and refused by name otherwise. The
files are our own, rewritten node by node as other programs write them. Plain Python.

usage: onnx_read.py PROGRAM
"""
import array
import math
import struct
import sys
import tempfile
from pathlib import Path

from common import call, make_images, must, read_safetensors, scores, settled, untrained

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

SIDE = 32
FLOAT, INT64, HALF = 1, 7, 10


# --- protocol buffers: a message is a list of (field, wire type, value) ----------------------------------------------

def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def decode(data):
    fields, at = [], 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128:
                return value
    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            fields.append((tag >> 3, 0, number()))
        else:
            size = number() if tag & 7 == 2 else {1: 8, 5: 4}[tag & 7]
            fields.append((tag >> 3, tag & 7, data[at:at + size]))
            at += size
    return fields


def encode(fields):
    return b"".join(varint(field << 3 | wire) + (varint(value) if wire == 0 else
                                                  (varint(len(value)) if wire == 2 else b"") + bytes(value))
                    for field, wire, value in fields)


def text(field, value):
    return field, 2, value.encode()


def attribute(name, value):
    if isinstance(value, float):
        return encode([text(1, name), (2, 5, struct.pack("<f", value)), (20, 0, 1)])
    if isinstance(value, int):
        return encode([text(1, name), (3, 0, value), (20, 0, 2)])
    if isinstance(value, str):
        return encode([text(1, name), text(4, value), (20, 0, 3)])
    if isinstance(value, bytes):
        return encode([text(1, name), (5, 2, value), (20, 0, 4)])
    return encode([text(1, name), *((8, 0, one) for one in value), (20, 0, 7)])


def tensor(name, shape, values, kind=FLOAT, where="raw"):
    code, field, wire = {FLOAT: ("f", 4, 5), INT64: ("q", 7, 0), HALF: ("e", 5, 0)}[kind]
    start = [*((1, 0, length) for length in shape), (2, 0, kind), text(8, name)]
    raw = struct.pack(f"<{len(values)}{code}", *values)
    if where == "raw":
        return encode([*start, (9, 2, raw)])
    if where == "elsewhere":
        return encode([*start, (13, 2, encode([text(1, "location"), text(2, "weights.bin")])), (14, 0, 1)])
    if kind == HALF:
        numbers = [(5, 0, value) for value in struct.unpack(f"<{len(values)}H", raw)]
    else:
        numbers = [(field, wire, value if wire == 0 else struct.pack("<f", value)) for value in values]
    if where == "packed":
        raw = b"".join(varint(value) if wire == 0 else value for _, wire, value in numbers)
        return encode([*start, (numbers[0][0], 2, raw)])
    return encode([*start, *numbers])


class Node:
    def __init__(self, kind, inputs, output, **attributes):
        self.kind, self.inputs, self.outputs, self.name = kind, list(inputs), [output], output
        self.attributes = {name: attribute(name, value) for name, value in attributes.items()}

    @staticmethod
    def of(data):
        node = Node("", [], "")
        node.outputs = []
        for field, _, value in decode(data):
            if field == 5:
                node.attributes[decode(value)[0][2].decode()] = value
            elif field == 1:
                node.inputs.append(value.decode())
            elif field == 2:
                node.outputs.append(value.decode())
            else:
                setattr(node, {3: "name", 4: "kind"}[field], value.decode())
        return node

    def set(self, **attributes):
        self.attributes.update({name: attribute(name, value) for name, value in attributes.items()})

    def bytes(self):
        return encode([*(text(1, name) for name in self.inputs), *(text(2, name) for name in self.outputs),
                       text(3, self.name), text(4, self.kind), *((5, 2, one) for one in self.attributes.values())])


class Model:
    """A file of ours, taken apart."""

    def __init__(self, path):
        self.fields = decode(path.read_bytes())
        graph = decode(next(value for field, _, value in self.fields if field == 7))
        self.nodes = [Node.of(value) for field, _, value in graph if field == 1]
        self.constants = {}  # name: (shape, values)
        for field, _, value in graph:
            if field == 5:
                parts = decode(value)
                name = next(one for number, _, one in parts if number == 8).decode()
                self.constants[name] = ([one for number, _, one in parts if number == 1],
                                        array.array("f", next(one for number, _, one in parts if number == 9)))
        self.how = {}      # name: how its tensor is written: (kind, where)
        self.rest = [(field, wire, value) for field, wire, value in graph if field not in (1, 5)]
        self.metadata = True

    def node(self, name):
        return next(node for node in self.nodes if node.name == name)

    def after(self, name, *nodes):
        """Insert nodes that take the output of a node; its takers take the last of them."""
        at = self.nodes.index(self.node(name))
        output = self.nodes[at].outputs[0]
        for node in self.nodes:
            node.inputs = [nodes[-1].outputs[0] if one == output else one for one in node.inputs]
        self.nodes[at + 1:at + 1] = nodes

    def replace(self, name, *nodes):
        at = self.nodes.index(self.node(name))
        self.nodes[at:at + 1] = nodes

    def constant(self, name, shape, values, kind=FLOAT):
        self.constants[name] = (shape, values)
        self.how[name] = (kind, "raw")

    def write(self, path):
        constants = [(5, 2, tensor(name, shape, values, *self.how.get(name, (FLOAT, "raw"))))
                     for name, (shape, values) in self.constants.items()]
        graph = encode([*((1, 2, node.bytes()) for node in self.nodes), *constants, *self.rest])
        path.write_bytes(encode([(field, wire, graph if field == 7 else value) for field, wire, value in self.fields
                                 if self.metadata or field != 14]))


# --- rewriting: the same network as others write it ------------------------------------------------------------------

def unpacked(model):
    model.how = {name: (FLOAT, "unpacked") for name in model.constants}


def packed(model):
    model.how = {name: (FLOAT, "packed") for name in model.constants}


def constant_nodes(model):
    model.nodes[:0] = [Node("Constant", [], name, value=tensor(name, *content))
                       for name, content in model.constants.items()]
    model.constants = {}


def identities(model):
    for node in [node for node in model.nodes if node.kind in ("Conv", "Clip", "Add", "Gemm", "GlobalAveragePool")]:
        model.after(node.name, Node("Identity", node.outputs, node.name + "/same"))
    model.nodes.insert(0, Node("Identity", ["dense/kernel"], "kernel_again"))
    model.node("features").outputs[0] = "features0"
    model.after("features", Node("Dropout", ["features0"], "features"))
    gemm = next(node for node in model.nodes if node.kind == "Gemm")
    gemm.inputs[1] = "kernel_again"
    # the output keeps its name
    model.node("prediction/same").outputs[0], gemm.outputs[0] = "prediction", "made"
    model.node("prediction/same").inputs[0] = "made"


def min_max(model):
    for i, node in enumerate([node for node in model.nodes if node.kind == "Clip"]):
        x, output, middle = node.inputs[0], node.outputs[0], f"middle{i}"
        ways = [[Node("Max", [x, "zero"], middle), Node("Min", ["six", middle], output)],
                [Node("Min", [x, "six"], middle), Node("Relu", [middle], output)],
                [Node("Clip", [x], output, min=0.0, max=6.0)],
                [Node("Relu", [x], middle), Node("Clip", [middle, "", "six"], output)]]
        model.replace(node.name, *ways[i % 4])


def shifts(model):
    """No biases: sums, and products of 2 with halved kernels."""
    for i, node in enumerate([node for node in model.nodes if node.kind == "Conv"]):
        output, (shape, values) = node.outputs[0], model.constants[node.inputs[2]]
        model.constants[node.inputs[2]] = ([1, shape[0], 1, 1], values)
        bias = node.inputs.pop()
        node.outputs[0] = node.name = f"conv{i}"
        steps = [Node("Add", [bias, f"conv{i}"], output)]
        if i % 2:
            kernel = model.constants[node.inputs[1]]
            model.constants[node.inputs[1]] = (kernel[0], array.array("f", (value / 2 for value in kernel[1])))
            model.constant(f"two{i}", [shape[0], 1, 1], [2.0] * shape[0])
            steps = [Node("Mul", [f"conv{i}", f"two{i}"], f"product{i}"), Node("Add", [f"product{i}", bias], output)]
        at = model.nodes.index(node)
        model.nodes[at + 1:at + 1] = steps


def norms(model):
    """Batch norm with epsilon 0.001 in place of biases."""
    for i, node in enumerate([node for node in model.nodes if node.kind == "Conv"]):
        bias, output = node.inputs.pop(), node.outputs[0]
        shape = model.constants[bias][0]
        node.outputs[0] = node.name = f"conv{i}"
        model.constant(f"one{i}", shape, [1.0] * shape[0])
        model.constant(f"mean{i}", shape, [0.0] * shape[0])
        model.constant(f"variance{i}", shape, [0.999] * shape[0])
        at = model.nodes.index(node)
        model.nodes.insert(at + 1, Node("BatchNormalization", [f"conv{i}", f"one{i}", bias, f"mean{i}", f"variance{i}"],
                                        output, epsilon=0.001))


def automatic(model):
    for node in model.nodes:
        if node.kind == "Conv":
            node.attributes.pop("pads")
            node.set(auto_pad="SAME_UPPER")


def pad_nodes(model):
    for i, node in enumerate([node for node in model.nodes if node.kind == "Conv"]):
        pads = [value for field, _, value in decode(node.attributes["pads"]) if field == 8]
        if not any(pads):
            node.attributes.pop("pads")
            continue
        model.constant(f"pads{i}", [8], [0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]], INT64)
        pad = Node("Pad", [node.inputs[0], f"pads{i}", "zero"], f"padded{i}", mode="constant")
        node.inputs[0] = f"padded{i}"
        node.set(pads=[0, 0, 0, 0])
        model.nodes.insert(model.nodes.index(node), pad)


def other_head(model):
    pool = model.node("pool")
    pool.kind = "ReduceMean"
    pool.set(axes=[2, 3], keepdims=0)
    model.nodes.remove(model.node("features"))
    gemm = next(node for node in model.nodes if node.kind == "Gemm")
    at, output = model.nodes.index(gemm), gemm.outputs[0]
    model.nodes[at:at + 1] = [Node("MatMul", ["pool", "dense/kernel"], "product"),
                              Node("Add", ["dense/bias", "product"], output)]


def turned_head(model):
    (rows, columns), values = model.constants["dense/kernel"]
    model.constants["dense/kernel"] = ([columns, rows], array.array("f", (values[i * columns + j] for j in range(columns)
                                                                          for i in range(rows))))
    gemm = next(node for node in model.nodes if node.kind == "Gemm")
    gemm.set(transB=1, alpha=1.0, beta=1.0)
    flat = model.node("features")
    flat.kind, flat.attributes = "Reshape", {}
    model.constant("shape", [2], [-1, rows], INT64)
    flat.inputs.append("shape")


def computed_shape(model):
    flat = model.node("features")
    flat.kind, flat.attributes = "Reshape", {}
    model.constant("first", [], [0], INT64)
    model.constant("start", [1], [0], INT64)
    model.constant("rest", [1], [-1], INT64)
    flat.inputs.append("shape")
    at = model.nodes.index(flat)
    model.nodes[at:at] = [Node("Shape", ["pool"], "all"), Node("Gather", ["all", "first"], "rows", axis=0),
                          Node("Unsqueeze", ["rows", "start"], "list"), Node("Concat", ["list", "rest"], "shape", axis=0)]


def channels_last(model):
    """Transposed to channels last and back after each sum."""
    for i, node in enumerate([node for node in model.nodes if node.kind == "Add"]):
        model.after(node.name, Node("Transpose", [node.name], f"last{i}", perm=[0, 2, 3, 1]),
                    Node("Transpose", [f"last{i}"], f"first{i}", perm=[0, 3, 1, 2]))


SAME = [("elements as single numbers", unpacked), ("elements as packed numbers", packed),
        ("constants as nodes", constant_nodes), ("with Identity and Dropout", identities),
        ("ReLU6 by Min, Max, Relu and attributes", min_max), ("biases and factors as nodes", shifts),
        ("with batch norm", norms), ("auto_pad", automatic), ("Pad nodes", pad_nodes),
        ("ReduceMean, MatMul and Add", other_head), ("a transposed matrix, and Reshape", turned_head),
        ("a shape that is computed", computed_shape), ("channels last in between", channels_last)]


# --- other networks ---------------------------------------------------------------------------------------------------

def first(model, kind, at=0):
    return [node for node in model.nodes if node.kind == kind][at]


def edit(function):
    return lambda model: function(model) and None


def strides(model):
    first(model, "Conv", 3).set(strides=[2, 2])


def dilated(model):
    first(model, "Conv", 1).set(dilations=[2, 2])


def grouped(model):
    first(model, "Conv", 0).set(group=3)


def padded(model):
    first(model, "Conv", 1).set(pads=[0, 0, 1, 1])


def padded_by_ones(model):
    conv = first(model, "Conv")
    model.constant("one", [], [1.0])
    model.constant("pads", [8], [0, 0, 0, 0, 0, 0, 1, 1], INT64)
    model.nodes.insert(model.nodes.index(conv), Node("Pad", [conv.inputs[0], "pads", "one"], "padded"))
    conv.inputs[0] = "padded"


def clip_5(model):
    model.constants["six"] = ([], [5.0])


def not_clipped(model):
    clip = first(model, "Clip", 4)
    clip.kind, clip.inputs = "Identity", clip.inputs[:1]


def clipped_twice(model):
    clip = first(model, "Add")
    model.after(clip.name, Node("Clip", [clip.name, "zero", "six"], "more"))


def other_sum(model):
    adds = [node for node in model.nodes if node.kind == "Add"]
    i = next(i for i, name in enumerate(adds[1].inputs) if "project" not in name or "conv" not in name)
    adds[1].inputs[i] = "expanded_conv_project/value"


def no_sum(model):
    add = first(model, "Add")
    add.kind, add.inputs = "Identity", [name for name in add.inputs if name.endswith("/conv")]


def early(model):
    """A convolution of a value from before its activation."""
    conv = first(model, "Conv", 1)
    conv.inputs[0] = first(model, "Conv", 0).outputs[0]


def skipped(model):
    conv = first(model, "Conv", 5)
    conv.inputs[0] = first(model, "Conv", 4).inputs[0]


def unknown(model):
    clip = first(model, "Clip")
    clip.kind, clip.inputs = "HardSwish", clip.inputs[:1]


def foreign(model):
    first(model, "Clip").kind = "Fancy"


def elsewhere(model):
    model.how["block_1_expand/kernel"] = (FLOAT, "elsewhere")


def quantised(model):
    model.constant("step", [], [0.1])
    model.after(first(model, "Conv", 2).name, Node("QuantizeLinear", [first(model, "Conv", 2).outputs[0], "step"], "codes"))


def two_heads(model):
    model.nodes.append(Node("Gemm", ["features", "dense/kernel", "dense/bias"], "second"))


def activated(model):
    gemm = first(model, "Gemm")
    gemm.outputs[0] = gemm.name = "raw"
    model.nodes.append(Node("Softmax", ["raw"], "prediction", axis=1))


def max_pooled(model):
    model.node("pool").kind = "GlobalMaxPool"


def weighted(model):
    first(model, "Gemm").set(alpha=0.5)


def short(model):
    shape, values = model.constants["block_3_expand/kernel"]
    model.constants["block_3_expand/kernel"] = (shape, values[:-1])


def other_width(model):
    """A convolution with one filter more, and what follows it."""
    shape, values = model.constants["Conv_1/kernel"]
    each = len(values) // shape[0]
    model.constants["Conv_1/kernel"] = ([shape[0] + 1, *shape[1:]], values + values[:each])
    shape, values = model.constants["Conv_1/bias"]
    model.constants["Conv_1/bias"] = ([shape[0] + 1], values + values[:1])
    (rows, columns), values = model.constants["dense/kernel"]
    model.constants["dense/kernel"] = ([rows + 1, columns], values + values[:columns])


def twice(model):
    first(model, "Clip").outputs[0] = first(model, "Conv").outputs[0]


def second_input(model):
    model.rest.append((11, 2, encode([text(1, "more")])))


def no_metadata(model):
    model.metadata = False


def cut_off(model):
    model.rest = [one for one in model.rest if one[0] != 12] + [(12, 2, encode([text(1, "block_3_expand/value")]))]


def three_epsilons(model):
    norms(model)
    for i, node in enumerate(node for node in model.nodes if node.kind == "BatchNormalization"):
        node.set(epsilon=0.001 if i < 7 else 0.01)


OTHER = [("a stride", strides, "'block_1_expand/conv' (Conv) has stride 2; MobileNetV2's block_1_expand has 1"),
         ("dilations", dilated, "has dilations"), ("groups", grouped, "has group 3; MobileNetV2's Conv1 has 1"),
         ("padding", padded, "is padded by 0,1,0,1; each must be 1"),
         ("padding with ones", padded_by_ones, "(Pad) must pad all of 4 axes with zeros"),
         ("an upper limit of 5", clip_5, "clipped to 0 and 5; MobileNetV2 has 0 and 6"),
         ("a missing activation", not_clipped, "clipped to -inf and inf"),
         ("an activation after a sum", clipped_twice, "(Clip) clips a sum"),
         ("a sum with another value", other_sum, "adds"), ("a missing sum", no_sum, "nothing is added to its output"),
         ("a value before its activation", early, "as it was before another node changed it"),
         ("a convolution left out", skipped, "takes the output of"),
         ("an operator", unknown, "(HardSwish) is no operator of a MobileNetV2"),
         ("an unknown operator", foreign, "(Fancy) is no operator"),
         ("weights in another file", elsewhere, "constant 'block_1_expand/kernel' is in another file; write one file"),
         ("a quantised network", quantised, "(QuantizeLinear) is quantised; convert the network before"),
         ("a second head", two_heads, "'second' (Gemm) is a second dense layer"),
         ("Softmax of one output", activated, "follows one output; a Sigmoid would"),
         ("another pooling", max_pooled, "'pool' (GlobalMaxPool) is no operator"),
         ("a factor in the head", weighted, "has alpha 0.5; it must be 1"),
         ("a short constant", short, "'block_3_expand/kernel' has"),
         ("channels of no alpha", other_width, "does not match the channels of any MobileNetV2"),
         ("two values of one name", twice, "two values are named 'Conv1/conv'"),
         ("a second input", second_input, "has a second input 'more'"),
         ("an output too early", cut_off, "ends with 'block_3_expand/value', before the end of a MobileNetV2"),
         ("several epsilons", three_epsilons, "has epsilon 0.01; it must be 0.001"),
         ("no scale", no_metadata, "does not say how pixels are scaled")]


# --- the cases -------------------------------------------------------------------------------------------------------

def difference(path, want, work):
    """How far the weights of a file, written again, are from those wanted, relative to the largest of each."""
    must("convert", "--quiet", "--layout", "nchw", path, work / "compared.onnx")
    have = Model(work / "compared.onnx").constants
    if {name: shape for name, (shape, _) in have.items()} != {name: shape for name, (shape, _) in want.items()}:
        return math.inf
    return max(max(abs(a - b) for a, b in zip(have[name][1], values)) / (max(map(abs, values)) or 1)
               for name, (_, values) in want.items())


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="an_onnx_read_") as name:
        work = Path(name)
        make_images(work / "photos", SIDE)
        model = untrained(work, SIDE, "0.1")
        settled(model, 3, scale="tf")
        want = scores(model, work / "photos")
        out = work / "out.safetensors"
        for options in ([], ["--layout", "nchw"], ["--bytes"], ["--bytes", "--layout", "nchw"]):
            onnx, again = work / "model.onnx", work / "again.onnx"
            must("convert", "--quiet", *options, model, onnx)
            must("convert", "--quiet", onnx, out)
            must("convert", "--quiet", *options, out, again)
            have, metadata = scores(out, work / "photos"), read_safetensors(out)[0]
            problems = [] if Model(onnx).constants == Model(again).constants else ["other weights the second time"]
            problems += [f"{key}: {metadata.get(key)}" for key, value in
                         (("scale", "tf"), ("size", str(SIDE)), ("alpha", "0.1"), ("task", "regression"))
                         if metadata.get(key) != value]
            problems += [f"{a} instead of {b}" for a, b in zip(have, want) if abs(a[0] - b[0]) > 2e-5 * (1 + abs(b[0]))]
            tap.case(f"ours, read and written again, is the same: {' '.join(options) or 'no options'}", problems)
        must("convert", "--quiet", "--layout", "nchw", model, onnx)
        want = Model(onnx).constants
        changed = work / "changed.onnx"
        for name, rewrite in SAME:
            made = Model(onnx)
            rewrite(made)
            made.write(changed)
            status, _, err = call("convert", "--quiet", changed, out)
            off = 0 if status else difference(out, want, work)
            tap.case(f"the same network is read: {name}", [err] if status else [f"off by {off}"] if off > 1e-7 else [])
        made = Model(onnx)
        made.how = {name: (HALF, where) for name, where in zip(made.constants, ["raw", "packed", "unpacked"] * 99)}
        made.write(changed)
        status, _, err = call("convert", "--quiet", changed, out)
        off = 0 if status else difference(out, want, work)
        tap.case("half precision is read", [err] if status else [] if 1e-6 < off < 1e-3 else [f"off by {off}"])
        for name, rewrite, text_ in OTHER:
            made = Model(onnx)
            rewrite(made)
            made.write(changed)
            out.unlink(missing_ok=True)
            status, _, err = call("convert", "--quiet", changed, out)
            tap.case(f"refused by name: {name}", [] if status == 1 and text_ in err and not out.exists() else
                     [f"exit status {status}: {err}"])
        data = onnx.read_bytes()
        problems = []
        for size in [*range(0, 200, 7), *range(200, len(data), len(data) // 40)]:
            changed.write_bytes(data[:size])
            status, _, err = call("convert", "--quiet", changed, out)
            if status != 1 or not err.startswith("error: "):
                problems.append(f"{size} bytes: exit status {status} {err}")
        tap.case("a file that is cut off is an error", problems)
    tap.exit()


main()
