"""Golden values from PyTorch float64 for test/methods: coding lengths in every form of MEC, and one step of SAM.

Made with: python make_golden_mec_sam.py (torch 2.13.0, numpy 2.4.6, Python 3.11), in this folder. Written independently of
the TypeScript: every formula is taken from its paper, in its plainest form, and autograd does the rest. Coding lengths take
the samples' side over channels and the features' side over samples, whatever is smaller; SAM's two passes are written out.
"""
import json
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def listed(tensor):
    return {"shape": list(tensor.shape), "values": [float(f"{v:.9g}") for v in tensor.detach().reshape(-1).tolist()]}


def rounded(tensor):
    """Inputs are float32 numbers, so that both sides start from the same ones."""
    return tensor.detach().float().double().requires_grad_(True)


# ---- coding lengths (Liu et al. 2022, Eq. 1-3; Yu et al. 2020 for parts of the samples) ------------------------------------
def length(c, determinant):
    """log det(I + C), or the trace of the series with matrix powers."""
    if determinant == "exact":
        return torch.logdet(torch.eye(c.shape[0]) + c)
    order = {"taylor2": 2, "taylor4": 4}[determinant]
    return sum((-1) ** (k + 1) / k * torch.trace(torch.linalg.matrix_power(c, k)) for k in range(1, order + 1))


def unit(rows):
    return rows / rows.norm(dim=1, keepdim=True)


def over_channels(features, other, scale, experts, determinant, eps):
    m, order, total = features.shape[0], torch.argsort(scale, descending=True), 0
    for group in order.reshape(experts, -1):
        z, w = unit(features[:, group]), unit(other[:, group])
        total = total + eps * length(z @ w.T / (m * eps), determinant)
    return total / experts


def over_samples(features, other, gate, determinant, eps):
    m, z, w = features.shape[0], unit(features), unit(other)
    pi = torch.softmax(z @ gate, dim=1)
    total, shares = 0, pi.sum(0) / m
    for k in range(gate.shape[1]):
        count = pi[:, k].sum()
        total = total + count / m * eps * length(z.T @ torch.diag(pi[:, k]) @ w / (count * eps), determinant)
    # squared coefficient of variation
    return total, shares.var(unbiased=False) / shares.mean() ** 2


def coding_cases():
    torch.manual_seed(1)
    cases = []
    for over in ("channels", "samples"):
        for m, d in ((12, 8), (6, 16)):
            for views in (1, 2):
                for determinant in ("exact", "taylor2", "taylor4"):
                    if views == 2 and determinant == "exact":
                        continue
                    experts, eps = (4, 0.125) if over == "channels" else (3, 0.25)
                    features = rounded(torch.randn(m, d).abs() * torch.linspace(0.1, 2, d))
                    other = rounded(features + 0.3 * torch.randn(m, d)) if views == 2 else None
                    second = features if other is None else other.detach()
                    case = {"over": over, "views": views, "determinant": determinant, "distortion": eps, "experts": experts,
                            "features": listed(features), "other": None if other is None else listed(other)}
                    if over == "channels":
                        scale = torch.rand(d).float().double()
                        value = over_channels(features, second, scale, experts, determinant, eps)
                        case |= {"scale": listed(scale), "value": value.item()}
                        value.backward()
                    else:
                        gate = rounded(torch.randn(d, experts) * 2)
                        value, imbalance = over_samples(features, second, gate, determinant, eps)
                        case |= {"gate": listed(gate), "value": value.item(), "imbalance": imbalance.item()}
                        (value - 0.5 * imbalance).backward()
                        case["gateGradient"] = listed(gate.grad)
                    case["gradient"] = listed(features.grad)
                    cases.append(case)
    return cases


