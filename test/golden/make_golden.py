"""Golden values from PyTorch float64 for test/methods and test/train.

Made with: python make_golden.py (torch 2.13.0, numpy 2.4.6, Python 3.11), in this folder. Written independently of the
TypeScript: every formula here is taken from its paper, in its plainest form.
"""
import json
import math

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)


def listed(tensor):
    return {"shape": list(tensor.shape), "values": [float(f"{v:.9g}") for v in tensor.detach().reshape(-1).tolist()]}


def gradient(value, tensor):
    return torch.autograd.grad(value, tensor, retain_graph=True)[0]


def rounded(tensor):
    """Inputs are float32 numbers, so that both sides start from the same ones."""
    return tensor.float().double().requires_grad_(True)


# ---- losses ----------------------------------------------------------------------------------------------------------
def losses():
    out = {}
    logits, target = rounded(torch.randn(6, 10) * 2), rounded(torch.randn(6, 10) * 2)
    labels = torch.tensor([3, 0, 9, 5, 5, 1])
    ce = F.cross_entropy(logits, labels)
    kl = F.kl_div(F.log_softmax(logits, -1), F.softmax(target, -1), reduction="batchmean")
    out["crossEntropy"] = {"logits": listed(logits), "labels": labels.tolist(), "value": ce.item(), "gradient": listed(gradient(ce, logits))}
    out["klDivergence"] = {"logits": listed(logits), "target": listed(target), "value": kl.item(), "gradient": listed(gradient(kl, logits))}

    # CSD: z~ = (z - mu) / sqrt(var + eps) over batch, height, width (NHWC); mean of the squared differences
    student, teacher = rounded(torch.randn(3, 4, 4, 5) * 2 + 1), rounded(torch.randn(3, 4, 4, 5))

    def standardised(z):
        mean, var = z.mean((0, 1, 2)), z.var((0, 1, 2), unbiased=False)
        return (z - mean) / torch.sqrt(var + 1e-5)

    csd = ((standardised(student) - standardised(teacher)) ** 2).mean()
    out["channelDistance"] = {"student": listed(student), "teacher": listed(teacher), "value": csd.item(), "gradient": listed(gradient(csd, student))}

    # coding length, exact, from eigenvalues; rows of length 1
    for name, (m, d, experts, eps) in {
        "codingLengthTall": (12, 8, 1, 0.125),
        "codingLengthWide": (6, 16, 1, 0.125),
        "codingLengthExperts": (12, 8, 4, 0.125),
    }.items():
        features = rounded(torch.randn(m, d).abs() * torch.linspace(0.1, 2, d))
        scale = torch.tensor([0.3, 2.0, 0.1, 1.5, 0.7, 0.2, 0.9, 0.4, 1.1, 0.05, 1.3, 0.6, 1.7, 0.8, 0.25, 0.45][:d])
        order = torch.argsort(scale, descending=True)
        total = 0
        for block in features[:, order].reshape(m, experts, d // experts).unbind(1) if experts > 1 else [features]:
            z = block / block.norm(dim=1, keepdim=True)
            eigenvalues = torch.linalg.eigvalsh(z.T @ z / (m * eps))
            total = total + eps * torch.log1p(eigenvalues).sum()
        value = total / experts
        out[name] = {"features": listed(features), "scale": scale.tolist(), "experts": experts, "distortion": eps,
                     "value": value.item(), "gradient": listed(gradient(value, features))}
    with open("losses.json", "w") as file:
        json.dump(out, file)


# ---- LSQ (Esser et al. 2020, Eq. 1-5) -----------------------------------------------------------------------------------
EDGES = []  # distances of every quantized value from the nearest rounding edge or bound, in steps


CANCELLATION = []  # |sum| / sum of absolute values of every activation step size's gradient: small means ill-conditioned


class Lsq(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v, s, low, high):
        u = v / s
        q = torch.round(torch.clamp(u, low, high))
        inside = (u >= low) & (u <= high)
        ctx.save_for_backward(u, q, inside, s)
        near = ((u - 0.5) - torch.round(u - 0.5)).abs()[inside]
        if near.numel():
            EDGES.append(near.min().item())
        beyond = torch.minimum((u - low).abs(), (u - high).abs())
        # exact zeros (behind a relu) sit on the lower bound on both sides alike
        beyond = beyond[u != 0]
        if beyond.numel():
            EDGES.append(beyond.min().item())
        return q * s

    @staticmethod
    def backward(ctx, dy):
        u, q, inside, s = ctx.saved_tensors
        dv = dy * inside
        ds = dy * torch.where(inside, q - u, q)
        if s.dim() == 0:
            CANCELLATION.append((ds.sum().abs() / ds.abs().sum()).item())
        while ds.dim() > s.dim():
            ds = ds.sum(0)
        for axis, size in enumerate(s.shape):
            if size == 1:
                ds = ds.sum(axis, keepdim=True)
        return dv, ds, None, None


class ScaleGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, s, g):
        ctx.g = g
        return s.clone()

    @staticmethod
    def backward(ctx, dy):
        return dy * ctx.g, None


def lsq_activation(x, s, bits, signed):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return Lsq.apply(x, ScaleGradient.apply(s, 1 / math.sqrt(x.numel() * high)), low, high)


