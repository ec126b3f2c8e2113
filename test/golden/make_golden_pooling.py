"""Max pooling and its gradient by PyTorch float64, for test/engine/max_pool_test.ts.

Made with: python make_golden_pooling.py (torch 2.13.0, numpy 2.4.6, Python 3.11), in this folder. Values are small integers, so that
windows have ties, with some NaN and infinities; images are stored as [n, h, w, c], numbers that JSON lacks as strings.
"""
import json
import math

import numpy as np
import torch
import torch.nn.functional as F

SPECIAL = [math.nan, math.inf, -math.inf]
# size, stride, padding and the images [n, c, h, w]
CASES = [(3, 2, 1, [2, 3, 7, 6]), (3, 2, 1, [1, 2, 8, 8]), (2, 2, 0, [1, 2, 5, 4]), (3, 1, 1, [1, 2, 4, 3]), (2, 3, 1, [1, 2, 9, 7]), (5, 2, 2, [1, 1, 6, 1])]


def stored(tensor):
    values = np.ascontiguousarray(tensor.detach().permute(0, 2, 3, 1).numpy()).reshape(-1)
    return [int(v) if math.isfinite(v) else str(v) for v in values.tolist()]


def case(number, size, stride, padding, shape):
    draws = np.random.default_rng(number)
    values = draws.integers(-3, 4, shape).astype(np.float64)
    values.reshape(-1)[draws.choice(values.size, values.size // 10, replace=False)] = np.resize(SPECIAL, values.size // 10)
    if number == 1:
        values[0, 1] = -math.inf  # windows of nothing but -infinity, at the border too
    x = torch.tensor(values, requires_grad=True)
    y = F.max_pool2d(x, size, stride, padding)
    dy = torch.tensor(draws.integers(1, 1000, tuple(y.shape)).astype(np.float64))
    y.backward(dy)
    n, c, h, w = shape
    return {"size": size, "stride": stride, "padding": padding, "shape": [n, h, w, c], "pooled": [n, *y.shape[2:], c],
            "x": stored(x), "y": stored(y), "dy": stored(dy), "dx": stored(x.grad)}


with open("max_pool.json", "w") as file:
    json.dump([case(i, *given) for i, given in enumerate(CASES)], file, separators=(",", ":"))
