import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { DECAYED_PARAMETERS, POSITIVE_PARAMETERS } from "../quant/parameters.ts";
import { SMALLEST_STEP_SIZE } from "../quant/step_size.ts";
import type { Leaves } from "../tree.ts";

/** Stochastic gradient descent with momentum. */
export interface SgdOptions {
  readonly momentum: number;
  /** On the weights of convolutions and dense layers and on PACT's clipping levels; not on step sizes, norms and biases. */
  readonly weightDecay: number;
  /**
   * True: a step size below 0 changes its sign before it is cut.
   * @default false
   */
  readonly reflectsStepSizes?: boolean;
}

/** True where weight decay acts on the parameter at `path`. */
export function decays(path: string): boolean {
  return endsWith(path, ["weight", ...DECAYED_PARAMETERS]);
}

function endsWith(path: string, names: readonly string[]): boolean {
  return names.some((name) => path.endsWith(`/${name}`));
}

/**
 * v <- momentum v + (g + decay w),  w <- w - rate v   (PyTorch's SGD, Sutskever et al. 2013 without dampening)
 *
 * Step sizes and clipping levels are kept positive: cut at 1e-6 after the update, step sizes where it is asked for after
 * their sign was dropped (|s|).
 *
 * @param rate Scalar.
 */
export function sgd(
  params: Leaves<Tensor>,
  gradients: Leaves<Tensor>,
  options: SgdOptions & { velocity: Leaves<Tensor>; rate: Tensor },
): { params: Record<string, Tensor>; velocity: Record<string, Tensor> } {
  const next: Record<string, Tensor> = {}, velocity: Record<string, Tensor> = {};
  for (const [path, weight] of Object.entries(params)) {
    const decayed = decays(path) && options.weightDecay > 0
      ? tf.add(gradients[path]!, tf.mul(weight, options.weightDecay))
      : gradients[path]!;
    velocity[path] = tf.add(tf.mul(options.velocity[path]!, options.momentum), decayed);
    const moved = tf.sub(weight, tf.mul(velocity[path], options.rate));
    next[path] = endsWith(path, POSITIVE_PARAMETERS)
      ? tf.maximum(options.reflectsStepSizes ? tf.abs(moved) : moved, SMALLEST_STEP_SIZE)
      : moved;
  }
  return { params: next, velocity };
}
