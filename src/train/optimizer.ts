import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { SMALLEST_STEP_SIZE, STEP_SIZE } from "../quant/step_size.ts";
import type { Leaves } from "../tree.ts";

/** Stochastic gradient descent with momentum. */
export interface SgdOptions {
  readonly momentum: number;
  /** On the weights of convolutions and dense layers; not on step sizes, batch norm and biases. */
  readonly weightDecay: number;
}

/** Whether weight decay acts on the parameter at `path`. */
export function decays(path: string): boolean {
  return path.endsWith("/weight");
}

/**
 * v <- momentum v + (g + decay w),  w <- w - rate v   (PyTorch's SGD, Sutskever et al. 2013 without dampening)
 *
 * Step sizes are kept positive: projected to at least 1e-6 after the update.
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
    next[path] = path.endsWith(`/${STEP_SIZE}`) ? tf.maximum(moved, SMALLEST_STEP_SIZE) : moved;
  }
  return { params: next, velocity };
}