def weights_case():
    """Rows are output channels; [k, k, in, out], depthwise [k, k, c, 1], dense [in, out]."""
    torch.manual_seed(2)
    eps, total, layers = 0.125, 0, []
    for kind, shape in (("convolution", (3, 3, 4, 6)), ("depthwise", (3, 3, 6, 1)), ("dense", (6, 10))):
        w = rounded(torch.randn(shape))
        rows = w.reshape(-1, 6).T if kind == "depthwise" else w.reshape(-1, shape[-1]).T
        total = total + eps * length(unit(rows) @ unit(rows).T / (rows.shape[0] * eps), "exact")
        layers.append((kind, w))
    value = total / len(layers)
    value.backward()
    return {"distortion": eps, "value": value.item(),
            "layers": [{"kind": kind, "weight": listed(w), "gradient": listed(w.grad)} for kind, w in layers]}


# ---- one step of SAM (Foret et al. 2021, Algorithm 1) on a quantized net -----------------------------------------------------
EDGES = []  # distances from the nearest rounding edge or bound, in steps
CANCELLATION = []  # |sum| / sum of absolute values of every step size's gradient: small means ill-conditioned


class Lsq(torch.autograd.Function):
    """Esser et al. 2020, Eq. 1-5, with g."""

    @staticmethod
    def forward(ctx, v, s, low, high, g):
        u = v / s
        q = torch.round(torch.clamp(u, low, high))
        inside = (u >= low) & (u <= high)
        ctx.save_for_backward(u, q, inside, s)
        ctx.g = g
        near = ((u - 0.5) - torch.round(u - 0.5)).abs()[inside]
        EDGES.extend([near.min().item(), torch.minimum((u - low).abs(), (u - high).abs())[u != 0].min().item()])
        return q * s

    @staticmethod
    def backward(ctx, dy):
        u, q, inside, s = ctx.saved_tensors
        parts = dy * torch.where(inside, q - u, q)
        axes = [axis for axis in range(parts.dim()) if s.dim() == 0 or s.shape[axis] == 1]
        total = parts.sum(axes).reshape(s.shape)
        CANCELLATION.append((total.abs() / parts.abs().sum(axes).reshape(s.shape)).min().item())
        return dy * inside, ctx.g * total, None, None, None


def activation(x, s, bits, signed):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return Lsq.apply(x, s, low, high, 1 / math.sqrt(x.numel() * high))


def weight(w, s, bits):
    high = 2 ** (bits - 1) - 1
    return Lsq.apply(w, s.reshape(-1, *[1] * (w.dim() - 1)), -high - 1, high, 1 / math.sqrt(w[0].numel() * high))


def net(p, x, statistics):
    """conv 3 -> 4, norm, relu, conv 4 -> 6 of stride 2, norm, relu, mean, dense; 8, 4 and 8 bits."""
    def norm(path, h):
        statistics[path] = (h.mean((0, 2, 3)), h.var((0, 2, 3), unbiased=True))
        return F.batch_norm(h, None, None, p[f"{path}/gamma"], p[f"{path}/beta"], True, 0.1, 1e-5)

    def layer(path, h, bits, signed=False):
        return (activation(h, p[f"{path}/input_quantizer/step_size"], bits, signed),
                weight(p[f"{path}/weight"], p[f"{path}/weight_quantizer/step_size"], bits))

    h = F.relu(norm("stem/norm", F.conv2d(*layer("stem/conv", x, 8, signed=True), None, 1, 1)))
    h = F.relu(norm("body/norm", F.conv2d(*layer("body/conv", h, 4), None, 2, 1)))
    q, w = layer("classifier", h.mean((2, 3)), 8)
    return F.linear(q, w, p["classifier/bias"])


