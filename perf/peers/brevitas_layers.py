"""
LSQ in Brevitas (`pip install brevitas==0.13.4`), from the step sizes of the layers of networks.py: learned step sizes, one
an output channel for weights and one for the input, zero point 0, bias in float.

Brevitas differs from LSQ in one thing that is left as it is: it rounds before it clips, so that values up to half a step
outside the range count as inside for the gradients. Its forward pass is the same.
"""
import math

import brevitas.nn as qnn
from brevitas.core.scaling import ParameterScaling
from brevitas.core.utils import SingleArgStatelessBuffer
from brevitas.inject import ExtendedInjector
from brevitas.inject.enum import ScalingImplType, ScalingPerOutputType
from brevitas.quant.base import IntQuant, UintQuant
from brevitas.quant.solver.act import ActQuantSolver
from brevitas.quant.solver.weight import WeightQuantSolver

from networks import Conv


class LsqScaling(ParameterScaling):
    """A learned step size whose gradient is scaled by 1 / sqrt(N Q_P) (Esser et al. 2020, section 2.2)."""

    def __init__(self, highest, scaling_init, scaling_shape=None, scaling_min_val=None):
        super().__init__(scaling_init, scaling_shape, scaling_min_val=scaling_min_val)
        self.highest = highest

    def forward(self, x, threshold=None):
        step = super().forward(x, threshold)
        factor = 1 / math.sqrt(x.numel() / step.numel() * self.highest)
        return step * factor + step.detach() * (1 - factor)


class Learned(ExtendedInjector):
    scaling_impl_type = ScalingImplType.PARAMETER
    scaling_impl = LsqScaling
    # the parameter is the step size itself, not the threshold
    int_scaling_impl = SingleArgStatelessBuffer(1.0)


class Weight(Learned, IntQuant, WeightQuantSolver):
    scaling_per_output = ScalingPerOutputType.CHANNEL


class Signed(Learned, IntQuant, ActQuantSolver):
    scaling_per_output = ScalingPerOutputType.TENSOR


class Unsigned(Learned, UintQuant, ActQuantSolver):
    scaling_per_output = ScalingPerOutputType.TENSOR


def highest(bits, signed):
    return 2 ** (bits - 1) - 1 if signed else 2**bits - 1


def in_brevitas(layer, smallest):
    """A Brevitas layer with the weights and step sizes of `layer`."""
    weight_bits, bits, signed = (layer.spec[name] for name in ("weightBits", "inputBits", "inputSigned"))
    steps = layer.weight_step.detach()
    options = {
        "bias": layer.bias is not None,
        "weight_quant": Weight,
        "weight_bit_width": weight_bits,
        "weight_highest": highest(weight_bits, True),
        "weight_scaling_init": steps.view(-1, *[1] * (layer.weight.dim() - 1)),
        "weight_scaling_min_val": smallest,
        "input_quant": Signed if signed else Unsigned,
        "input_bit_width": bits,
        "input_highest": highest(bits, signed),
        "input_scaling_init": layer.input_step.detach(),
        "input_scaling_min_val": smallest,
    }
    if isinstance(layer, Conv):
        made = qnn.QuantConv2d(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding,
                               groups=layer.groups, **options)
    else:
        made = qnn.QuantLinear(layer.in_features, layer.out_features, **options)
    own = {name: value for name, value in layer.state_dict().items() if name in ("weight", "bias")}
    made.load_state_dict(own, strict=False)  # it has the quantizers' parameters too, and they are set
    return made


def convert(net, smallest):
    """Replaces all quantized layers of the network."""
    for parent in list(net.modules()):
        for name, layer in list(parent.named_children()):
            if getattr(layer, "spec", None) is not None:
                setattr(parent, name, in_brevitas(layer, smallest))
    return net
