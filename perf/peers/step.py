"""One training step in PyTorch, measured: what perf/peers/requant/main.ts is compared with.

    python step.py WORK.safetensors eager|compile|autocast|brevitas cpu|cuda|imitated

Reads weights, batch and recipe from the file that perf/peers/work.ts wrote; prints one line of JSON. Written as a
PyTorch user would: channels_last, fused SGD, and what networks.py and methods.py have; `compile` adds torch.compile
around the forward passes and the loss, and so around their gradients; `autocast` does so in bfloat16, on a GPU in mode
max-autotune, which has CUDA graphs; `brevitas` takes the layers of brevitas_layers.py. `imitated` computes on the CPU
with the options of a GPU.
"""
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time

import torch
import torch.nn as nn

from methods import OBJECTIVES
from networks import NETWORKS

LOSSES, SMALLEST_STEP_SIZE = 3, 1e-6


def read_work(path, device):
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
        tensors[name] = values.reshape(entry["shape"]).to(device)
    return tensors, work


# ---- weights -------------------------------------------------------------------------------------------------------------
NAMES = {
    "weight_quantizer/step_size": "weight_step",
    "input_quantizer/step_size": "input_step",
    "weight_quantizer/zero_point": "weight_zero",
    "input_quantizer/zero_point": "input_zero",
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


def build(tensors, work, quantized=True):
    """The network; without its quantizers it is the full-precision teacher."""
    net = NETWORKS[work["model"]](work["classes"])
    for path, spec in work["layers"].items() if quantized else ():
        layer = net.get_submodule(path.replace("/", "."))
        layer.spec = spec
        layer.weight_step = nn.Parameter(torch.empty(layer.weight.shape[0]))
        layer.input_step = nn.Parameter(torch.empty(()))
        if spec["asymmetric"]:
            layer.register_buffer("weight_zero", torch.empty(layer.weight.shape[0]))
            layer.register_buffer("input_zero", torch.empty(()))
    state = {}
    for name, tensor in tensors.items():
        kind, _, path = name.partition("/")
        if kind in ("params", "state") and (quantized or "_quantizer/" not in path):
            target = torch_name(path)
            state[target] = torch_layout(path, tensor, net.get_submodule(target.rpartition(".")[0]))
    expected = {name for name in net.state_dict() if not name.endswith("num_batches_tracked")}
    if set(state) != expected:
        raise SystemExit(f"the two sides' tensors differ: {sorted(set(state) ^ expected)}")
    net.load_state_dict(state, strict=False)
    return net.to(memory_format=torch.channels_last).train(quantized)


# ---- measuring -----------------------------------------------------------------------------------------------------------
def optimizer(net, work):
    """Weight decay on convolution and dense weights only."""
    recipe = work["recipe"]
    decayed = [module.weight for module in net.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    chosen = {id(weight) for weight in decayed}
    rest = [parameter for parameter in net.parameters() if id(parameter) not in chosen]
    groups = [{"params": decayed, "weight_decay": recipe["weightDecay"]}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=work["learningRate"], momentum=recipe["momentum"], fused=True)


def peak_bytes(device):
    if device != "cpu":
        return None  # perf/peers/measure.ts reads it, for all sides alike
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))
    except OSError:
        return None


def main(path, mode, place):
    device, on_gpu = "cuda" if place == "cuda" else "cpu", place != "cpu"
    tf32 = os.environ.get("NVIDIA_TF32_OVERRIDE") == "1"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = tf32, True
    torch.set_default_device(device)
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    tensors, work = read_work(path, device)
    net, versions = build(tensors, work), {"torch": torch.__version__, "python": platform.python_version()}
    if mode == "brevitas":
        import brevitas_layers  # here, as the other sides do not need it
        net = brevitas_layers.convert(net, SMALLEST_STEP_SIZE).to(memory_format=torch.channels_last)
        versions["brevitas"] = importlib.metadata.version("brevitas")
    sgd = optimizer(net, work)
    steps = [p for name, p in net.named_parameters() if name.endswith("_step")]
    reflected = any(spec["asymmetric"] for spec in work["layers"].values())
    mean, std = (torch.tensor(work[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    factor, offset = 1 / (255 * std), -mean / std
    # from [n, h, w, c]: channels_last as it is
    views = [tensors[name].to(torch.uint8).permute(0, 3, 1, 2) for name in sorted(tensors) if name.startswith("images/")]
    labels = tensors["labels"].long()
    make_teacher = lambda: build(tensors, work, quantized=False).requires_grad_(False)
    normalised = lambda view: view.float() * factor + offset
    graphs = mode == "autocast" and on_gpu
    compiler = None if mode not in ("compile", "autocast") else {"dynamic": False, "mode": "max-autotune" if graphs else None}
    objective = OBJECTIVES[work["method"]](net, work, make_teacher, lambda: normalised(views[0]), compiler)

    def loss_and_hits(views, labels):
        with torch.autocast(device, torch.bfloat16, enabled=mode == "autocast"):
            loss, logits = objective.loss([normalised(view) for view in views], labels)
        return loss, (logits.argmax(1) == labels).sum()

    run = torch.compile(loss_and_hits, **compiler) if compiler else loss_and_hits

    def step(timed=True):
        if graphs:
            torch.compiler.cudagraph_mark_step_begin()
        objective.before(timed)
        sgd.zero_grad(set_to_none=True)
        loss, hits = run(views, labels)
        loss.backward()
        sgd.step()
        with torch.no_grad():
            for size in steps:
                (size.abs_() if reflected else size).clamp_(min=SMALLEST_STEP_SIZE)
            objective.after()
        hits.item()
        return loss.item()

    rule = work["rule"]
    losses = [step(timed=False) for _ in range(rule["warmupSteps"])][:LOSSES]
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
        "peakBytes": peak_bytes(device),
        "versions": versions,
    }))


main(*sys.argv[1:])
