"""One training step in PyTorch, measured: what benchmarks/peers/requant/main.ts is compared with.

    python step.py WORK.safetensors eager|compile

Reads weights, batch and recipe from the file that benchmarks/peers/work.ts wrote; prints one line of JSON. Written as a
PyTorch user would: channels_last, activations in place, fused SGD, LSQ as one autograd function; `compile` adds
torch.compile around the forward pass and the loss, and so around their gradients.
"""
import json
import math
import platform
import statistics
import sys
import time
from collections import OrderedDict

import torch
import torch.nn as nn
import torch.nn.functional as F

LOSSES, SMALLEST_STEP_SIZE = 3, 1e-6


def read_work(path):
    """Tensors by name, and what the file says of the work."""
    with open(path, "rb") as file:
        content = file.read()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    work = json.loads(header.pop("__metadata__")["position"])
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = torch.frombuffer(bytearray(content[start + begin:start + end]), dtype=torch.float32)
        tensors[name] = values.reshape(entry["shape"])
    return tensors, work


# ---- LSQ (Esser et al. 2020, Eq. 1-5) ----------------------------------------------------------------------------------
class Lsq(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v, s, low, high, scale):
        u = v / s
        q = torch.round(torch.clamp(u, low, high))
        ctx.save_for_backward(u, q)
        ctx.bounds, ctx.scale, ctx.shape = (low, high), scale, s.shape
        return q * s

    @staticmethod
    def backward(ctx, dy):
        u, q = ctx.saved_tensors
        low, high = ctx.bounds
        dv = torch.where((u >= low) & (u <= high), dy, 0.0)
        ds = dy * q - dv * u
        # one step size in all, or one an output channel: [out, 1, ...]
        ds = ds.sum(tuple(range(1, u.dim())), keepdim=True) if len(ctx.shape) else ds.sum()
        return dv, ds * ctx.scale, None, None, None


def quantize(v, step, bits, signed):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return Lsq.apply(v, step, low, high, 1 / math.sqrt(v.numel() / step.numel() * max(high, 1)))


class Quantizable:
    """A layer whose input and weight are quantized once `spec` is set."""

    spec = None

    def operands(self, x):
        if self.spec is None:
            return x, self.weight
        step = self.weight_step.view(-1, *[1] * (self.weight.dim() - 1))
        return (quantize(x, self.input_step, self.spec["inputBits"], self.spec["inputSigned"]),
                quantize(self.weight, step, self.spec["weightBits"], True))


