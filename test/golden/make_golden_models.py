"""Golden values of every model from PyTorch float64, for test/nn/golden_models_test.ts.

Made with: python make_golden_models.py (torch 2.13.0, numpy 2.4.6, Python 3.11), in this folder. Written independently of the
TypeScript, after the papers and kuangliu/pytorch-cifar.

Weights and images are no data: both sides compute them by one formula from a path and an index (`units`, `test/support/
formula.ts`). What the formula cannot give is chosen here and written to the file: a shift of beta for each norm before a relu,
and a step size for each quantized input. Both are taken from candidates, one layer after the other, so that no value lies near a
rounding edge, a bound or a relu's kink, where float32 might fall on the other side.
"""
import json
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

from golden_network import Network, float32, hashes, units

BATCH, LABELS = 4, [3, 7, 1, 0]


# ---- the networks ----------------------------------------------------------------------------------------------------------
def basic_block(net, path, x, channels, stride):
    y = net.norm(f"{path}/norm1", net.conv(f"{path}/conv1", x, channels, 3, stride), F.relu)
    y = net.conv(f"{path}/conv2", y, channels, 3)
    return closed(net, path, x, y, "norm2", stride)


def bottleneck(net, path, x, channels, stride):
    y = net.norm(f"{path}/norm1", net.conv(f"{path}/conv1", x, channels), F.relu)
    y = net.norm(f"{path}/norm2", net.conv(f"{path}/conv2", y, channels, 3, stride), F.relu)
    y = net.conv(f"{path}/conv3", y, 4 * channels)
    return closed(net, path, x, y, "norm3", stride)


def closed(net, path, x, y, last, stride):
    skip = x
    if stride > 1 or x.shape[1] != y.shape[1]:
        skip = net.norm(f"{path}/shortcut_norm", net.conv(f"{path}/shortcut", x, y.shape[1], 1, stride))
    return net.norm(f"{path}/{last}", y, F.relu, skip)


def resnet(block, repeats, widths, imagenet=False):
    def forward(net, x):
        kernel, stride = (7, 2) if imagenet else (3, 1)
        x = net.norm("stem/norm", net.conv("stem/conv", x, widths[0], kernel, stride, signed=True), F.relu)
        if imagenet:
            x = net.pool(x)
        for stage, (count, width) in enumerate(zip(repeats, widths)):
            for j in range(count):
                x = block(net, f"stage{stage + 1}/block{j}", x, width, 2 if stage and j == 0 else 1)
        return net.dense("classifier", x.mean((2, 3)))

    return forward


def mobilenet_v1(stem_stride):
    def forward(net, x):
        x = net.norm("stem/norm", net.conv("stem/conv", x, 32, 3, stem_stride, signed=True), F.relu)
        plan = [64, (128, 2), 128, (256, 2), 256, (512, 2), 512, 512, 512, 512, 512, (1024, 2), 1024]
        for j, entry in enumerate(plan):
            o, stride = entry if isinstance(entry, tuple) else (entry, 1)
            x = net.norm(f"block{j}/depthwise_norm", net.conv(f"block{j}/depthwise", x, x.shape[1], 3, stride, True), F.relu)
            x = net.norm(f"block{j}/pointwise_norm", net.conv(f"block{j}/pointwise", x, o), F.relu)
        return net.dense("classifier", x.mean((2, 3)))

    return forward


