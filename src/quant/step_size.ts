/** Shared by every quantizer with a learned step size. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "../engine/types.ts";

/** Name of a learned step size among a quantizer's parameters. */
export const STEP_SIZE = "step_size";

/** Step sizes are at least this: the optimizer sees to it after every update. */
export const SMALLEST_STEP_SIZE = 1e-6;

/** Checks the bits of a quantizer. @throws {RangeError} If bits is not an integer in [1, 8]. */
export function requireBits(quantizer: string, bits: number): void {
  if (!Number.isInteger(bits) || bits < 1 || bits > 8) {
    throw new RangeError(
      `Cannot build ${quantizer} quantizer as bits must be an integer in [1, 8]: current value is ${bits}`,
    );
  }
}

/** x itself; its gradient is multiplied by `factor`. */
export function scaleGradient(x: Tensor, factor: number): Tensor {
  const op = tf.customGrad((...args: unknown[]) => {
    const [x] = args as [Tensor];
    return { value: tf.clone(x), gradFunc: (dy: Tensor) => tf.mul(dy, factor) };
  });
  return op(x);
}

/** The largest float32. */
const LARGEST = 3.4028234663852886e38;

/** x itself; a gradient of it that float32 cannot hold (infinite, or a difference of infinities) counts as 0. */
export function holdGradient(x: Tensor): Tensor {
  const op = tf.customGrad((...args: unknown[]) => {
    const [x] = args as [Tensor];
    return {
      value: tf.clone(x),
      gradFunc: (dy: Tensor) => tf.where(tf.greater(LARGEST, tf.abs(dy)), dy, tf.zerosLike(dy)),
    };
  });
  return op(x);
}

/**
 * 1 / s, whose gradient d is the sum of du x over all that s scales, u = x / s; s then gets -d / s².
 *
 * For |x| from about 1e18 on float32 may not hold d: then it counts as 0 instead of making s infinite or NaN.
 */
export function inverseStepSize(stepSize: Tensor): Tensor {
  return holdGradient(tf.reciprocal(stepSize));
}

/**
 * LSQ's gradient scale g = 1 / sqrt(N Q_P) (Esser et al. 2020, section 2.2).
 *
 * @param count N: how many values share the step size. For activations the batch counts too, as in MQBench.
 * @param highest Q_P: the highest integer.
 */
export function gradientScale(count: number, highest: number): number {
  return 1 / Math.sqrt(count * highest);
}