def lsq_weight(w, s, bits):
    """w: [out, ...] with one step size an output channel."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    g = 1 / math.sqrt(w.numel() / w.shape[0] * max(high, 1))
    return Lsq.apply(w, ScaleGradient.apply(s, g).reshape(-1, *[1] * (w.dim() - 1)), low, high)


# ---- ResNet-8: 1 block a stage, 16-32-64 channels -----------------------------------------------------------------------
LAYERS = [("stem/conv", 3, 3, 16, 1)]
NORMS = [("stem/norm", 16)]
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


def bits_of(path, bits):
    return 8 if path in ("stem/conv", "classifier") else bits


def network(p, x, bits, outputs):
    """x: [n, 3, h, w]; p in PyTorch's layouts. Batch norm by batch statistics. `outputs` takes what every layer gives."""
    def layer(path, x, stride=1):
        b = bits_of(path, bits)
        q = lsq_activation(x, p[f"{path}/input_quantizer/step_size"], b, path == "stem/conv")
        w = lsq_weight(p[f"{path}/weight"], p[f"{path}/weight_quantizer/step_size"], b)
        if path == "classifier":
            y = F.linear(q, w, p["classifier/bias"])
        else:
            y = F.conv2d(q, w, None, stride, w.shape[-1] // 2)
        outputs[path] = y
        return y

    def norm(path, x):
        return F.batch_norm(x, None, None, p[f"{path}/gamma"], p[f"{path}/beta"], True, 0.1, 1e-5)

    h = F.relu(norm("stem/norm", layer("stem/conv", x)))
    for index in range(3):
        path, stride = f"stage{index + 1}/block0", 2 if index else 1
        t = F.relu(norm(f"{path}/norm1", layer(f"{path}/conv1", h, stride)))
        t = norm(f"{path}/norm2", layer(f"{path}/conv2", t))
        skip = norm(f"{path}/shortcut_norm", layer(f"{path}/shortcut", h, stride)) if stride > 1 else h
        h = F.relu(t + skip)
    return layer("classifier", h.mean((2, 3)))


def parameters(rng, bits):
    p = {}
    for path, k, i, o, _ in LAYERS:
        b, shape = bits_of(path, bits), (o, i, k, k) if k else (o, i)
        fan = i * max(k, 1) ** 2
        s = rng.uniform(0.8, 1.2, o) * math.sqrt(2 / fan) * 2 / math.sqrt(2 ** (b - 1) - 1)
        s = s.astype(np.float32).astype(np.float64)
        # integers plus up to 0.4: no weight near a rounding edge
        raw = rng.normal(size=shape) * math.sqrt(2 / fan) / s.reshape(-1, *[1] * (len(shape) - 1))
        raw = np.round(raw) + rng.uniform(-0.4, 0.4, shape)
        low, high = -(2 ** (b - 1)), 2 ** (b - 1) - 1
        raw = np.where(np.abs(raw - low) < 0.05, low + 0.1, np.where(np.abs(raw - high) < 0.05, high + 0.1, raw))
        p[f"{path}/weight"] = (raw * s.reshape(-1, *[1] * (len(shape) - 1)))
        p[f"{path}/weight_quantizer/step_size"] = s
        p[f"{path}/input_quantizer/step_size"] = np.array(
            rng.uniform(0.015, 0.025) if b == 8 else rng.uniform(0.15, 0.25) * 15 / (2**bits - 1))
        if not k:
            p[f"{path}/bias"] = rng.normal(size=o) * 0.1
    for path, c in NORMS:
        p[f"{path}/gamma"] = 1 + 0.3 * rng.normal(size=c)
        p[f"{path}/beta"] = 0.2 * rng.normal(size=c)
    return {name: value.astype(np.float32) for name, value in p.items()}


def ours(name, array):
    """PyTorch's layout to ours: [out, in, k, k] -> [k, k, in, out], [out, in] -> [in, out]."""
    if name.endswith("/weight"):
        return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
    return array


def small_net(bits, tries=5000):
    for seed in range(tries):
        EDGES.clear()
        CANCELLATION.clear()
        rng = np.random.default_rng(seed)
        p = parameters(rng, bits)
        x = rng.normal(size=(2, 3, 8, 8)).astype(np.float32)
        labels = torch.tensor([3, 7])
        leaves = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in p.items()}
        outputs = {}
        loss = F.cross_entropy(network(leaves, torch.tensor(x, dtype=torch.float64), bits, outputs), labels)
        loss.backward()
        if min(EDGES) > 1e-4 and min(CANCELLATION) > 0.05:
            break
    else:
        raise SystemExit("no seed keeps clear of the rounding edges and of cancellation")
    names, blobs, offset, meta = list(leaves), [], 0, {}
    arrays = [("images", x.transpose(0, 2, 3, 1))]
    arrays += [(f"params/{n}", ours(n, p[n])) for n in names]
    arrays += [(f"gradients/{n}", ours(n, leaves[n].grad.numpy())) for n in names]
    for path, y in outputs.items():
        value = y.detach().numpy()
        arrays.append((f"outputs/{path}", value.transpose(0, 2, 3, 1) if y.dim() == 4 else value))
    for name, array in arrays:
        data = np.ascontiguousarray(array, dtype="<f4")
        meta[name] = {"shape": list(data.shape), "offset": offset}
        offset += data.size
        blobs.append(data.tobytes())
    with open(f"resnet8_w{bits}a{bits}.bin", "wb") as file:
        file.write(b"".join(blobs))
    with open(f"resnet8_w{bits}a{bits}.json", "w") as file:
        json.dump({"torch": torch.__version__, "seed": seed, "bits": bits, "labels": labels.tolist(), "loss": loss.item(),
                   "nearestEdge": min(EDGES), "tensors": meta}, file)
    print(f"W{bits}A{bits}: seed {seed}, loss {loss.item():.9f}, nearest edge {min(EDGES):.2e}, cancellation {min(CANCELLATION):.2e}")


losses()
small_net(4)
small_net(2)
