"""Golden values from PyTorch float64 for test/quant and test/methods: every quantizer and knowledge distillation.

Made with: python make_golden_quantizers.py (torch 2.13.0, numpy 2.4.6, Python 3.11), in this folder. Written independently
of the TypeScript: every formula here is taken from its paper, in its plainest form, and autograd does the rest. An unsigned
activation is relu(x) and then the quantizer, where ours gets x: its lower bound must do the relu's work.
"""
import json
import math

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def listed(tensor):
    return {"shape": list(tensor.shape), "values": [float(f"{v:.9g}") for v in tensor.detach().reshape(-1).tolist()]}


def rounded(tensor):
    """Inputs are float32 numbers, so that both sides start from the same ones."""
    return tensor.float().double().requires_grad_(True)


EDGES = []  # distances from the nearest rounding edge or bound, in steps


def watch(u, low, high):
    """Golden inputs keep 1e-3 of a step from every edge, where float32 might round the other way."""
    inside = u[(u > low) & (u < high)]
    EDGES.append(((inside - 0.5) - torch.round(inside - 0.5)).abs().min().item())
    EDGES.append(torch.minimum((u - low).abs(), (u - high).abs())[u != 0].min().item())


def straight(rounded_value, value):
    """The straight-through estimator: the first one's value, the second one's gradient."""
    return value + (rounded_value - value).detach()


def scaled(parameter, g):
    """The parameter with its gradient multiplied by g."""
    return straight(parameter, parameter * g)


# ---- LSQ (Esser et al. 2020, Eq. 1-5) --------------------------------------------------------------------------------
def lsq(x, p, low, high, count):
    """count None: without the gradient scale."""
    s = p["step_size"] if count is None else scaled(p["step_size"], 1 / math.sqrt(count * max(high, 1)))
    u = x / s
    watch(u.detach(), low, high)
    clipped = torch.clamp(u, low, high)
    return straight(torch.round(clipped), clipped) * s


def signed_bounds(bits, signed):
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def lsq_start(mean_absolute, high):
    return {"step_size": 2 * mean_absolute / math.sqrt(max(high, 1))}


# ---- FPQ's asymmetric quantizer (Pang and Cai 2025, Eq. 3-6) ------------------------------------------------------------
def asymmetric(x, p, high, count):
    s = scaled(p["step_size"], 1 / math.sqrt(count * high))
    u, z = x / s, p["zero_point"].detach()
    watch((u + z).detach(), 0, high)
    clipped = torch.clamp(u + z, 0, high)
    return (straight(torch.round(clipped), clipped) - z) * s


def asymmetric_start(low, most, high):
    low, most = torch.clamp(low, max=0), torch.clamp(most, min=0)
    s = (most - low) / high
    return {"step_size": s, "zero_point": torch.clamp(torch.floor(high - most / s + 0.5), 0, high)}


# ---- LSQ+ (Bhalgat et al. 2020, Eq. 3-6): offset of activations ----------------------------------------------------------
def lsq_plus(x, p, high, count):
    g = 1 / math.sqrt(count * high)
    s, beta = scaled(p["step_size"], g), scaled(p["offset"], g)
    u = (x - beta) / s
    watch(u.detach()[x.detach() != 0], 0, high)
    clipped = torch.clamp(u, 0, high)
    return straight(torch.round(clipped), clipped) * s + beta


# ---- PACT (Choi et al. 2018, Eq. 1-3), and its symmetric form for a signed input --------------------------------------------
def pact(x, p, steps, signed):
    alpha = p["clipping_level"]
    low = -alpha if signed else torch.zeros_like(alpha)
    y = torch.where(x >= alpha, alpha, torch.where(x <= low, low, x))
    u = (x / alpha * steps).detach()
    watch(u, -steps if signed else 0, steps)
    return straight(torch.round(y.detach() * steps / alpha.detach()) * alpha.detach() / steps, y)


# ---- DoReFa (Zhou et al. 2016, Eq. 5-6, 9, 11) ----------------------------------------------------------------------------
def quantize_k(r, steps):
    return straight(torch.round(r * steps) / steps, r)


def dorefa_weight(w, bits):
    t, steps = torch.tanh(w), 2**bits - 1
    r = t / (2 * t.abs().max()) + 0.5
    watch((r * steps).detach(), -1, steps + 1)  # the largest weight is at 0 or 1 itself
    return 2 * quantize_k(r, steps) - 1


