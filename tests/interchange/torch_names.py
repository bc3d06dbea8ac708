# SPDX-License-Identifier: MIT
"""State dicts of torchvision and timm, there and back: features of several widths and sizes with random and perturbed
weights, the loss and the gradients of a step with frozen and with training batch norm.

usage: torch_names.py PROGRAM WORK     (torch, torchvision, timm, safetensors, numpy)
"""
import ctypes
import sys
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
from safetensors.torch import load_file, save_file

from common import PROGRAM, call, must

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

WORK = Path(sys.argv[2])
LIB = ctypes.CDLL(str(PROGRAM.parent.parent / "lib" / "libattractivenet.so"))
FINETUNE, TRAIN = 3, 2
TIMM = {0.5: "mobilenetv2_050", 1.0: "mobilenetv2_100", 1.4: "mobilenetv2_140"}
# Of a gradient, relative. Where values in float and in double are e apart, a share of about e of them (their density at
# 0 and at 6 is below 1/2 each) lies on different sides of a bend of ReLU6; without that share of independent terms, a
# gradient is off by sqrt(e). e is 2.5e-5 with frozen batch norm, 4e-4 where it has the statistics of few pixels.
STEP_LIMITS = {FINETUNE: 5e-3, TRAIN: 2e-2}


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int32), ("message", ctypes.c_char * 252)]


def ok(status, error):
    if status:
        raise SystemExit(error.message.decode())


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


class Model:
    """A model of the library, from its own file."""

    def __init__(self, path):
        self.error, self.backend, self.model = Error(), ctypes.c_void_p(), ctypes.c_void_p()
        ok(LIB.an_backend_create(ctypes.byref(self.backend), None, ctypes.byref(self.error)), self.error)
        ok(LIB.an_model_load(ctypes.byref(self.model), self.backend, str(path).encode(), None,
                             ctypes.byref(self.error)), self.error)

    def features(self, x, count):
        x = np.ascontiguousarray(x, np.float32)
        out = np.empty((len(x), count), np.float32)
        ok(LIB.an_model_compute_features(self.model, pointer(x), ctypes.c_int64(len(x)), pointer(out),
                                         ctypes.byref(self.error)), self.error)
        return out

    def step(self, base, x, y):
        """The loss, and the gradients by number of the trained array."""
        loss, arrays, gradients = ctypes.c_double(), ctypes.c_void_p(), []
        x, y = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(y, np.float32)
        ok(LIB.an_model_set_base(self.model, base, ctypes.byref(self.error)), self.error)
        ok(LIB.an_model_compute_gradients(self.model, pointer(x), pointer(y), ctypes.c_int64(len(x)), None,
                                          ctypes.byref(loss), ctypes.byref(self.error)), self.error)
        ok(LIB.an_model_copy_gradients(ctypes.byref(arrays), self.model, ctypes.byref(self.error)), self.error)
        LIB.an_arrays_count.restype = LIB.an_arrays_length.restype = ctypes.c_int64
        LIB.an_arrays_data.restype = ctypes.POINTER(ctypes.c_float)
        LIB.an_arrays_name.restype = ctypes.c_char_p
        for i in range(LIB.an_arrays_count(arrays)):
            at = ctypes.c_int64(i)
            shape = [LIB.an_arrays_length(arrays, at, axis) for axis in range(LIB.an_arrays_rank(arrays, at))]
            values = np.ctypeslib.as_array(LIB.an_arrays_data(arrays, at), (int(np.prod(shape)),)).reshape(shape)
            gradients.append((LIB.an_arrays_name(arrays, at).decode(), values.copy()))
        LIB.an_arrays_destroy(arrays)
        return loss.value, gradients

    def close(self):
        LIB.an_model_destroy(self.model)
        LIB.an_backend_destroy(self.backend)


def make(tool, width):
    if tool == "timm":
        return timm.create_model(TIMM[width], num_classes=1, drop_rate=0.0)
    return torchvision.models.mobilenet_v2(width_mult=width, num_classes=1, dropout=0.0)


def features_of(tool, net, x):
    if tool == "timm":
        return net.forward_head(net.forward_features(x), pre_logits=True)
    return net.features(x).mean((2, 3))


def settle(net, seed, perturbed):
    """Statistics that fit the weights, so that outputs have a usual size."""
    draw = torch.Generator().manual_seed(seed)
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = None
            if perturbed:
                norm.weight.uniform_(0.7, 1.1, generator=draw)
                norm.bias.normal_(0.4, 0.4, generator=draw)
        net.train()
        for _ in range(2):
            net(torch.empty(4, 3, 96, 96).uniform_(-2, 2, generator=draw))
    for norm in norms:
        norm.momentum = 0.1
    return net.eval()


def keras_layout(tensor):
    if tensor.dim() == 4:
        return tensor.permute(2, 3, 0, 1) if tensor.shape[1] == 1 else tensor.permute(2, 3, 1, 0)
    return tensor.t() if tensor.dim() == 2 else tensor


