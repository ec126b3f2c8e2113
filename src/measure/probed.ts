/** The way of a measurement into a network that knows nothing of it: through the quantizers. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { relu } from "../engine/ops.ts";
import type { Layer, LayerQuantization, Model, ModelQuantization } from "../nn/types.ts";
import type { ActivationQuantizer, WeightQuantizer } from "../quant/types.ts";

/** Bits of a quantizer that rounds nothing. */
export const UNQUANTIZED_BITS = 32;

/**
 * Quantizers that change nothing, so that a full-precision network can be reached by the same seam. One for an unsigned
 * input cuts at 0, as it stands in for the relu that the layer then leaves out (`normActivationLayer`).
 */
export function identityQuantization(model: Model): ModelQuantization {
  const nothing = { params: {}, constants: {} };
  const weight: WeightQuantizer = {
    bits: UNQUANTIZED_BITS,
    start: () => nothing,
    apply: (weight) => weight,
    levels: (weight) => weight,
  };
  const input = (layer: Layer): ActivationQuantizer => ({
    bits: UNQUANTIZED_BITS,
    start: () => nothing,
    inverseStep: () => tf.scalar(1),
    quantizeScaled: (scaled) => ({ values: layer.inputSigned ? scaled : relu(scaled), scale: null }),
  });
  return Object.fromEntries(
    model.layers.map((layer): [string, LayerQuantization] => [layer.path, { weight, input: input(layer) }]),
  );
}

/** Side of the quantizer on which a weight is changed: the learned weight, or its quantized value. */
export const WEIGHT_SIDES = ["latent", "quantized"] as const;
export type WeightSide = typeof WEIGHT_SIDES[number];

/**
 * Quantizers that compute with changed weights.
 *
 * @param change The changed weight of a layer, by layer path and in the quantizer's layout (channels last).
 */
export function withChangedWeights(
  quantization: ModelQuantization,
  side: WeightSide,
  change: (weight: Tensor, path: string) => Tensor,
): ModelQuantization {
  return Object.fromEntries(
    Object.entries(quantization).map(([path, { weight, input }]): [string, LayerQuantization] => {
      const changed: WeightQuantizer = {
        ...weight,
        apply: side === "latent"
          ? (raw, own) => weight.apply(change(raw, path), own)
          : (raw, own) => change(weight.apply(raw, own), path),
      };
      return [path, { weight: changed, input }];
    }),
  );
}
