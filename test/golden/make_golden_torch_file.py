"""A tiny safetensors file and a pickle, as PyTorch writes them, for test/checkpoint/torch_file_test.ts.

Made with: python make_golden_torch_file.py (torch 2.13.0, safetensors 0.8.0, Python 3.11), in this folder. The tensors have the
names that torchvision gives its first layers, one number type each.
"""
import json

import torch
from safetensors.torch import save_file

values = [0.0, -1.5, 1 / 3, 1e-5, 65504.0, 3.1415926535]
types = {
    "conv1.weight": torch.float32,
    "bn1.weight": torch.float16,
    "bn1.bias": torch.bfloat16,
    "bn1.running_mean": torch.float64,
}
tensors = {name: torch.tensor(values, dtype=torch.float64).to(dtype).reshape(2, 3) for name, dtype in types.items()}
tensors["bn1.num_batches_tracked"] = torch.tensor(7)
save_file(tensors, "torch_file.safetensors", metadata={"format": "pt"})
torch.save(tensors, "torch_file.pth")
with open("torch_file.json", "w") as file:
    float32 = {name: tensor.to(torch.float32).reshape(-1).tolist() for name, tensor in tensors.items()}
    json.dump({"shapes": {name: list(t.shape) for name, t in tensors.items()}, "values": float32}, file, separators=(",", ":"))
