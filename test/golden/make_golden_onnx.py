"""Makes onnx_torch.onnx, onnx_brevitas.onnx and onnx_other_tools.json: quantized networks as other tools export them.

Run:  python test/golden/make_golden_onnx.py
Made with Python 3.11, torch 2.13.0, brevitas 0.13.4, onnx 1.23.2, onnxscript 0.7.2.

Both networks are untrained: 3 x 3 convolution, relu, 3 x 3 convolution of stride 2, relu, mean, dense; images of 3 x 8 x 8.
The labels are the classes that the tool itself computes, but for every fourth image, so that the accuracy must be 75 %.
"""
import json
import pathlib

import brevitas.nn as qnn
import torch
from brevitas.export import export_onnx_qcdq
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat, Uint8ActPerTensorFloat
from torch import nn

FOLDER = pathlib.Path(__file__).parent
COUNT, CLASSES = 32, 4
MEAN, STD = 0.5, 0.25


def images() -> torch.Tensor:
    """Bytes by a formula that the test repeats, as values that a network takes."""
    image, channel = torch.arange(COUNT).reshape(-1, 1, 1), torch.arange(3).reshape(1, -1, 1)
    place = torch.arange(64).reshape(1, 1, -1)
    pixels = (image * 53 + channel * image * 91) % 200 + (place * place * 31 + place * 7 + image) % 50
    return (pixels.reshape(COUNT, 3, 8, 8) / 255 - MEAN) / STD


class TorchNetwork(nn.Module):
    """Weights in int8 by channel, symmetric; activations in uint8, with a zero point."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.dense = nn.Linear(8, CLASSES)
        self.register_buffer("step", torch.tensor(0.02))
        self.register_buffer("zero", torch.tensor(100, dtype=torch.int32))

    def rounded(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fake_quantize_per_tensor_affine(x, self.step, self.zero, 0, 255)

    @staticmethod
    def weight(layer: nn.Module) -> torch.Tensor:
        steps = layer.weight.detach().abs().flatten(1).amax(1) / 127
        zeros = torch.zeros(len(steps), dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(layer.weight, steps, zeros, 0, -128, 127)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(nn.functional.conv2d(self.rounded(x), self.weight(self.conv1), self.conv1.bias, padding=1))
        x = nn.functional.conv2d(self.rounded(x), self.weight(self.conv2), self.conv2.bias, stride=2, padding=1)
        x = torch.relu(x).mean((2, 3))
        return nn.functional.linear(self.rounded(x), self.weight(self.dense), self.dense.bias) * 8


class BrevitasNetwork(nn.Module):
    """Weights in 3 bits by channel, activations in 4 bits: signed for the image, unsigned behind a relu."""

    def __init__(self) -> None:
        super().__init__()
        weight = {"weight_quant": Int8WeightPerChannelFloat, "weight_bit_width": 3}
        self.image = qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat, bit_width=4)
        self.conv1 = qnn.QuantConv2d(3, 6, 3, padding=1, bias=True, **weight)
        self.relu1 = qnn.QuantReLU(act_quant=Uint8ActPerTensorFloat, bit_width=4)
        self.conv2 = qnn.QuantConv2d(6, 8, 3, stride=2, padding=1, bias=True, **weight)
        self.relu2 = qnn.QuantReLU(act_quant=Uint8ActPerTensorFloat, bit_width=4)
        self.pooled = qnn.QuantIdentity(act_quant=Uint8ActPerTensorFloat, bit_width=4)
        self.dense = qnn.QuantLinear(8, CLASSES, bias=True, **weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu2(self.conv2(self.relu1(self.conv1(self.image(x)))))
        return self.dense(self.pooled(x.mean((2, 3)))) * 8


def labels(network: nn.Module) -> list[int]:
    with torch.no_grad():
        network.dense.bias -= network(images()).mean(0) / 8  # no class is above the others for all images
        classes = network(images()).argmax(1).tolist()
    assert len(set(classes)) > 1, "a network that gives one class alone proves nothing"
    return [(label + 1) % CLASSES if i % 4 == 0 else label for i, label in enumerate(classes)]


def main() -> None:
    torch.manual_seed(5)
    golden = {"count": COUNT, "classes": CLASSES, "mean": MEAN, "std": STD}
    network = TorchNetwork().eval()
    golden["torch"] = labels(network)
    torch.onnx.export(
        network, (images()[:2],), str(FOLDER / "onnx_torch.onnx"), opset_version=17, dynamo=False,
        input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
    )
    network = BrevitasNetwork()
    network.train()
    network(images())  # the steps of activations come from what is seen
    network.eval()
    golden["brevitas"] = labels(network)
    export_onnx_qcdq(network, args=images()[:12], export_path=str(FOLDER / "onnx_brevitas.onnx"), opset_version=17, dynamo=False)
    (FOLDER / "onnx_other_tools.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
