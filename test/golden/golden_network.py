"""Weights and images by formula, LSQ, and a network that is made as its forward pass meets it: for make_golden_models.py."""
import math

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
CLASSES = 10
WEIGHT_BITS, INPUT_BITS, OUTER_BITS = 4, 4, 8
SHIFTS = [0.004 * k for k in range(60)]
STEPS = [1 + 0.002 * k for k in range(250)]


# ---- the formula -----------------------------------------------------------------------------------------------------------
def mix(h):
    """MurmurHash3's finalizer on uint32."""
    h = h ^ (h >> np.uint32(16))
    h = h * np.uint32(0x85EBCA6B)
    h = h ^ (h >> np.uint32(13))
    h = h * np.uint32(0xC2B2AE35)
    return h ^ (h >> np.uint32(16))


def hashes(path, size):
    """FNV-1a of the path, then mixed with every index."""
    start = 0x811C9DC5
    for byte in path.encode():
        start = (start ^ byte) * 0x01000193 & 0xFFFFFFFF
    return mix(np.uint32(start) ^ np.arange(size, dtype=np.uint32) * np.uint32(0x9E3779B9))


def units(path, size):
    """Values in [-1/2, 1/2)."""
    return hashes(path, size) / 2.0**32 - 0.5


def float32(values):
    return np.asarray(values).astype(np.float32).astype(np.float64)


# ---- LSQ (Esser et al. 2020, Eq. 1-5) -----------------------------------------------------------------------------------------
class Lsq(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v, s, low, high, g, note):
        u = v / s
        q = torch.round(torch.clamp(u, low, high))
        ctx.save_for_backward(u, q)
        ctx.low, ctx.high, ctx.g, ctx.note, ctx.shape = low, high, g, note, s.shape
        return q * s

    @staticmethod
    def backward(ctx, dy):
        u, q = ctx.saved_tensors
        inside = (u >= ctx.low) & (u <= ctx.high)
        terms = dy * torch.where(inside, q - u, q) * ctx.g
        ctx.note(terms)
        axes = [axis for axis in range(u.dim()) if len(ctx.shape) == 0 or ctx.shape[axis] == 1]
        ds = terms.sum() if len(ctx.shape) == 0 else terms.sum(axes, keepdim=True)
        return dy * inside, ds, None, None, None, None


def bounds(bits, signed):
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def rounding_margin(u, low, high):
    """Distance from the nearest place where q or the gradient jumps, in steps; zeros behind a relu are zeros on both sides."""
    within = u[(u > low) & (u < high)]
    edges = ((within - 0.5) - torch.round(within - 0.5)).abs()
    ends = torch.cat([(u - end).abs()[u != 0] for end in (low, high)])
    return min(t.min().item() for t in (edges, ends) if t.numel())