def divisible(value):
    """torchvision's _make_divisible by 8."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


def mobilenet_v2(width, early_stride=1):
    plan = [(1, 16, 1, 1), (6, 24, 2, early_stride), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]

    def forward(net, x):
        x = net.norm("stem/norm", net.conv("stem/conv", x, divisible(32 * width), 3, early_stride, signed=True), F.relu6)
        for stage, (t, c, n, s) in enumerate(plan):
            o = divisible(c * width)
            for j in range(n):
                path, stride, y = f"stage{stage + 1}/block{j}", s if j == 0 else 1, x
                if t > 1:
                    y = net.norm(f"{path}/expand_norm", net.conv(f"{path}/expand", y, t * x.shape[1], signed=True), F.relu6)
                y = net.norm(f"{path}/depthwise_norm", net.conv(f"{path}/depthwise", y, y.shape[1], 3, stride, True), F.relu6)
                y = net.norm(f"{path}/project_norm", net.conv(f"{path}/project", y, o))
                x = x + y if stride == 1 and x.shape[1] == o else y
        x = net.norm("head/norm", net.conv("head/conv", x, 1280, signed=True), F.relu6)
        return net.dense("classifier", x.mean((2, 3)))

    return forward


# the side of the images in full precision and quantized: batch norm over a few values of dead channels would blow float32's
# errors up, where the quantized networks round them away at every layer; at 9 x 9 no window's largest two values tie before max
# pooling, as sums of integers do at other sides
NETWORKS = {
    "resnet8": (resnet(basic_block, [1] * 3, [16, 32, 64]), 16, 8),
    "resnet20": (resnet(basic_block, [3] * 3, [16, 32, 64]), 16, 8),
    "resnet18": (resnet(basic_block, [2] * 4, [64, 128, 256, 512]), 16, 8),
    "resnet50": (resnet(bottleneck, [3, 4, 6, 3], [64, 128, 256, 512]), 16, 8),
    "mobilenetv1": (mobilenet_v1(1), 32, 8),
    "mobilenetv2": (mobilenet_v2(1.0), 32, 8),
    "mobilenetv2_narrow": (mobilenet_v2(0.35), 32, 8),
    "resnet18_imagenet": (resnet(basic_block, [2] * 4, [64, 128, 256, 512], True), 64, 9),
    "resnet50_imagenet": (resnet(bottleneck, [3, 4, 6, 3], [64, 128, 256, 512], True), 64, 9),
    "mobilenetv1_imagenet": (mobilenet_v1(2), 64, 16),
    "mobilenetv2_imagenet": (mobilenet_v2(1.0, 2), 64, 16),
}


# ---- the file --------------------------------------------------------------------------------------------------------------
def ours(name, tensor, depthwise):
    """A flat array in the order of our layouts."""
    value = tensor.detach().numpy()
    if name.endswith("/weight"):
        value = value.T if value.ndim == 2 else value.transpose(2, 3, 0, 1) if depthwise else value.transpose(2, 3, 1, 0)
    return np.ascontiguousarray(value).reshape(-1)


def short(value):
    return float(f"{value:.9g}")


def summary(path, flat):
    """Norm, product with pseudo-random values, and three entries."""
    places = hashes(f"{path}/entries", 3) % np.uint32(flat.size)
    probe = units(f"{path}/probe", flat.size)
    return [short(v) for v in [np.linalg.norm(flat), flat @ probe, *flat[places]]]


def case(forward, side, quantized):
    net, labels = Network(quantized), torch.tensor(LABELS)
    images = float32(math.sqrt(12.0) * units("images", BATCH * side * side * 3)).reshape(BATCH, side, side, 3)
    x = torch.tensor(images.transpose(0, 3, 1, 2).copy())
    net.outputs = {}
    logits = forward(net, x)
    outputs = {path: y.permute(0, 2, 3, 1) if y.dim() == 4 else y for path, y in net.outputs.items()}
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    net.training = False
    with torch.no_grad():
        inference = forward(net, x)
    return {
        "side": side,
        "margins": net.margins,
        "shifts": {path: short(s) for path, s in net.shifts.items() if s},
        "steps": {path: float(f"{s:.9g}") for path, s in net.steps.items()},
        "inferenceSteps": {path: float(f"{s:.9g}") for path, s in net.inference_steps.items()},
        "loss": short(loss.item()),
        "logits": [short(v) for v in logits.detach().reshape(-1).tolist()],
        "inferenceLogits": [short(v) for v in inference.reshape(-1).tolist()],
        "outputs": {path: summary(path, y.detach().numpy().reshape(-1))[:2] for path, y in outputs.items()},
        "stepScales": {path: short(v) for path, v in net.step_scales.items()},
        "gradients": {
            path: summary(path, ours(path, p.grad, path in net.depthwise)) for path, p in net.params.items()
        },
    }


def main():
    for name, (forward, side, lsq_side) in NETWORKS.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        out = {"torch": torch.__version__, "batch": BATCH, "labels": LABELS}
        for kind in ("fp", "lsq"):
            out[kind] = case(forward, lsq_side if kind == "lsq" else side, kind == "lsq")
            print(name, kind, f"loss {out[kind]['loss']:.6f}, margins", out[kind]["margins"], flush=True)
        with open(f"model_{name}.json", "w") as file:
            json.dump(out, file, separators=(",", ":"))


main()
