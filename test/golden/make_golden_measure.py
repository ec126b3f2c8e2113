"""Golden values from PyTorch float64 for test/measure.

Made with: python make_golden_measure.py (torch 2.13.0, Python 3.11), in this folder. Written independently of the
TypeScript. The network: convolution 3 x 3 (2 -> 3) - batch norm at inference - relu - convolution 3 x 3 (3 -> 4) - batch
norm - relu - global mean - dense (4 -> 3), on 6 images of 5 x 5 x 2; 174 weights.
"""
import json
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
EPSILON = 1e-5  # of batch norm
STEP = 1e-3  # of the differences


def rounded(tensor):
    """Inputs are float32 numbers, so that both sides start from the same ones."""
    return tensor.float().double()


def listed(tensor):
    return {"shape": list(tensor.shape), "values": [float(f"{v:.9g}") for v in tensor.detach().reshape(-1).tolist()]}


def tensors(seed):
    g = torch.Generator().manual_seed(seed)
    def normal(*shape):
        return torch.randn(*shape, generator=g)
    def uniform(*shape):
        return torch.rand(*shape, generator=g)
    norm = lambda channels: {"gamma": rounded(uniform(channels) + 0.5), "beta": rounded(normal(channels) * 0.3),
                             "mean": rounded(normal(channels) * 0.2), "variance": rounded(uniform(channels) + 0.5)}
    return {
        "conv1": rounded(normal(3, 3, 2, 3) * 0.4), "norm1": norm(3),
        "conv2": rounded(normal(3, 3, 3, 4) * 0.4), "norm2": norm(4),
        "dense": rounded(normal(4, 3)), "bias": rounded(normal(3) * 0.2),
        "images": torch.randint(0, 256, (6, 5, 5, 2), generator=g), "labels": torch.tensor([0, 2, 1, 1, 0, 2]),
    }


LAYERS = ["conv1", "conv2", "dense"]
MARGINS = []  # distances from relu's kink and from every rounding edge and bound


class RoundClip(torch.autograd.Function):
    """round(clip(u)), gradient 1 inside the bounds and 0 outside."""
    @staticmethod
    def forward(ctx, u, low, high):
        ctx.save_for_backward((u >= low) & (u <= high))
        away = u[u != 0]  # exact zeros behind a relu lie on the lower bound on both sides alike
        if away.numel():
            MARGINS.append(((away - 0.5) - torch.round(away - 0.5)).abs().min().item())
            MARGINS.append(torch.minimum((away - low).abs(), (away - high).abs()).min().item())
        return torch.round(torch.clamp(u, low, high))

    @staticmethod
    def backward(ctx, dy):
        return dy * ctx.saved_tensors[0], None, None


def loss(t, steps, bits, moved):
    """moved: what is added to each layer's weight behind its quantizer."""
    def layer(name, x):
        w = t[name]
        if bits:
            low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if name == "conv1" else (0, 2**bits - 1)
            s = steps[name]["input"]
            x = RoundClip.apply(x / s, low, high) * s
            sw = steps[name]["weight"]
            w = torch.round(torch.clamp(w / sw, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)) * sw
        w = w + moved[name]
        return x @ w if name == "dense" else F.conv2d(x.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1), padding=1).permute(0, 2, 3, 1)

    def norm(name, x):
        n = t[name]
        x = (x - n["mean"]) / torch.sqrt(n["variance"] + EPSILON) * n["gamma"] + n["beta"]
        MARGINS.append(x.abs().min().item())
        return F.relu(x)

    x = t["images"].double() / 255
    x = (x - 0.5) / 0.25
    x = norm("norm2", layer("conv2", norm("norm1", layer("conv1", x))))
    return F.cross_entropy(layer("dense", x.mean((1, 2))) + t["bias"], t["labels"])


def zeros(t):
    return {name: torch.zeros_like(t[name]).requires_grad_(True) for name in LAYERS}


def probe(t):
    g = torch.Generator().manual_seed(99)
    return {name: torch.randint(0, 2, t[name].shape, generator=g).double() * 2 - 1 for name in LAYERS}


def exact(t):
    """Full Hessian by double backward: the trace of each layer's block, and v^T H v split by layers."""
    at = zeros(t)
    gradients = torch.autograd.grad(loss(t, None, 0, at), [at[n] for n in LAYERS], create_graph=True)
    flat, v = torch.cat([g.reshape(-1) for g in gradients]), probe(t)
    traces, product = {n: 0.0 for n in LAYERS}, {n: torch.zeros(t[n].numel()) for n in LAYERS}
    offset = 0
    for n in LAYERS:
        for i in range(t[n].numel()):
            row = torch.autograd.grad(flat[offset + i], [at[m] for m in LAYERS], retain_graph=True, allow_unused=True)
            row = [torch.zeros_like(at[m]) if r is None else r for r, m in zip(row, LAYERS)]
            traces[n] += row[LAYERS.index(n)].reshape(-1)[i].item()
            product[n][i] = sum((r * v[m]).sum() for r, m in zip(row, LAYERS))
        offset += t[n].numel()
    return {"traces": traces, "parts": {n: (product[n].reshape(v[n].shape) * v[n]).sum().item() for n in LAYERS}}