class Conv(Quantizable, nn.Conv2d):
    def __init__(self, i, o, k, stride=1, groups=1):
        super().__init__(i, o, k, stride, k // 2, groups=groups, bias=False)

    def forward(self, x):
        x, w = self.operands(x)
        return F.conv2d(x, w, None, self.stride, self.padding, self.dilation, self.groups)


class Dense(Quantizable, nn.Linear):
    def forward(self, x):
        x, w = self.operands(x)
        return F.linear(x, w, self.bias)


# ---- networks, named as ours ---------------------------------------------------------------------------------------------
class ConvNorm(nn.Module):
    def __init__(self, i, o, k):
        super().__init__()
        self.conv, self.norm = Conv(i, o, k), nn.BatchNorm2d(o)

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


class ResNet(nn.Module):
    def __init__(self, widths, repeats, classes):
        super().__init__()
        self.channels = widths[0]
        self.stem = ConvNorm(3, widths[0], 3)
        self.order = [stage for stage in stages(self, [(w, repeats, 2 if i else 1) for i, w in enumerate(widths)], BasicBlock)]
        self.classifier = Dense(widths[-1], classes)

    def forward(self, x):
        x = F.relu(self.stem(x), inplace=True)
        for stage in self.order:
            x = stage(x)
        return self.classifier(x.mean((2, 3)))


class MobileNetV2(nn.Module):
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
        return self.classifier(F.relu6(self.head(x), inplace=True).mean((2, 3)))


NETWORKS = {
    "resnet20": lambda classes: ResNet([16, 32, 64], 3, classes),
    "resnet18": lambda classes: ResNet([64, 128, 256, 512], 2, classes),
    "mobilenetv2": MobileNetV2,
}


# ---- weights -------------------------------------------------------------------------------------------------------------
NAMES = {
    "weight_quantizer/step_size": "weight_step",
    "input_quantizer/step_size": "input_step",
    "gamma": "weight",
    "beta": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}


def torch_name(path):
    for ours, theirs in NAMES.items():
        if path.endswith("/" + ours):
            path = path.removesuffix(ours) + theirs
    return path.replace("/", ".")


def torch_layout(path, tensor, module):
    """[k, k, in, out], depthwise [k, k, c, 1] and [in, out] to PyTorch's layouts."""
    if not path.endswith("/weight"):
        return tensor
    if tensor.dim() == 2:
        return tensor.t()
    return tensor.permute(2, 3, 0, 1) if module.groups > 1 else tensor.permute(3, 2, 0, 1)


def build(tensors, work):
    net = NETWORKS[work["model"]](work["classes"])
    for path, spec in work["layers"].items():
        layer = net.get_submodule(path.replace("/", "."))
        layer.spec = spec
        layer.weight_step = nn.Parameter(torch.empty(layer.weight.shape[0]))
        layer.input_step = nn.Parameter(torch.empty(()))
    state = {}
    for name, tensor in tensors.items():
        kind, _, path = name.partition("/")
        if kind in ("params", "state"):
            target = torch_name(path)
            state[target] = torch_layout(path, tensor, net.get_submodule(target.rpartition(".")[0]))
    expected = {name for name in net.state_dict() if not name.endswith("num_batches_tracked")}
    if set(state) != expected:
        raise SystemExit(f"the two sides' tensors differ: {sorted(set(state) ^ expected)}")
    net.load_state_dict(state, strict=False)
    return net.to(memory_format=torch.channels_last).train()


# ---- measuring -----------------------------------------------------------------------------------------------------------
def optimizer(net, work):
    """Weight decay on convolution and dense weights only."""
    recipe = work["recipe"]
    layers = [module for module in net.modules() if isinstance(module, (Conv, Dense))]
    decayed = [layer.weight for layer in layers]
    chosen = {id(weight) for weight in decayed}
    rest = [parameter for parameter in net.parameters() if id(parameter) not in chosen]
    groups = [{"params": decayed, "weight_decay": recipe["weightDecay"]}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=work["learningRate"], momentum=recipe["momentum"], fused=True)


def peak_bytes():
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))
    except OSError:
        return None


def main(path, mode):
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    tensors, work = read_work(path)
    net = build(tensors, work)
    sgd = optimizer(net, work)
    steps = [p for name, p in net.named_parameters() if name.endswith("_step")]
    images = tensors["images"].to(torch.uint8).permute(0, 3, 1, 2)  # from [n, h, w, c]: channels_last as it is
    labels = tensors["labels"].long()
    mean, std = (torch.tensor(work[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    factor, offset = 1 / (255 * std), -mean / std

    def loss_and_hits(images, labels):
        logits = net(images.float() * factor + offset)
        return F.cross_entropy(logits, labels), (logits.argmax(1) == labels).sum()

    run = torch.compile(loss_and_hits) if mode == "compile" else loss_and_hits

    def step():
        sgd.zero_grad(set_to_none=True)
        loss, hits = run(images, labels)
        loss.backward()
        sgd.step()
        with torch.no_grad():
            for size in steps:
                size.clamp_(min=SMALLEST_STEP_SIZE)
        hits.item()
        return loss.item()

    rule = work["rule"]
    losses = [step() for _ in range(rule["warmupSteps"])][:LOSSES]
    wall, cpu, began = [], [], time.perf_counter()
    while len(wall) < rule["leastSteps"] or (
            len(wall) < rule["mostSteps"] and time.perf_counter() - began < rule["seconds"]):
        wall_before, cpu_before = time.perf_counter(), time.process_time()
        step()
        cpu.append(time.process_time() - cpu_before)
        wall.append(time.perf_counter() - wall_before)
    print(json.dumps({
        "seconds": statistics.median(wall),
        "cpuSeconds": statistics.median(cpu),
        "steps": len(wall),
        "losses": losses,
        "peakBytes": peak_bytes(),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
    }))


main(*sys.argv[1:])
