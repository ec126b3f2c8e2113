"""torchvision's and timm's networks by formula, in their own names, for test/nn/torch_network_test.ts.

Made with: python make_golden_torch_networks.py (torch 2.13.0, torchvision 0.28.0, timm 1.0.31, numpy 2.4.6, Python 3.11), in this
folder. The file has each tensor's name and shape and the logits in float64; the values are `units` of the name (`value` here and in
the test).
"""
import json
import math

import numpy as np
import timm
import torch
import torchvision

from golden_network import float32, units

SIDE = 40


def value(name, shape):
    size, leaf = math.prod(shape), name.rsplit(".", 1)[1]
    unit = units(name, size)
    if len(shape) > 1:
        return float32(unit * math.sqrt(12.0) * math.sqrt(2.0 / (size // shape[0]))).reshape(shape)
    return float32(1 + 0.5 * unit if leaf in ("weight", "running_var") else 0.4 * unit)


def case(network):
    network.double().eval()
    state = network.state_dict()
    shapes = {name: list(t.shape) for name, t in state.items() if not name.endswith("num_batches_tracked")}
    network.load_state_dict({name: torch.tensor(value(name, shape)) for name, shape in shapes.items()}, strict=False)
    images = float32(math.sqrt(12.0) * units("images", SIDE * SIDE * 3)).reshape(1, SIDE, SIDE, 3)
    with torch.no_grad():
        logits = network(torch.tensor(images.transpose(0, 3, 1, 2).copy()))
    return {"shapes": shapes, "logits": [float(f"{v:.9g}") for v in logits.reshape(-1).tolist()]}


models = torchvision.models
networks = {
    "resnet18_imagenet": models.resnet18(num_classes=10),
    "resnet50_imagenet": models.resnet50(num_classes=10),
    "mobilenetv1_imagenet": timm.create_model("mobilenetv1_100", num_classes=10, act_layer="relu"),
    "mobilenetv2_imagenet": models.mobilenet_v2(num_classes=10),
}
with open("torch_networks.json", "w") as file:
    json.dump({"side": SIDE, "networks": {name: case(network) for name, network in networks.items()}}, file, separators=(",", ":"))