def dorefa_activation(x, p, bits, signed):
    c = p["range"].detach() if signed else 1
    low, steps = (-1, 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    watch((x / c * steps).detach(), low * steps, steps)
    return quantize_k(torch.clamp(x / c, low, 1), steps) * c


def activation(name, x, p, bits, signed):
    full, half = 2**bits - 1, 2 ** (bits - 1) - 1
    if name in ("lsq", "lsq_unscaled"):
        return lsq(x, p, *signed_bounds(bits, signed), x.numel() if name == "lsq" else None)
    if name == "lsq_asymmetric":
        return asymmetric(x, p, full, x.numel())
    if name == "lsq_plus":
        return lsq_plus(x, p, full, x.numel())
    if name == "pact":
        return pact(x, p, half if signed else full, signed)
    return dorefa_activation(x, p, bits, signed)


def activation_start(name, x, bits, signed):
    """Of the values that calibration sees: behind the relu, where there is one."""
    low, most = x.min(), x.max()
    full = 2**bits - 1
    if name in ("lsq", "lsq_unscaled"):
        return lsq_start(x.abs().mean(), signed_bounds(bits, signed)[1])
    if name == "lsq_asymmetric":
        return asymmetric_start(low, most, full)
    if name == "lsq_plus":
        return {"step_size": (most - low) / full, "offset": low}
    if name == "pact":
        return {"clipping_level": x.abs().max()}
    return {"range": x.abs().max()} if signed else {}


def weight(name, w, p, bits):
    """w: [..., out], one s an output channel."""
    count = w.numel() / w.shape[-1]
    if name in ("lsq", "lsq_plus", "lsq_unscaled"):
        count = None if name == "lsq_unscaled" else count
        return lsq(w, p, *signed_bounds(bits, True), count)
    if name == "lsq_asymmetric":
        return asymmetric(w, p, 2**bits - 1, count)
    return dorefa_weight(w, bits)


def weight_start(name, w, bits):
    rows = w.reshape(-1, w.shape[-1])
    if name in ("lsq", "lsq_unscaled"):
        return lsq_start(rows.abs().mean(0), 2 ** (bits - 1) - 1)
    if name == "lsq_plus":
        mu, sigma = rows.mean(0), rows.std(0, unbiased=False)
        return {"step_size": torch.maximum((mu - 3 * sigma).abs(), (mu + 3 * sigma).abs()) / 2 ** (bits - 1)}
    if name == "lsq_asymmetric":
        return asymmetric_start(rows.min(0).values, rows.max(0).values, 2**bits - 1)
    return {}


# Away from the start values, so that values lie below, between and above the bounds.
MOVED = {"step_size": 0.55, "clipping_level": 0.6, "range": 0.6}


def moved(start, signed):
    p = {name: rounded(value * MOVED.get(name, 1)) for name, value in start.items()}
    if "offset" in p:
        p["offset"] = rounded(start["offset"] + (0.15 if signed else -0.15))
    return p


def case(name, kind, bits, signed, seed):
    generator = torch.Generator().manual_seed(seed)
    normal = lambda *shape: torch.randn(*shape, generator=generator)
    x = rounded(normal(3, 4, 4, 5)) if kind == "activation" else rounded(normal(3, 3, 4, 6) * 0.3 + 0.05)
    seen = F.relu(x) if kind == "activation" and not signed else x
    start = activation_start(name, seen.detach(), bits, signed) if kind == "activation" else weight_start(name, x.detach(), bits)
    p = moved(start, signed)
    EDGES.clear()

    def quantized(x, p):
        seen = F.relu(x) if kind == "activation" and not signed else x
        return activation(name, seen, p, bits, signed) if kind == "activation" else weight(name, seen, p, bits)

    y = quantized(x, p)
    upstream = rounded(normal(*x.shape))
    (y * upstream.detach()).sum().backward()
    clear = min(EDGES) > 1e-3
    for n, v in p.items():
        if v.grad is not None and v.dim() == 0 and clear:  # a sum that cancels would show float32's rounding, not an error
            terms = upstream * torch.autograd.functional.jacobian(lambda t: quantized(x, {**p, n: t}), v)
            clear = (terms.sum().abs() / terms.abs().sum()).item() > 0.1
    return clear, {
        "quantizer": name, "kind": kind, "bits": bits, "signed": signed, "x": listed(x), "upstream": listed(upstream),
        "start": {n: listed(v) for n, v in start.items()}, "own": {n: listed(v) for n, v in p.items()}, "output": listed(y),
        "gradients": {"x": listed(x.grad), **{n: listed(v.grad) for n, v in p.items() if v.grad is not None}},
    }


def quantizers(names=("lsq", "lsq_unscaled", "lsq_asymmetric", "lsq_plus", "pact", "dorefa")):
    out = []
    for name in names:
        for kind, bits, signed in [("activation", 4, False), ("activation", 2, False), ("activation", 4, True),
                                   ("activation", 2, True), ("weight", 4, True), ("weight", 2, True)]:
            for seed in range(1000):
                clear, found = case(name, kind, bits, signed, seed)
                if clear:
                    break
            else:
                raise SystemExit(f"no seed keeps {name} {kind} clear of the rounding edges and of cancellation")
            out.append(found)
            print(f"{name} {kind} {bits} bit, signed {signed}: seed {seed}")
    return out


# ---- KD (Hinton et al. 2015, section 2) -----------------------------------------------------------------------------------
def distillation():
    generator = torch.Generator().manual_seed(0)
    logits, target = (rounded(torch.randn(6, 10, generator=generator) * 3) for _ in range(2))
    out = []
    for temperature in (1, 4):
        soft = F.softmax(target.detach() / temperature, -1)
        log_ours = F.log_softmax(logits / temperature, -1)
        value = temperature**2 * (soft * (soft.log() - log_ours)).sum(-1).mean()
        (slope,) = torch.autograd.grad(value, logits)
        out.append({"temperature": temperature, "logits": listed(logits), "target": listed(target), "value": value.item(),
                    "gradient": listed(slope)})
    return out


# ---- one bit, and the grid of least squared error that LSQ+ starts from ------------------------------------------------------
def binary_weight():
    """DoReFa's binary weights: sign(w) E|w|, straight through; no weight is 0."""
    generator = torch.Generator().manual_seed(1)
    w = rounded(torch.randn(3, 3, 4, 6, generator=generator) * 0.3 + 0.05)
    upstream = rounded(torch.randn(*w.shape, generator=generator))
    y = straight(torch.sign(w) * w.abs().mean(), w)
    (y * upstream.detach()).sum().backward()
    return {"x": listed(w), "upstream": listed(upstream), "output": listed(y), "gradient": listed(w.grad)}


def squared_error(x, s, beta, high):
    return ((x - (np.clip(np.round((x - beta) / s), 0, high) * s + beta)) ** 2).mean()


def least_squares():
    """The least squared error by brute force: 120 x 120 grids of (s, beta), three times finer around the best one."""
    out = []
    for bits, signed, seed in [(2, False, 0), (2, True, 1), (4, False, 2), (4, True, 3)]:
        x = np.random.default_rng(seed).normal(size=300).astype(np.float32).astype(np.float64)
        x = x if signed else np.maximum(x, 0)
        high, reach = 2**bits - 1, x.max() - x.min()
        s_range, b_range = (0.1 * reach / high, reach / high), (x.min() - 0.1 * reach, x.min() + 0.5 * reach)
        for _ in range(4):
            found = min((squared_error(x, s, b, high), s, b) for s in np.linspace(*s_range, 120) for b in np.linspace(*b_range, 120))
            half = [(hi - lo) / 20 for lo, hi in (s_range, b_range)]
            s_range, b_range = ((max(found[i + 1] - half[i], 1e-3 * reach / high), found[i + 1] + half[i]) for i in (0, 1))
        out.append({"bits": bits, "values": x.tolist(), "error": found[0], "step": found[1], "offset": found[2]})
        print(f"least squares, {bits} bit, signed {signed}: error {found[0]:.6g}")
    return out


def main():
    with open("quantizers.json", "w") as file:
        json.dump({"torch": torch.__version__, "quantizers": quantizers(), "distillation": distillation()}, file)
    with open("quantizer_starts.json", "w") as file:
        json.dump({"torch": torch.__version__, "binaryWeight": binary_weight(), "leastSquares": least_squares()}, file)


if __name__ == "__main__":
    main()
