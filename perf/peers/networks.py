"""The networks of step.py with LSQ in them, written as a PyTorch user would: activations in place, LSQ as one autograd function."""
import math
from collections import OrderedDict

import torch
import torch.nn as nn
import torch.nn.functional as F


# ---- LSQ (Esser et al. 2020, Eq. 1-5), with FPQ's zero point (arXiv:2503.11159, Eq. 3-4) --------------------------------
class Lsq(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v, s, zero, low, high, scale):
        u = v / s
        q = torch.round(torch.clamp(u if zero is None else u + zero, low, high))
        q = q if zero is None else q - zero
        ctx.save_for_backward(u, q)
        ctx.bounds = (low, high) if zero is None else (low - zero, high - zero)
        ctx.scale, ctx.shape = scale, s.shape
        return q * s

    @staticmethod
    def backward(ctx, dy):
        u, q = ctx.saved_tensors
        low, high = ctx.bounds
        dv = torch.where((u >= low) & (u <= high), dy, 0.0)
        ds = dy * q - dv * u
        # one step size in all, or one an output channel: [out, 1, ...]
        ds = ds.sum(tuple(range(1, u.dim())), keepdim=True) if len(ctx.shape) else ds.sum()
        return dv, ds * ctx.scale, None, None, None, None


def quantize(v, step, zero, bounds):
    low, high = bounds
    return Lsq.apply(v, step, zero, low, high, 1 / math.sqrt(v.numel() / step.numel() * max(high, 1)))


def bounds(bits, signed):
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


class Quantizable:
    """
    A layer whose input and weight are quantized once `spec` is set. `noise`, once set, is added to the quantized input in
    units of its step size; with `kept` a convolution leaves its last `output` there.
    """

    spec, noise, kept, output = None, None, False, None

    def operands(self, x):
        if self.spec is None:
            return x, self.weight
        bits, signed, asymmetric = (self.spec[name] for name in ("inputBits", "inputSigned", "asymmetric"))
        step = self.weight_step.view(-1, *[1] * (self.weight.dim() - 1))
        # behind a relu the zero point is 0
        x = quantize(x, self.input_step, self.input_zero if asymmetric and signed else None, bounds(bits, signed and not asymmetric))
        weight = quantize(self.weight, step, self.weight_zero.view(step.shape) if asymmetric else None,
                          bounds(self.spec["weightBits"], not asymmetric))
        return (x if self.noise is None else x + self.noise * self.input_step), weight


class Conv(Quantizable, nn.Conv2d):
    def __init__(self, i, o, k, stride=1, groups=1):
        super().__init__(i, o, k, stride, k // 2, groups=groups, bias=False)

    def forward(self, x):
        x, w = self.operands(x)
        y = F.conv2d(x, w, None, self.stride, self.padding, self.dilation, self.groups)
        if self.kept:
            self.output = y
        return y


class Dense(Quantizable, nn.Linear):
    def forward(self, x):
        x, w = self.operands(x)
        return F.linear(x, w, self.bias)


# ---- networks, named as ours ---------------------------------------------------------------------------------------------
class ConvNorm(nn.Module):
    def __init__(self, i, o, k, stride=1):
        super().__init__()
        self.conv, self.norm = Conv(i, o, k, stride), nn.BatchNorm2d(o)

    def forward(self, x):
        return self.norm(self.conv(x))


class BasicBlock(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1, self.norm1 = Conv(i, o, 3, stride), nn.BatchNorm2d(o)
        self.conv2, self.norm2 = Conv(o, o, 3), nn.BatchNorm2d(o)
        self.projected = stride > 1 or i != o
        if self.projected:
            self.shortcut, self.shortcut_norm = Conv(i, o, 1, stride), nn.BatchNorm2d(o)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        return F.relu(y + (self.shortcut_norm(self.shortcut(x)) if self.projected else x), inplace=True)


class InvertedResidual(nn.Module):
    def __init__(self, i, o, stride, expansion):
        super().__init__()
        hidden = i * expansion
        self.expanded, self.residual = expansion > 1, stride == 1 and i == o
        if self.expanded:
            self.expand, self.expand_norm = Conv(i, hidden, 1), nn.BatchNorm2d(hidden)
        self.depthwise, self.depthwise_norm = Conv(hidden, hidden, 3, stride, hidden), nn.BatchNorm2d(hidden)
        self.project, self.project_norm = Conv(hidden, o, 1), nn.BatchNorm2d(o)

    def forward(self, x):
        y = F.relu6(self.expand_norm(self.expand(x)), inplace=True) if self.expanded else x
        y = F.relu6(self.depthwise_norm(self.depthwise(y)), inplace=True)
        y = self.project_norm(self.project(y))
        return x + y if self.residual else y


def stages(net, plan, block):
    """Adds `stage1` ...: plan has (channels, repeats, first stride, further arguments) of each."""
    for index, (channels, repeats, stride, *rest) in enumerate(plan):
        blocks = OrderedDict()
        for j in range(repeats):
            blocks[f"block{j}"] = block(net.channels, channels, stride if j == 0 else 1, *rest)
            net.channels = channels
        setattr(net, f"stage{index + 1}", nn.Sequential(blocks))
    return [getattr(net, f"stage{index + 1}") for index in range(len(plan))]


class Classifying(nn.Module):
    """A network whose pooled features can be had after a pass."""

    features = None

    def classify(self, features):
        self.features = features
        return self.classifier(features)


class ResNet(Classifying):
    def __init__(self, widths, repeats, classes, imagenet=False):
        super().__init__()
        self.channels, self.imagenet = widths[0], imagenet
        self.stem = ConvNorm(3, widths[0], 7, 2) if imagenet else ConvNorm(3, widths[0], 3)
        self.order = [stage for stage in stages(self, [(w, repeats, 2 if i else 1) for i, w in enumerate(widths)], BasicBlock)]
        self.classifier = Dense(widths[-1], classes)

    def forward(self, x):
        x = F.relu(self.stem(x), inplace=True)
        if self.imagenet:
            x = F.max_pool2d(x, 3, 2, 1)
        for stage in self.order:
            x = stage(x)
        return self.classify(x.mean((2, 3)))


class MobileNetV2(Classifying):
    PLAN = [(16, 1, 1, 1), (24, 2, 1, 6), (32, 3, 2, 6), (64, 4, 2, 6), (96, 3, 1, 6), (160, 3, 2, 6), (320, 1, 1, 6)]

    def __init__(self, classes):
        super().__init__()
        self.channels = 32
        self.stem = ConvNorm(3, 32, 3)
        self.order = stages(self, self.PLAN, InvertedResidual)
        self.head = ConvNorm(320, 1280, 1)
        self.classifier = Dense(1280, classes)

    def forward(self, x):
        x = F.relu6(self.stem(x), inplace=True)
        for stage in self.order:
            x = stage(x)
        return self.classify(F.relu6(self.head(x), inplace=True).mean((2, 3)))


NETWORKS = {
    "resnet20": lambda classes: ResNet([16, 32, 64], 3, classes),
    "resnet18": lambda classes: ResNet([64, 128, 256, 512], 2, classes),
    "resnet18_imagenet": lambda classes: ResNet([64, 128, 256, 512], 2, classes, imagenet=True),
    "mobilenetv2": MobileNetV2,
}
