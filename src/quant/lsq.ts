import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { type RoundBounds, roundClip } from "../engine/ops.ts";
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

/** Q_N and Q_P: -2^(b-1) .. 2^(b-1) - 1 when signed, 0 .. 2^b - 1 when not. */
export function lsqBounds({ bits, signed }: QuantizedTensorOptions): RoundBounds {
  return signed ? { low: -(2 ** (bits - 1)), high: 2 ** (bits - 1) - 1 } : { low: 0, high: 2 ** bits - 1 };
}

/** s = 2 <|v|> / sqrt(Q_P) (section 2.1), at least `SMALLEST_STEP_SIZE`. */
function start(statistics: TensorStatistics, highest: number): QuantizerStart {
  const steps = statistics.meanAbsolute.map((mean) => Math.max(2 * mean / Math.sqrt(highest), SMALLEST_STEP_SIZE));
  return { params: { [STEP_SIZE]: Float32Array.from(steps) }, constants: {} };
}

/** Q_P of a signed 1-bit tensor is 0; the gradient scale and the start value then take 1. */
function highestOf(bounds: RoundBounds): number {
  return Math.max(bounds.high, 1);
}

function symmetricGrid(own: OwnNumbers, bounds: RoundBounds): Grid {
  return { ...bounds, scale: [...own[STEP_SIZE]!], zero: [0] };
}

function weight(options: QuantizedTensorOptions): WeightQuantizer {
  requireBits("LSQ", options.bits);
  const bounds = lsqBounds({ ...options, signed: true }), highest = highestOf(bounds);
  const parts = (weight: Tensor, own: Leaves<Tensor>) => {
    const stepSize = own[STEP_SIZE]!; // [channels]
    const scaled = scaleGradient(stepSize, gradientScale(weight.size / stepSize.size, highest));
    return { stepSize: scaled, levels: roundClip(tf.mul(weight, inverseStepSize(scaled)), bounds) };
  };
  return {
    bits: options.bits,
    start: (statistics) => start(statistics, highest),
    apply(weight, own) {
      const { stepSize, levels } = parts(weight, own);
      return tf.mul(levels, stepSize);
    },
    levels: (weight, own) => parts(weight, own).levels,
    grid: (own) => symmetricGrid(own, bounds),
  };
}

function activation(options: QuantizedTensorOptions): ActivationQuantizer {
  requireBits("LSQ", options.bits);
  const bounds = lsqBounds(options), highest = highestOf(bounds);
  const stepSize = (own: Leaves<Tensor>, size: number) => scaleGradient(own[STEP_SIZE]!, gradientScale(size, highest));
  return {
    bits: options.bits,
    start: (statistics) => start(statistics, highest),
    inverseStep: (own, size) => inverseStepSize(stepSize(own, size)),
    quantizeScaled: (scaled, own) => ({
      values: roundClip(scaled, bounds),
      scale: stepSize(own, scaled.size),
    }),
    grid: (own) => symmetricGrid(own, bounds),
  };
}

/**
 * Learned step size quantization (LSQ).
 *
 *   v̄ = round(clip(v / s, Q_N, Q_P)),  v̂ = v̄ s                                (Eq. 1-2)
 *   ∂v̂/∂s = round(v/s) - v/s inside; Q_N or Q_P outside, times 1/sqrt(N Q_P)   (Eq. 3, section 2.2)
 *   ∂v̂/∂v = 1 inside, 0 outside                                                (Eq. 5)
 *   s starts at 2 <|v|> / sqrt(Q_P)                                             (section 2.1)
 *
 * Weights: signed, one step size an output channel. Activations: one step size, unsigned behind a relu, signed elsewhere.
 * Conventions: ties go up; a value at Q_N or Q_P counts as inside.
 * Deviations: the paper has one step size a layer for weights too, and starts the activations' from the first batch; we
 * take them from the calibration images. N counts the batch for activations, as MQBench does; the paper says "features".
 *
 * @see Esser et al., ICLR 2020, arXiv:1902.08153
 */
export const lsq: Quantizer = { name: "lsq", source: "Esser et al., ICLR 2020, arXiv:1902.08153", weight, activation };
