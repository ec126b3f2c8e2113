import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { type RoundBounds, roundClip } from "../engine/ops.ts";
import type { Leaves } from "../tree.ts";
import { dorefaWeight, symmetricBounds } from "./dorefa.ts";
import { CLIPPING_LEVEL } from "./parameters.ts";
import { requireBits, SMALLEST_STEP_SIZE } from "./step_size.ts";
import type { ActivationQuantizer, QuantizedTensorOptions, Quantizer } from "./types.ts";

/** A power of two, so that it changes no bit: sums of dy, which holds s, stay within float32 up to s of about 1e38. */
const SHRINK = 2 ** -24;

/** x itself, without a gradient. */
function detach(x: Tensor): Tensor {
  const op = tf.customGrad((...args: unknown[]) => {
    const [x] = args as [Tensor];
    return { value: tf.clone(x), gradFunc: () => tf.zeros(x.shape) };
  });
  return op(x);
}

/** 1 where `condition`, 0 elsewhere. */
function indicator(condition: Tensor): Tensor {
  return tf.cast(condition, "float32");
}

/**
 * round(clip(u, low, high)), u = x / s, s = α / steps, with PACT's gradients of x̂ = s times the result, in which s is fixed:
 * ∂x̂/∂x = 1 between the bounds; ∂x̂/∂α = high / steps for u >= high, low / steps for u <= low, 0 between.
 *
 * At u = low the gradient of x is 1 where low is 0 (Eq. 1) and 0 where low is a clip.
 */
function clippedRound(u: Tensor, level: Tensor, bounds: RoundBounds): Tensor {
  const { low, high } = bounds;
  const op = tf.customGrad((...args: unknown[]) => {
    const [u, level, save] = args as [Tensor, Tensor, (tensors: Tensor[]) => void];
    save([u, level]);
    return {
      value: roundClip(u, bounds),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [u, level] = saved as [Tensor, Tensor];
        const belowHigh = indicator(tf.greater(high, u)), clippedHigh = tf.mul(tf.sub(1, belowHigh), high * SHRINK);
        const aboveLow = low === 0 ? tf.sub(1, indicator(tf.greater(low, u))) : indicator(tf.greater(u, low));
        const clipped = low === 0 ? clippedHigh : tf.add(clippedHigh, tf.mul(tf.sub(1, aboveLow), low * SHRINK));
        // dy holds s = α / steps, which ∂x̂/∂α does not
        const dlevel = tf.mul(tf.div(tf.sum(tf.mul(dy, clipped)), level), 1 / SHRINK);
        return [tf.mul(dy, tf.mul(belowHigh, aboveLow)), tf.reshape(dlevel, level.shape)];
      },
    };
  });
  return op(u, level);
}

function activation({ bits, signed }: QuantizedTensorOptions): ActivationQuantizer {
  requireBits("PACT", bits);
  const bounds = signed ? symmetricBounds(bits) : { low: 0, high: 2 ** bits - 1 };
  const steps = Math.max(-bounds.low, bounds.high);
  const level = (own: Leaves<Tensor>) => own[CLIPPING_LEVEL]!;
  return {
    bits,
    start: ({ min, max }) => {
      const largest = max.map((most, i) => signed ? Math.max(Math.abs(min[i]!), Math.abs(most)) : most);
      const levels = Float32Array.from(largest, (value) => Math.max(value, SMALLEST_STEP_SIZE));
      return { params: { [CLIPPING_LEVEL]: levels }, constants: {} };
    },
    inverseStep: (own) => tf.div(steps, detach(level(own))),
    quantizeScaled: (scaled, own) => ({
      values: clippedRound(scaled, level(own), bounds),
      scale: tf.mul(detach(level(own)), 1 / steps),
    }),
    grid: (own) => ({ ...bounds, scale: [own[CLIPPING_LEVEL]![0]! / steps], zero: [0] }),
  };
}

/**
 * PACT: parameterized clipping activation, with DoReFa's weights.
 *
 *   y = clip(x, 0, α),  x̂ = round(y (2^k - 1) / α) α / (2^k - 1)                    (Eq. 1-2)
 *   ∂x̂/∂α = 0 for x < α, 1 for x >= α;  ∂x̂/∂x = 1 for 0 <= x < α, 0 elsewhere       (Eq. 3)
 *   the loss has an L2 regulariser of α; weights as DoReFa's
 *
 * One α a layer. Unlike LSQ's, the gradient of α has no rounding-error term: the step α / (2^k - 1) is held fixed in it.
 * Conventions: ties go up; x = α counts as outside, as in Eq. 3.
 * Assumptions: α starts at the largest value of the calibration images, so that nothing is clipped yet (MQBench: at 6 in every
 * layer); the regulariser's coefficient is the weights' own decay. A signed activation (the image, a linear bottleneck), which
 * a PACT network does not have, is clipped to [-α, α] and rounded to 2^k - 1 integers, ∂x̂/∂α = sign(x) outside.
 * Deviations: the first and the last layer are quantized too. One bit and the size of ŵ: see dorefa.ts.
 *
 * @see Choi et al. 2018, arXiv:1805.06085
 */
export const pact: Quantizer = {
  name: "pact",
  source: "Choi et al. 2018, arXiv:1805.06085",
  weight: dorefaWeight,
  activation,
};