def differences(t, steps, bits):
    """v_l . (g(+e v) - g(-e v))_l / (2 e), g by the straight-through estimator."""
    v, found = probe(t), []
    for sign in (1, -1):
        at = {n: (sign * STEP * v[n]).requires_grad_(True) for n in LAYERS}
        found.append(torch.autograd.grad(loss(t, steps, bits, at), [at[n] for n in LAYERS]))
    return {n: ((a - b) * v[n]).sum().item() / (2 * STEP) for n, a, b in zip(LAYERS, *found)}


def step_sizes(t, bits):
    high = 2**bits - 1
    return {
        "conv1": {"input": torch.tensor(4.0 / 2**bits), "weight": rounded(2 * t["conv1"].abs().mean((0, 1, 2)) / math.sqrt(2 ** (bits - 1) - 1))},
        "conv2": {"input": torch.tensor(2.0 / high), "weight": rounded(2 * t["conv2"].abs().mean((0, 1, 2)) / math.sqrt(2 ** (bits - 1) - 1))},
        "dense": {"input": torch.tensor(1.5 / high), "weight": rounded(2 * t["dense"].abs().mean(0) / math.sqrt(2 ** (bits - 1) - 1))},
    }


def dump(t, steps, out):
    state = {}
    for name in ("norm1", "norm2"):
        state[name] = {k: listed(v) for k, v in t[name].items()}
    out["weights"] = {n: listed(t[n]) for n in LAYERS}
    out["bias"], out["norms"] = listed(t["bias"]), state
    out["images"], out["labels"] = t["images"].reshape(-1).tolist(), t["labels"].tolist()
    out["directions"] = {n: listed(v) for n, v in probe(t).items()}
    if steps:
        out["stepSizes"] = {n: {k: listed(v) for k, v in s.items()} for n, s in steps.items()}
    return out


def margin_of(run):
    MARGINS.clear()
    result = run()
    return min(MARGINS), result


def search(make, wanted):
    """The first seed of 4,000 whose values keep the margin from every kink and edge."""
    best = (0, None, None)
    for seed in range(4000):
        t = tensors(seed)
        margin, result = margin_of(lambda: make(t))
        if margin > best[0]:
            best = (margin, seed, result)
        if margin > wanted:
            break
    return best


def main():
    # full precision: no relu changes within the differences, so that they converge to the exact Hessian
    def full(t):
        v = probe(t)
        for sign in (1, -1, 0):
            loss(t, None, 0, {n: sign * STEP * v[n] for n in LAYERS})
        return None
    margin, seed, _ = search(full, 2e-3)
    t = tensors(seed)
    golden = {"step": STEP, "full": dump(t, None, {"margin": margin, **exact(t), "loss": loss(t, None, 0, zeros(t)).item(),
                                                   "differences": differences(t, None, 0)})}
    for bits in (2,):
        def quantized(t):
            return differences(t, step_sizes(t, bits), bits)
        margin, seed, result = search(quantized, 2e-4)
        t = tensors(seed)
        steps = step_sizes(t, bits)
        golden["quantized"] = dump(t, steps, {"margin": margin, "bits": bits, "differences": result,
                                              "loss": loss(t, steps, bits, zeros(t)).item()})
    # coding length and spectrum of features
    g = torch.Generator().manual_seed(5)
    z = rounded(torch.randn(40, 7, generator=g).abs() * torch.linspace(0.1, 2, 7))
    rows = z / z.norm(dim=1, keepdim=True)
    moment = rows.T @ rows / len(rows)
    centred = rows - rows.mean(0)
    eigen = lambda m: torch.linalg.eigvalsh(m).flip(0)
    blocks = rows.reshape(2, 20, 7)
    lengths = {str(e): [(e * torch.log1p(torch.linalg.eigvalsh(b.T @ b / (20 * e))).sum()).item() for b in blocks]
               for e in (1 / 8, 1 / 32)}
    entropy = lambda p: torch.exp(-(p / p.sum() * torch.log(p / p.sum())).sum()).item()
    covariance = centred.T @ centred / len(rows)
    golden["features"] = {"features": listed(z), "spectrum": eigen(moment).tolist(), "centredSpectrum": eigen(covariance).tolist(),
                          "effectiveRank": entropy(eigen(moment)), "centredEffectiveRank": entropy(eigen(covariance)),
                          "codingLengths": lengths}
    with open("measure.json", "w") as file:
        json.dump(golden, file)
    print({k: golden[k]["margin"] for k in ("full", "quantized")})


main()
