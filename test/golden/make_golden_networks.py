"""Golden training steps from PyTorch float64 for test/quant: a ResNet-8 on quantizers other than LSQ.

Made with: python make_golden_networks.py (torch 2.13.0, numpy 2.4.6, Python 3.11), in this folder. The quantizers are those of
make_golden_quantizers.py, autograd does the rest. Weights are 16-bit integers over 4096, so that the file stays small; of a
large gradient every n-th value is kept, and its norm. Weights and activations keep clear of rounding edges, and the same step
in float32 agrees with float64: else a test would compare roundings, not formulas.
"""
import json
import math

import numpy as np
import torch
import torch.nn.functional as F

from make_golden_quantizers import EDGES, activation, weight

torch.set_num_threads(1)
GRID = 4096
MOST_VALUES = 256
CLEAR = 2e-3  # of a step

LAYERS, NORMS = [("stem/conv", 3, 3, 16, 1)], [("stem/norm", 16)]
channels = 16
for index, width in enumerate([16, 32, 64]):
    path, stride = f"stage{index + 1}/block0", 2 if index else 1
    LAYERS += [(f"{path}/conv1", 3, channels, width, stride), (f"{path}/conv2", 3, width, width, 1)]
    NORMS += [(f"{path}/norm1", width), (f"{path}/norm2", width)]
    if stride > 1:
        LAYERS.append((f"{path}/shortcut", 1, channels, width, stride))
        NORMS.append((f"{path}/shortcut_norm", width))
    channels = width
LAYERS.append(("classifier", 0, 64, 10, 1))
STRIDES = {path: stride for path, _, _, _, stride in LAYERS}


def bits_of(path, bits):
    return 8 if path in ("stem/conv", "classifier") else bits


def own(p, path, kind):
    prefix = f"{path}/{kind}_quantizer/"
    return {name[len(prefix):]: value for name, value in p.items() if name.startswith(prefix)}


def network(name, p, x, bits, outputs, inputs):
    """x: [n, 3, h, w]; weights [k, k, in, out] or [in, out]. Batch norm by batch statistics. `inputs` takes x and x̂ of a layer."""
    def layer(path, x):
        b = bits_of(path, bits)
        q = activation(name, x, own(p, path, "input"), b, path == "stem/conv")
        inputs[path] = (x.detach(), q)
        if q.requires_grad:
            q.retain_grad()
        w = weight(name, p[f"{path}/weight"], own(p, path, "weight"), b)
        y = q @ w + p["classifier/bias"] if path == "classifier" else F.conv2d(
            q, w.permute(3, 2, 0, 1), None, STRIDES[path], w.shape[0] // 2)
        outputs[path] = y
        return y

    def norm(path, x):
        return F.batch_norm(x, None, None, p[f"{path}/gamma"], p[f"{path}/beta"], True, 0.1, 1e-5)

    h = F.relu(norm("stem/norm", layer("stem/conv", x)))
    for index in range(3):
        path = f"stage{index + 1}/block0"
        t = F.relu(norm(f"{path}/norm1", layer(f"{path}/conv1", h)))
        t = norm(f"{path}/norm2", layer(f"{path}/conv2", t))
        skip = norm(f"{path}/shortcut_norm", layer(f"{path}/shortcut", h)) if index else h
        h = F.relu(t + skip)
    return layer("classifier", h.mean((2, 3)))


def in_steps(name, w, p, bits):
    """The weight in units of its step, from the lowest integer on."""
    if name == "pact":
        t = np.tanh(w)
        return (t / (2 * np.abs(t).max()) + 0.5) * (2**bits - 1)
    return w / p["step_size"] + p["zero_point"]


def clear_weight(name, rng, w, p, bits):
    """Moves weights of the grid until none is near a rounding edge or a bound."""
    while True:
        u, high = in_steps(name, w / GRID, p, bits), 2**bits - 1
        near = np.abs(u - 0.5 - np.round(u - 0.5)) < CLEAR
        if name != "pact":
            near |= (np.abs(u) < CLEAR) | (np.abs(u - high) < CLEAR)
        if not near.any():
            return w
        w = np.where(near, w + rng.integers(-9, 10, w.shape), w)


def parameters(name, rng, bits):
    """Float32 numbers as float64 (weights: integers of the grid), and the fixed ones among them."""
    p, fixed = {}, set()
    for path, k, i, o, _ in LAYERS:
        b, fan, high = bits_of(path, bits), i * max(k, 1) ** 2, 2 ** bits_of(path, bits) - 1
        deviation, shape = math.sqrt(2 / fan), (k, k, i, o) if k else (i, o)
        mine, signed = {}, path == "stem/conv"
        if name == "lsq_asymmetric":
            mine = {"step_size": rng.uniform(3, 5, o) * deviation / high, "zero_point": np.round(high * rng.uniform(0.35, 0.65, o))}
            step = rng.uniform(3, 5) / high
            p[f"{path}/input_quantizer/step_size"] = np.array(step)
            p[f"{path}/input_quantizer/zero_point"] = np.array(np.round(high / 2) if signed else 0.0)
            fixed |= {f"{path}/input_quantizer/zero_point", f"{path}/weight_quantizer/zero_point"}
        else:
            p[f"{path}/input_quantizer/clipping_level"] = np.array(rng.uniform(0.2, 0.4) if path == "classifier" else rng.uniform(1, 2))
        mine = {n: v.astype(np.float32).astype(np.float64) for n, v in mine.items()}
        p |= {f"{path}/weight_quantizer/{n}": v for n, v in mine.items()}
        w = np.round(rng.normal(size=shape) * deviation * GRID)
        p[f"{path}/weight"] = clear_weight(name, rng, w, mine, b)
        if not k:
            p[f"{path}/bias"] = rng.normal(size=o) * 0.1
    for path, c in NORMS:
        p |= {f"{path}/gamma": 1 + 0.3 * rng.normal(size=c), f"{path}/beta": 0.2 * rng.normal(size=c)}
    return {n: v.astype(np.float32).astype(np.float64) for n, v in p.items()}, fixed


def step(name, p, fixed, x, bits, dtype):
    leaves = {n: torch.tensor(v / GRID if n.endswith("/weight") else v, dtype=dtype, requires_grad=n not in fixed) for n, v in p.items()}
    outputs, inputs = {}, {}
    loss = F.cross_entropy(network(name, leaves, torch.tensor(x, dtype=dtype), bits, outputs, inputs), torch.tensor([3, 7]))
    loss.backward()
    gradients = {n: v.grad.double().numpy() for n, v in leaves.items() if v.grad is not None}
    outputs = {n: y.detach().double().numpy() for n, y in outputs.items()}
    return loss.item(), gradients, outputs, min(held(own(leaves, n, "input"), *pair) for n, pair in inputs.items())


def held(p, x, q):
    """|sum| / sum of absolute values of an input parameter's gradient: what of it does not cancel."""
    if "clipping_level" in p:
        terms = q.grad * torch.sign(x) * (x.abs() >= p["clipping_level"])
    else:
        u, integers = x / p["step_size"], q / p["step_size"]
        terms = q.grad * torch.where((integers - u).abs() <= 0.5, integers - u, integers)
    total = terms.abs().sum().item()
    return abs(terms.sum().item()) / total if total > 0 else 0


def distance(a, b):
    return np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-30)


