# SPDX-License-Identifier: MIT
"""Networks of torchvision and timm as PyTorch's exporters write them, read here.

usage: onnx_torch.py PROGRAM WORK
"""
import sys
import warnings
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
from common import call, differences, make_images, must, scores
from tap import Tap

SIDE, COUNT = 96, 6
WORK = Path(sys.argv[2])
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def perturb(model, seed):
    draw = torch.Generator().manual_seed(seed)
    for name, value in model.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(0, 0.2, generator=draw)
        elif name.endswith("running_var"):
            value.uniform_(0.6, 1.4, generator=draw)
        elif value.dim() == 4:
            value.normal_(0, 1.25 / np.sqrt(value[0].numel()), generator=draw)
        elif value.dim() == 2:
            value.normal_(0, 0.05, generator=draw)
        elif value.dim() == 1 and name.endswith("weight"):
            value.uniform_(0.7, 1.1, generator=draw)
        elif value.dim() == 1:
            value.normal_(0.4, 0.4, generator=draw)
    return model.eval()


def main():
    warnings.simplefilter("ignore")
    tap = Tap()
    images = np.asarray(make_images(WORK / "images", SIDE, COUNT), np.float32).transpose(0, 3, 1, 2) / 255
    x = ((torch.tensor(images) - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]).contiguous()
    networks = {"torchvision, alpha 1": torchvision.models.mobilenet_v2(num_classes=5),
                "torchvision, alpha 0.35": torchvision.models.mobilenet_v2(width_mult=0.35, num_classes=1),
                "timm, alpha 1": timm.create_model("mobilenetv2_100", num_classes=2),
                "timm, alpha 0.5": timm.create_model("mobilenetv2_050", num_classes=1)}
    batch = torch.export.Dim("n")
    ways = {"the old exporter": dict(dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}}),
            "the old exporter, batch norm kept": dict(dynamo=False, training=torch.onnx.TrainingMode.PRESERVE,
                                                      do_constant_folding=False),
            "the new exporter": dict(dynamo=True, external_data=False, dynamic_shapes=({0: batch},), verbose=False)}
    for seed, (name, network) in enumerate(networks.items()):
        perturb(network, seed)
        with torch.no_grad():
            want = network(x).tolist()
        for way, options in ways.items():
            path, out = WORK / "model.onnx", WORK / "model.safetensors"
            torch.onnx.export(network, (x,), str(path), **options)
            must("convert", "--quiet", "--scale", "torch", path, out)
            tap.case(f"PyTorch {torch.__version__.split('+')[0]}, {way}: {name}",
                     differences(scores(out, WORK / "images"), want))
    path = WORK / "outside.onnx"
    torch.onnx.export(networks["torchvision, alpha 0.35"], (x,), str(path), dynamo=True, external_data=True, verbose=False)
    status, _, err = call("convert", "--quiet", "--scale", "torch", path, WORK / "no.safetensors")
    tap.case("weights in a second file are refused with what to do",
             [] if status == 1 and "external_data=False" in err else [status, err])
    tap.exit()


main()
