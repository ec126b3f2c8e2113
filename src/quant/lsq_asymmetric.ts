import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { roundClip } from "../engine/ops.ts";
import type { Leaves } from "../tree.ts";
import {
  gradientScale,
  inverseStepSize,
  requireBits,
  scaleGradient,
  SMALLEST_STEP_SIZE,
  STEP_SIZE,
} from "./step_size.ts";
import type {
  ActivationQuantizer,
  Grid,
  OwnNumbers,
  QuantizedTensorOptions,
  Quantizer,
  QuantizerStart,
  TensorStatistics,
  WeightQuantizer,
} from "./types.ts";

/** Name of the fixed zero point among a quantizer's constants. */
export const ZERO_POINT = "zero_point";

/** s = (x_max - x_min) / (2^b - 1), z = round(q_max - x_max / s), over a range that holds 0 (else zero padding is off the grid). */
function start(statistics: TensorStatistics, highest: number): QuantizerStart {
  const steps: number[] = [], zeros: number[] = [];
  statistics.min.forEach((least, i) => {
    const low = Math.min(least, 0), high = Math.max(statistics.max[i]!, 0);
    const step = Math.max((high - low) / highest, SMALLEST_STEP_SIZE);
    steps.push(step);
    zeros.push(Math.min(Math.max(Math.round(highest - high / step), 0), highest));
  });
  return { params: { [STEP_SIZE]: Float32Array.from(steps) }, constants: { [ZERO_POINT]: Float32Array.from(zeros) } };
}

/** x_int = clip(round(u + z), 0, 2^b - 1), u = x / s; z is an integer, so it may be added before rounding. */
function codes(scaled: Tensor, zeroPoint: Tensor, highest: number): Tensor {
  return roundClip(tf.add(scaled, zeroPoint), { low: 0, high: highest });
}

function asymmetricGrid(own: OwnNumbers, highest: number): Grid {
  return { low: 0, high: highest, scale: [...own[STEP_SIZE]!], zero: [...own[ZERO_POINT]!] };
}

function weight(options: QuantizedTensorOptions): WeightQuantizer {
  requireBits("asymmetric LSQ", options.bits);
  const highest = 2 ** options.bits - 1;
  const parts = (weight: Tensor, own: Leaves<Tensor>) => {
    const raw = own[STEP_SIZE]!; // [channels]
    const stepSize = scaleGradient(raw, gradientScale(weight.size / raw.size, highest));
    return { stepSize, integers: codes(tf.mul(weight, inverseStepSize(stepSize)), own[ZERO_POINT]!, highest) };
  };
  return {
    bits: options.bits,
    reflectsStepSizes: true,
    start: (statistics) => start(statistics, highest),
    apply(weight, own) {
      const { stepSize, integers } = parts(weight, own);
      return tf.mul(tf.sub(integers, own[ZERO_POINT]!), stepSize);
    },
    levels: (weight, own) => parts(weight, own).integers,
    grid: (own) => asymmetricGrid(own, highest),
  };
}

function activation(options: QuantizedTensorOptions): ActivationQuantizer {
  requireBits("asymmetric LSQ", options.bits);
  const highest = 2 ** options.bits - 1;
  const stepSize = (own: Leaves<Tensor>, size: number) => scaleGradient(own[STEP_SIZE]!, gradientScale(size, highest));
  return {
    bits: options.bits,
    start: (statistics) => start(statistics, highest),
    inverseStep: (own, size) => inverseStepSize(stepSize(own, size)),
    quantizeScaled: (scaled, own) => ({
      // behind a relu x_min = 0, so z = 0 by its formula: the two passes that would shift by it are left out
      values: options.signed
        ? tf.sub(codes(scaled, own[ZERO_POINT]!, highest), own[ZERO_POINT]!)
        : roundClip(scaled, { low: 0, high: highest }),
      scale: stepSize(own, scaled.size),
    }),
    grid: (own) => options.signed ? asymmetricGrid(own, highest) : { ...asymmetricGrid(own, highest), zero: [0] },
  };
}

/**
 * The asymmetric uniform quantizer of FPQ, with LSQ's learned step size.
 *
 *   x_int = clip(round(x / s) + z, 0, 2^b - 1),  x̂ = (x_int - z) s            (Eq. 3-4)
 *   s starts at (x_max - x_min) / (2^b - 1), z = round(q_max - x_max / s)       (Eq. 5-6)
 *   ∂x̂/∂s and ∂x̂/∂x as in LSQ; z is fixed after calibration
 *
 * Weights: one s and z an output channel. Activations: one of each.
 * Step sizes stay positive by |s| after an update, as MQBench's do, on which the paper's code is built. (Revision 1 cut them
 * at 1e-6. The next gradient, which grows as 1 / s, then threw those of the 8-bit stem to a hundred times their start.)
 * Conventions: ties go up; the bounds count as inside; the calibrated range is widened to hold 0.
 * Deviations: none known. LSQ's gradient scale 1/sqrt(N q_max) is taken over, as "gradient as in LSQ" says.
 *
 * @see Pang and Cai 2025, arXiv:2503.11159v1, section 3
 */
export const lsqAsymmetric: Quantizer = {
  name: "lsq_asymmetric",
  source: "Pang and Cai 2025, arXiv:2503.11159v1, Eq. 3-6",
  weight,
  activation,
};