class Network:
    """One network's parameters, made as its forward pass meets them, in PyTorch's layouts."""

    def __init__(self, quantized):
        self.quantized = quantized
        self.params, self.state, self.depthwise = {}, {}, set()
        self.shifts, self.steps, self.inference_steps, self.step_scales = {}, {}, {}, {}
        self.margins = {"rounding": 1.0, "kink": 1.0, "pool": 1.0}
        self.training = True

    def leaf(self, path, make):
        if path not in self.params:
            self.params[path] = torch.tensor(float32(make())).requires_grad_(True)
        return self.params[path]

    def weight(self, path, i, o, k, depthwise):
        """The formula's [k, k, in, out], depthwise [k, k, c, 1], dense (k = 0) [in, out], in PyTorch's order."""
        area = max(k * k, 1)
        size = area * o if depthwise else area * i * o
        std = math.sqrt(2.0 / (area * (1 if depthwise else i)))
        bits = self.bits(path, WEIGHT_BITS)
        high = 2 ** (bits - 1) - 1
        step = float32(std * 0.3 * (1 + 0.4 * units(f"{path}/weight_quantizer/step_size", o)) * 7 / high)

        def make():
            raw = units(f"{path}/weight", size) * math.sqrt(12.0) * std
            if self.quantized:
                s = np.tile(step, size // o)
                q = np.floor(raw / s + 0.5)
                fraction = 0.8 * units(f"{path}/fraction", size)
                # a highest integer is clipped from above, clear of the bound
                fraction = np.where(q >= high, 0.1 + 0.5 * np.abs(fraction), fraction)
                raw = s * (q + fraction)
            return self.to_torch(raw, i, o, k, depthwise)

        w = self.leaf(f"{path}/weight", make)
        if depthwise:
            self.depthwise.add(f"{path}/weight")
        if not self.quantized:
            return w
        s = self.leaf(f"{path}/weight_quantizer/step_size", lambda: step)
        low = -(2 ** (bits - 1))
        shaped = s.reshape(-1, *[1] * (w.dim() - 1))
        return Lsq.apply(w, shaped, low, high, 1 / math.sqrt(w.numel() / o * high), lambda terms: None)

    @staticmethod
    def to_torch(flat, i, o, k, depthwise):
        if k == 0:
            return flat.reshape(i, o).T
        return flat.reshape(k, k, o, 1).transpose(2, 3, 0, 1) if depthwise else flat.reshape(k, k, i, o).transpose(3, 2, 0, 1)

    @staticmethod
    def bits(path, inner):
        return OUTER_BITS if path in ("stem/conv", "classifier") else inner

    def input(self, path, x, signed):
        """Quantizes a layer's input; its step size is LSQ's start value times the candidate of the widest margin."""
        if not self.quantized:
            return x
        bits = self.bits(path, INPUT_BITS)
        low, high = bounds(bits, signed)
        steps = self.steps if self.training else self.inference_steps
        if path not in steps:
            start = 2 * x.detach().abs().mean().item() / math.sqrt(high)
            candidates = [float(np.float32(start * factor)) for factor in STEPS]
            margins = [rounding_margin(x.detach() / s, low, high) for s in candidates]
            best = int(np.argmax(margins))
            steps[path] = candidates[best]
            self.margins["rounding"] = min(self.margins["rounding"], margins[best])
        if self.training:
            s = self.leaf(f"{path}/input_quantizer/step_size", lambda: np.array(steps[path]))
        else:
            s = torch.tensor(steps[path])
        g = 1 / math.sqrt(x.numel() * high)

        def note(terms):
            self.step_scales[path] = terms.abs().sum().item()

        return Lsq.apply(x, s, low, high, g, note)

    def conv(self, path, x, o, k=1, stride=1, depthwise=False, signed=False):
        q = self.input(path, x, signed)
        w = self.weight(path, x.shape[1], o, k, depthwise)
        y = F.conv2d(q, w, None, stride, k // 2, 1, x.shape[1] if depthwise else 1)
        self.outputs[path] = y
        return y

    def pool(self, x):
        """Max pooling of torchvision's ResNets, behind a relu: a tie of zeros passes no gradient."""
        with torch.no_grad():
            n, c, _, _ = x.shape
            first, second = F.unfold(x, 3, padding=1, stride=2).reshape(n, c, 9, -1).topk(2, dim=2).values.unbind(2)
            self.margins["pool"] = min(self.margins["pool"], (first - second)[first > 0].min().item())
        return F.max_pool2d(x, 3, 2, 1)

    def dense(self, path, x):
        q = self.input(path, x, False)
        y = F.linear(q, self.weight(path, x.shape[1], CLASSES, 0, False), self.leaf(f"{path}/bias", lambda: 0.2 * units(f"{path}/bias", CLASSES)))
        self.outputs[path] = y
        return y

    def norm(self, path, x, activation=None, skip=None):
        """Batch norm, then the skip connection, then the activation: relu, relu6 or none."""
        c = x.shape[1]
        gamma = self.leaf(f"{path}/gamma", lambda: 1 + 0.5 * units(f"{path}/gamma", c))
        beta0 = 0.4 * units(f"{path}/beta", c)
        if path not in self.shifts:
            self.shifts[path] = 0.0
            if activation:
                with torch.no_grad():
                    y = F.batch_norm(x, None, None, gamma, torch.tensor(float32(beta0)), True, 0.1, 1e-5)
                    y = y if skip is None else y + skip
                    kinks = (0.0, 6.0) if activation is F.relu6 else (0.0,)
                    margins = [min((y + s - kink).abs().min().item() for kink in kinks) for s in SHIFTS]
                best = int(np.argmax(margins))
                self.shifts[path] = SHIFTS[best]
                self.margins["kink"] = min(self.margins["kink"], margins[best])
        beta = self.leaf(f"{path}/beta", lambda: beta0 + self.shifts[path])
        if self.training:
            self.state[path] = (0.1 * x.detach().mean((0, 2, 3)), 0.9 + 0.1 * x.detach().var((0, 2, 3), unbiased=True))
            y = F.batch_norm(x, None, None, gamma, beta, True, 0.1, 1e-5)
        else:
            y = F.batch_norm(x, *self.state[path], gamma, beta, False, 0.1, 1e-5)
        y = y if skip is None else y + skip
        return activation(y) if activation else y
