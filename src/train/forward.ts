import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { ForwardOptions, ForwardResult } from "../methods/types.ts";
import type { Model, ModelQuantization } from "../nn/types.ts";

/** A forward pass of `model`; see `ForwardOptions`. */
export function forward(
  model: Model,
  quantization: ModelQuantization | null,
  options: ForwardOptions,
): ForwardResult {
  const updates: Record<string, Tensor> = {};
  const output = model.forward({
    ...options.network,
    training: options.training,
    quantization: options.quantized ? quantization : null,
    hooks: options.hooks ?? {},
    updates,
  }, options.images);
  return { ...output, updates };
}

/** Mean and standard deviation of a data set's channels, of values divided by 255. */
export interface ImageScale {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** (x / 255 - mean) / std for bytes x given as int32 [batch, h, w, c]. */
export function normaliseImages(bytes: Tensor, { mean, std }: ImageScale): Tensor {
  const factor = tf.tensor1d(std.map((s) => 1 / (255 * s))), offset = tf.tensor1d(mean.map((m, i) => -m / std[i]!));
  return tf.add(tf.mul(tf.cast(bytes, "float32"), factor), offset);
}
