import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { relu, roundClip } from "../engine/ops.ts";
import type { Leaves } from "../tree.ts";
import { leastSquaresGrid } from "./least_squares.ts";
import { lsq } from "./lsq.ts";
import { OFFSET } from "./parameters.ts";
import {
  gradientScale,
  holdGradient,
  inverseStepSize,
  requireBits,
  scaleGradient,
  SMALLEST_STEP_SIZE,
  STEP_SIZE,
} from "./step_size.ts";
import type {
  ActivationQuantizer,
  QuantizedTensorOptions,
  Quantizer,
  QuantizerStart,
  TensorStatistics,
  WeightQuantizer,
} from "./types.ts";

/** LSQ's weights from another start. */
function weight(options: QuantizedTensorOptions): WeightQuantizer {
  return {
    ...lsq.weight(options),
    start({ mean, standardDeviation }) {
      const steps = mean.map((mu, i) => {
        const reach = 3 * standardDeviation[i]!;
        const step = Math.max(Math.abs(mu - reach), Math.abs(mu + reach)) / 2 ** (options.bits - 1);
        return Math.max(step, SMALLEST_STEP_SIZE);
      });
      return { params: { [STEP_SIZE]: Float32Array.from(steps) }, constants: {} };
    },
  };
}

/** The grid of least squared error over the sampled values; over the range where there is no sample. */
function start({ min, max, values }: TensorStatistics, highest: number): QuantizerStart {
  const least = min[0]!, most = max[0]!;
  const grid = (values && leastSquaresGrid(values, highest)) ?? { step: (most - least) / highest, offset: least };
  return {
    params: {
      [STEP_SIZE]: Float32Array.of(Math.max(grid.step, SMALLEST_STEP_SIZE)),
      [OFFSET]: Float32Array.of(grid.offset),
    },
    constants: {},
  };
}

function activation({ bits, signed }: QuantizedTensorOptions): ActivationQuantizer {
  requireBits("LSQ+", bits);
  const highest = 2 ** bits - 1;
  const learned = (own: Leaves<Tensor>, name: string, size: number) =>
    scaleGradient(own[name]!, gradientScale(size, highest));
  return {
    bits,
    startsFromValues: true,
    start: (statistics) => start(statistics, highest),
    inverseStep: (own, size) => inverseStepSize(learned(own, STEP_SIZE, size)),
    quantizeScaled(scaled, own) {
      const stepSize = learned(own, STEP_SIZE, scaled.size);
      const shift = holdGradient(tf.mul(learned(own, OFFSET, scaled.size), inverseStepSize(stepSize)));
      // with an offset below 0 the lower bound is no relu: what lies behind one must still be cut at 0
      const input = signed ? scaled : relu(scaled);
      const levels = roundClip(tf.sub(input, shift), { low: 0, high: highest });
      return { values: tf.add(levels, shift), scale: stepSize, levels };
    },
    grid(own) {
      const step = own[STEP_SIZE]![0]!;
      return { low: 0, high: highest, scale: [step], zero: [-own[OFFSET]![0]! / step] };
    },
  };
}

/**
 * LSQ+: learned step size and, for activations, learned offset.
 *
 *   activations: x̄ = round(clip((x - β) / s, 0, 2^b - 1)),  x̂ = x̄ s + β
 *     ∂x̂/∂s = x̄ - (x - β) / s inside, 0 or 2^b - 1 outside;  ∂x̂/∂β = 0 inside, 1 outside
 *   weights: LSQ's, signed symmetric; s starts at max(|μ - 3σ|, |μ + 3σ|) / 2^(b-1)
 *   activations: s and β start at the least mean (x - x̂)² over a sample of what calibration sees
 *
 * Weights: one s an output channel, μ and σ of that channel. Activations: one s and one β.
 * Conventions: ties go up; the bounds count as inside, so that zeros behind a relu which lie on the lower one give β no
 * gradient; zero padding is exact zero, whether or not that is a level.
 * Assumptions: β takes LSQ's gradient scale as s does; the least error is searched by least_squares.ts (the paper: by gradient
 * descent, over some batches). `lsq_plus_range` starts from the range instead.
 * Deviations: the paper has one s a layer for weights too.
 *
 * @see Bhalgat et al., CVPR Workshops 2020, arXiv:2004.09576
 */
export const lsqPlus: Quantizer = {
  name: "lsq_plus",
  source: "Bhalgat et al., CVPR Workshops 2020, arXiv:2004.09576",
  weight,
  activation,
};