def excerpt(array):
    """Every n-th value, and the norm of all."""
    flat = array.reshape(-1)
    every = -(-flat.size // MOST_VALUES)
    return {"shape": list(array.shape), "every": every, "norm": float(f"{np.linalg.norm(flat):.9g}"),
            "values": [float(f"{v:.8g}") for v in flat[::every]]}


def small_net(name, bits, tries=20000):
    for seed in range(tries):
        rng = np.random.default_rng(seed)
        p, fixed = parameters(name, rng, bits)
        x = rng.normal(size=(2, 3, 8, 8)).astype(np.float32)
        EDGES.clear()
        loss, gradients, outputs, kept = step(name, p, fixed, x, bits, torch.float64)
        edge = min(EDGES)
        if edge < 1e-4 or kept < 0.01:
            continue
        _, single, near, _ = step(name, p, fixed, x, bits, torch.float32)
        if max(distance(near[n], outputs[n]) for n in outputs) < 3e-6 and max(distance(single[n], gradients[n]) for n in gradients) < 3e-5:
            break
    else:
        raise SystemExit(f"no seed of {name} keeps clear of the rounding edges and of cancellation")
    weights = [n for n in p if n.endswith("/weight")]
    tensors = {n: {"shape": list(v.shape), "values": [float(f"{x:.9g}") for x in v.reshape(-1)]} for n, v in p.items() if n not in weights}
    images = x.transpose(0, 2, 3, 1)
    np.concatenate([p[n].reshape(-1) for n in weights]).astype("<i2").tofile(f"resnet8_{name}.bin")
    with open(f"resnet8_{name}.json", "w") as file:
        json.dump({
            "torch": torch.__version__, "seed": seed, "quantizer": name, "bits": bits, "labels": [3, 7], "loss": loss, "nearestEdge": edge,
            "grid": GRID, "weights": [{"path": n, "shape": list(p[n].shape)} for n in weights], "tensors": tensors, "fixed": sorted(fixed),
            "images": {"shape": list(images.shape), "values": [float(f"{v:.9g}") for v in images.reshape(-1)]},
            "gradients": {n: excerpt(v) for n, v in gradients.items()},
            "outputs": {n: excerpt(v.transpose(0, 2, 3, 1) if v.ndim == 4 else v) for n, v in outputs.items()},
        }, file)
    print(f"{name} W{bits}A{bits}: seed {seed}, loss {loss:.9f}, nearest edge {edge:.2e}, cancellation {kept:.2e}")


if __name__ == "__main__":
    small_net("lsq_asymmetric", 4)
    small_net("pact", 4)