def sam_parameters():
    p = {}
    for path, shape, bits in (("stem/conv", (4, 3, 3, 3), 8), ("body/conv", (6, 4, 3, 3), 4), ("classifier", (5, 6), 8)):
        w = torch.randn(shape) * math.sqrt(2 / math.prod(shape[1:]))
        p[f"{path}/weight"] = w
        p[f"{path}/weight_quantizer/step_size"] = 2 * w.flatten(1).abs().mean(1) / math.sqrt(2 ** (bits - 1) - 1)
        p[f"{path}/input_quantizer/step_size"] = torch.tensor(0.02 if bits == 8 else 0.2)
    p["classifier/bias"] = torch.randn(5) * 0.1
    for path, c in (("stem/norm", 4), ("body/norm", 6)):
        p[f"{path}/gamma"], p[f"{path}/beta"] = 1 + 0.3 * torch.randn(c), 0.2 * torch.randn(c)
    return {name: rounded(value) for name, value in p.items()}


def ours(name, tensor):
    """PyTorch's layout to ours: [out, in, k, k] -> [k, k, in, out], [out, in] -> [in, out]."""
    if name.endswith("/weight"):
        return tensor.permute(2, 3, 1, 0) if tensor.dim() == 4 else tensor.T
    return tensor


RHO, RATE, MOMENTUM, DECAY = 0.05, 0.1, 0.9, 5e-4


def sam_step(seed, step_sizes):
    torch.manual_seed(seed)
    EDGES.clear()
    CANCELLATION.clear()
    p = sam_parameters()
    velocity = {name: (0.1 * torch.randn(value.shape)).float().double() for name, value in p.items()}
    images, labels = torch.randint(0, 256, (3, 6, 6, 3)), torch.tensor([3, 0, 4])
    x = ((images / 255 - 0.5) / 0.25).permute(0, 3, 1, 2)

    statistics = {}
    loss = F.cross_entropy(net(p, x, statistics), labels)
    first = dict(zip(p, torch.autograd.grad(loss, list(p.values()))))
    perturbed = [name for name in p if step_sizes or not name.endswith("step_size")]
    norm = torch.sqrt(sum((first[name] ** 2).sum() for name in perturbed))
    moved = {name: (p[name] + RHO * first[name] / norm if name in perturbed else p[name]).detach().requires_grad_(True) for name in p}
    ascended = F.cross_entropy(net(moved, x, {}), labels)
    second = dict(zip(p, torch.autograd.grad(ascended, list(moved.values()))))

    after, speed = {}, {}
    for name, w in p.items():
        speed[name] = MOMENTUM * velocity[name] + second[name] + (DECAY * w if name.endswith("/weight") else 0)
        after[name] = w - RATE * speed[name]
    # running statistics start at 0 and 1
    state = {f"{path}/mean": 0.1 * mean for path, (mean, _) in statistics.items()}
    state |= {f"{path}/variance": 0.9 + 0.1 * variance for path, (_, variance) in statistics.items()}
    named = lambda leaves: {name: listed(ours(name, value)) for name, value in leaves.items()}
    return {"seed": seed, "stepSizes": step_sizes, "rho": RHO, "rate": RATE, "momentum": MOMENTUM, "weightDecay": DECAY,
            "images": images.reshape(-1).tolist(), "shape": list(images.shape), "labels": labels.tolist(),
            "params": named(p), "velocity": named(velocity), "loss": loss.item(), "ascendedLoss": ascended.item(),
            "after": {"params": named(after), "velocity": named(speed), "state": named(state)}}


def sam_cases():
    cases = []
    for step_sizes in (False, True):
        for seed in range(20000):
            case = sam_step(seed, step_sizes)
            if min(EDGES) > 3e-4 and min(CANCELLATION) > 0.02:
                break
        else:
            raise SystemExit("no seed keeps clear of the rounding edges and of cancellation")
        print(f"SAM: seed {seed}, loss {case['loss']:.9f} -> {case['ascendedLoss']:.9f}, nearest edge {min(EDGES):.2e}, "
              f"cancellation {min(CANCELLATION):.2e}")
        cases.append(case)
    return cases


with open("coding_lengths.json", "w") as file:
    json.dump({"torch": torch.__version__, "features": coding_cases(), "weights": weights_case()}, file)
with open("sam_steps.json", "w") as file:
    json.dump({"torch": torch.__version__, "steps": sam_cases()}, file)