def images(size, count=2):
    draw = torch.Generator().manual_seed(size)
    x = torch.empty(count, 3, size, size).uniform_(-1.5, 1.5, generator=draw)
    return x + torch.linspace(-1, 1, count).reshape(-1, 1, 1, 1)


def last_rows(x):
    return x.permute(0, 2, 3, 1).numpy()


def check_features(tap, tool, width, perturbed, sizes):
    kind = "perturbed" if perturbed else "random"
    net = settle(make(tool, width), int(100 * width), perturbed)
    theirs, back = WORK / "theirs.safetensors", WORK / "back.safetensors"
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, theirs, metadata={"format": "pt"})
    for size in sizes:
        ours = WORK / "ours.safetensors"
        must("convert", "--scale", "torch", "--size", size, "--quiet", theirs, ours)
        with torch.inference_mode():
            want = features_of(tool, net, images(size)).numpy()
        model = Model(ours)
        got = model.features(last_rows(images(size)), want.shape[1])
        model.close()
        off = np.abs(got - want) - 1e-4 * np.abs(want)
        problems = [] if off.max() <= 1e-4 else [f"off by {off.max()} more than the relative limit"]
        if np.abs(want[0] - want[1]).max() < 1e-2:
            problems.append("the features of the images hardly differ")
        tap.case(f"{tool}, width {width}, {kind} weights, {size} pixels: features", problems)
    must("convert", "--names", tool, "--quiet", ours, back)
    again = load_file(back)
    problems = [name for name, value in net.state_dict().items()
                if "tracked" not in name and not torch.equal(value, again[name])]
    make(tool, width).load_state_dict(again, strict=True)
    tap.case(f"{tool}, width {width}, {kind} weights: back with the same bits, loaded strictly", problems)


def check_step(tap, tool, width, size):
    """Against PyTorch in double, so that only our roundings count."""
    net = settle(make(tool, width), 5, True)
    theirs, ours = WORK / "theirs.safetensors", WORK / "ours.safetensors"
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, theirs, metadata={"format": "pt"})
    must("convert", "--scale", "torch", "--size", size, "--quiet", theirs, ours)
    net, x = net.double(), images(size, 4)
    y = torch.tensor([[0.5], [-1.0], [2.0], [0.0]])
    for base, name in ((FINETUNE, "frozen"), (TRAIN, "training")):
        net.train(base == TRAIN)
        net.zero_grad()
        loss = torch.nn.functional.mse_loss(net(x.double()), y.double())
        loss.backward()
        model = Model(ours)
        got, gradients = model.step(base, last_rows(x), y.numpy())
        model.close()
        want = loss.item()
        problems = [] if abs(got - want) <= 1e-4 * want else [f"loss {got} instead of {want}"]
        truths = [keras_layout(p.grad).numpy() for p in net.parameters()]
        worst = 0.0
        if len(truths) != len(gradients):
            problems.append(f"{len(gradients)} gradients instead of {len(truths)}")
        for (array, values), truth in zip(gradients, truths):
            if base == TRAIN and "project_BN" in array and array.endswith("/beta"):
                continue  # zero, but for rounding: the next batch norm takes the offset away
            off = np.linalg.norm(values - truth) / np.linalg.norm(truth)
            worst = max(worst, off)
            if not off <= STEP_LIMITS[base]:
                problems.append(f"gradient of {array}: {off:.2g}")
        print(f"# {tool}, width {width}: {name} batch norm: gradients within {worst:.2g}")
        tap.case(f"{tool}, width {width}, {size} pixels: a step with {name} batch norm", problems[:5])


def check_refusals(tap):
    net = make("torchvision", 1.0)
    torch.save(net.state_dict(), WORK / "net.pth")
    torch.save(net.state_dict(), WORK / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("net.pth", "old.pth"):
        status, _, err = call("convert", "--size", 96, WORK / name, WORK / "x.onnx")
        tap.case(f"{name}: refused as a pickle", [] if status and "is a pickle" in err else [err])
    deep = timm.create_model("mobilenetv2_110d").state_dict()
    save_file({k: v.contiguous() for k, v in deep.items()}, WORK / "deep.safetensors")
    status, _, err = call("convert", "--size", 96, WORK / "deep.safetensors", WORK / "x.onnx")
    tap.case("timm's mobilenetv2_110d: refused by a name", [] if status and "'blocks.1.2." in err else [err])


def main():
    tap = Tap()
    torch.manual_seed(3)
    torch.set_num_threads(1)
    for tool in ("torchvision", "timm"):
        for width in (0.5, 1.0, 1.4):
            for perturbed in (False, True):
                check_features(tap, tool, width, perturbed, (96, 193, 350) if width == 1.0 else (96, 161))
        check_step(tap, tool, 1.0, 96)
    check_step(tap, "torchvision", 0.5, 65)
    check_refusals(tap)
    tap.exit()


main()
