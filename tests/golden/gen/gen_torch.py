# SPDX-License-Identifier: MIT
"""Networks of torchvision and timm, as their users save them, and what PyTorch computes from them in double.

usage: gen_torch.py OUT     (torch, torchvision, timm, safetensors, numpy)

OUT/torchvision.safetensors   a state dict, float32, with num_batches_tracked
OUT/timm.safetensors          a state dict, float16
OUT/torch.safetensors         of each: images, features, outputs; of torchvision's also the loss of a step and its
                              gradients with frozen and with training batch norm, and the moving statistics after it:
                              in this library's layouts, by the number of the array in the network
"""
import sys
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
from safetensors.torch import save_file
from timm.models.efficientnet import _gen_mobilenet_v2

ALPHA, OUTPUTS = 0.1, 3
SIZES = {"even": (64, 48), "odd": (33, 46)}
MOST = 900  # values of an array whose gradient is kept


def perturb(net, seed, half):
    """Weights of which no layer is dead, and statistics that fit them."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.7, 1.1, generator=draw)
                module.bias.normal_(0.4, 0.4, generator=draw)
                module.momentum = None  # the mean over all batches
        net.train()
        for part in net.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        for _ in range(4):
            net(torch.empty(8, 3, 64, 64).uniform_(-2, 2, generator=draw))
        if half:
            for value in net.state_dict().values():
                if value.is_floating_point():
                    value.copy_(value.half().float())
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.1
    return net.eval()


def numbers(tensor):
    return tensor.detach().to(torch.float32).contiguous()


def keras_layout(tensor):
    if tensor.dim() == 4:
        return numbers(tensor.permute(2, 3, 0, 1) if tensor.shape[1] == 1 else tensor.permute(2, 3, 1, 0))
    return numbers(tensor.t() if tensor.dim() == 2 else tensor)


def compute(net, features_of, name, out, with_steps):
    net = net.double().eval()
    for kind, (height, width) in SIZES.items():
        draw = torch.Generator().manual_seed(height)
        x = torch.empty(4, 3, height, width).uniform_(-2, 2, generator=draw)
        # each image has a mean of its own, so that outputs differ
        x += torch.tensor([-1.0, -0.3, 0.3, 1.0]).reshape(4, 1, 1, 1)
        y = torch.empty(4, OUTPUTS).uniform_(-1, 1, generator=draw)
        out[f"{name}/{kind}/x"] = x.permute(0, 2, 3, 1).contiguous()
        out[f"{name}/{kind}/features"] = numbers(features_of(net, x.double()))
        out[f"{name}/{kind}/outputs"] = numbers(net(x.double()))
        if not with_steps:
            continue
        out[f"{name}/{kind}/y"] = y
        before = {key: value.clone() for key, value in net.state_dict().items()}
        number = {key: i for i, key in enumerate(key for key in before if "tracked" not in key)}
        for mode in ("finetune", "train"):
            net.train(mode == "train")
            net.zero_grad()
            loss = torch.nn.functional.mse_loss(net(x.double()), y.double())
            loss.backward()
            out[f"{name}/{kind}/{mode}/loss"] = loss.detach().reshape(1)
            for key, value in net.named_parameters():
                if value.numel() <= MOST and kind == "even":
                    out[f"{name}/{kind}/{mode}/gradient/{number[key]}"] = keras_layout(value.grad)
            for key, value in net.state_dict().items():
                if mode == "train" and kind == "even" and "running" in key and value.numel() <= 100:
                    out[f"{name}/{kind}/{mode}/after/{number[key]}"] = numbers(value)
        net.load_state_dict(before)
        net.eval()


def main():
    torch.manual_seed(7)
    folder, out = Path(sys.argv[1]), {}
    folder.mkdir(parents=True, exist_ok=True)
    net = perturb(torchvision.models.mobilenet_v2(width_mult=ALPHA, num_classes=OUTPUTS), 1, False)
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, folder / "torchvision.safetensors",
              metadata={"format": "pt"})
    compute(net, lambda n, x: n.features(x).mean((2, 3)), "torchvision", out, True)
    net = perturb(_gen_mobilenet_v2("mobilenetv2_100", ALPHA, num_classes=OUTPUTS), 2, True)
    save_file({k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()},
              folder / "timm.safetensors", metadata={"format": "pt"})
    compute(net, lambda n, x: n.forward_head(n.forward_features(x), pre_logits=True), "timm", out, False)
    save_file(out, folder / "torch.safetensors", metadata={
        "versions": f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}, "
                    f"numpy {np.__version__}"})


main()
