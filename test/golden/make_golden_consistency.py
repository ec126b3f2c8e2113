"""Golden values from PyTorch float64 for test/methods/consistency_test.ts: CR's consistency losses, with their gradients.

Made with: python make_golden_consistency.py (torch 2.13.0, Python 3.11), in this folder. Written from the papers' formulas.
"""
import json

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(1)


def listed(tensor):
    return {"shape": list(tensor.shape), "values": [float(f"{v:.9g}") for v in tensor.detach().reshape(-1).tolist()]}


def case(student, target, loss):
    """Inputs are float32 numbers, so that both sides start from the same ones."""
    student, target = student.float().double().requires_grad_(True), target.float().double()
    value = loss(student, target)
    return {"student": listed(student), "target": listed(target), "value": value.item(),
            "gradient": listed(torch.autograd.grad(value, student)[0])}


def kl(student, target):
    return F.kl_div(F.log_softmax(student, -1), F.softmax(target, -1), reduction="batchmean")


def mse(student, target):
    """Mean Teacher: the sum over the batch of means over classes, divided by the batch."""
    return sum(F.mse_loss(F.softmax(s, -1), F.softmax(t, -1)) for s, t in zip(student, target)) / len(student)


def cosine(student, target):
    """BYOL: 2 - 2 cos of each image, mean over the batch."""
    return (2 - 2 * F.cosine_similarity(student, target, dim=-1)).mean()


logits, target = torch.randn(6, 10) * 3, torch.randn(6, 10) * 3
features, averaged = torch.randn(6, 16).clamp(min=0) * 2, torch.randn(6, 16).clamp(min=0)
with open("consistency.json", "w") as file:
    json.dump({
        "kl": case(logits, target, kl),
        "mse": case(logits, target, mse),
        "cosine": case(features, averaged, cosine),
    }, file)
