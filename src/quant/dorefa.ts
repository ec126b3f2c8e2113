import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { type RoundBounds, roundClip } from "../engine/ops.ts";
import type { Leaves } from "../tree.ts";
import { requireBits } from "./step_size.ts";
import type { ActivationQuantizer, QuantizedTensorOptions, Quantizer, WeightQuantizer } from "./types.ts";

/** Name of the fixed range of a signed activation among a quantizer's constants. */
export const RANGE = "range";

/** max |tanh w| is at least this, so that a weight of zeros has a quotient. */
const SMALLEST_MAXIMUM = 1e-12;

/** Integers of a signed activation: as many above 0 as below, -1 and 0 with one bit. */
export function symmetricBounds(bits: number): RoundBounds {
  const highest = 2 ** (bits - 1) - 1;
  return { low: -Math.max(highest, 1), high: highest };
}

/** The integers of quantize_k(tanh(w) / (2 max |tanh(w)|) + 1/2): 0 .. 2^k - 1; the gradient goes through the maximum too. */
function weightLevels(weight: Tensor, highest: number): Tensor {
  const squashed = tf.tanh(weight);
  const largest = tf.maximum(tf.max(tf.abs(squashed)), SMALLEST_MAXIMUM);
  const unit = tf.add(tf.mul(tf.div(squashed, largest), 0.5), 0.5);
  // in 0 .. highest by construction, the largest weight at an end: bounds that are never met leave it its gradient
  return roundClip(tf.mul(unit, highest), { low: -1, high: highest + 1 });
}

/** 1 where w >= 0, 0 elsewhere: the integers of a binary weight. */
function signLevels(weight: Tensor): Tensor {
  return tf.sub(1, tf.cast(tf.greater(0, weight), "float32"));
}

/** sign(w) mean|w|, the mean over the layer, sign(0) = 1; ∂ŵ/∂w = 1. */
function binaryWeight(weight: Tensor): Tensor {
  const op = tf.customGrad((...args: unknown[]) => {
    const [w] = args as [Tensor];
    const sign = tf.sub(tf.mul(signLevels(w), 2), 1);
    return { value: tf.mul(sign, tf.mean(tf.abs(w))), gradFunc: (dy: Tensor) => tf.clone(dy) };
  });
  return op(weight);
}

function meanAbsolute(values: Float32Array): number {
  return values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;
}

/** DoReFa's weights, which PACT takes too. */
export function dorefaWeight({ bits }: QuantizedTensorOptions): WeightQuantizer {
  requireBits("DoReFa", bits);
  const start = () => ({ params: {}, constants: {} });
  const highest = 2 ** bits - 1;
  // ŵ = (q - highest / 2) 2 size / highest, where 0 is no level
  const grid = (size: number) => ({ low: 0, high: highest, scale: [2 * size / highest], zero: [highest / 2] });
  if (bits === 1) {
    return { bits, start, apply: binaryWeight, levels: signLevels, grid: (_, weight) => grid(meanAbsolute(weight)) };
  }
  return {
    bits,
    start,
    apply: (weight) => tf.sub(tf.mul(weightLevels(weight, highest), 2 / highest), 1),
    levels: (weight) => weightLevels(weight, highest),
    grid: () => grid(1),
  };
}

function activation({ bits, signed }: QuantizedTensorOptions): ActivationQuantizer {
  requireBits("DoReFa", bits);
  if (!signed) {
    const highest = 2 ** bits - 1;
    return {
      bits,
      start: () => ({ params: {}, constants: {} }),
      inverseStep: () => tf.scalar(highest),
      quantizeScaled: (scaled) => ({
        values: roundClip(scaled, { low: 0, high: highest }),
        scale: tf.scalar(1 / highest),
      }),
      grid: () => ({ low: 0, high: highest, scale: [1 / highest], zero: [0] }),
    };
  }
  const bounds = symmetricBounds(bits);
  const step = (own: Leaves<Tensor>) => tf.mul(own[RANGE]!, -1 / bounds.low);
  return {
    bits,
    start: ({ min, max }) => {
      const largest = min.map((least, i) => Math.max(Math.abs(least), Math.abs(max[i]!), 1e-6));
      return { params: {}, constants: { [RANGE]: Float32Array.from(largest) } };
    },
    inverseStep: (own) => tf.reciprocal(step(own)),
    quantizeScaled: (scaled, own) => ({ values: roundClip(scaled, bounds), scale: step(own) }),
    grid: (own) => ({ ...bounds, scale: [-own[RANGE]![0]! / bounds.low], zero: [0] }),
  };
}

/**
 * DoReFa-Net's quantizers: nothing is learned.
 *
 *   quantize_k(r) = round((2^k - 1) r) / (2^k - 1),  ∂/∂r = 1                                   (section 2.2)
 *   weights:     ŵ = 2 quantize_k(tanh(w) / (2 max |tanh(w)|) + 1/2) - 1, the maximum over the layer   (section 2.3)
 *   one bit:     ŵ = sign(w) mean|w|, the mean over the layer, ∂ŵ/∂w = 1                                 (section 2.3)
 *   activations: x̂ = quantize_k(clip(x, 0, 1))                                                  (section 2.4)
 *
 * The gradient of a weight goes through tanh and through the maximum, but not through mean|w|, as in the authors' code.
 * Conventions: ties go up; the bounds of the clip count as inside; sign(0) = 1 (their code: 0).
 * Assumptions: a signed activation (the image, a linear bottleneck) has no form in the paper, whose inputs lie in [0, 1]: it
 * is rounded to 2^k - 1 integers on [-c, c], c the largest magnitude of the calibration images, fixed.
 * Deviations: the first and the last layer are quantized too, which the paper and its code leave in full precision; gradients
 * are not (the paper's third quantizer). With more than one bit ŵ spans [-1, 1] whatever w's size: batch norm takes that up,
 * and behind the last layer, which has none (and which the paper would not quantize), the logits grow by 1 / max |tanh(w)|.
 * MQBench has that growth too; it rounds tanh(w) / max on a signed grid that holds 0, where the paper's, taken here, does not.
 *
 * @see Zhou et al. 2016, arXiv:1606.06160
 */
export const dorefa: Quantizer = {
  name: "dorefa",
  source: "Zhou et al. 2016, arXiv:1606.06160",
  weight: dorefaWeight,
  activation,
};
