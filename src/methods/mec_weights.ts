/** MEC's coding length of weights. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { paths } from "../nn/layers.ts";
import type { Model } from "../nn/types.ts";
import type { Leaves } from "../tree.ts";
import { codingLength, normaliseRows } from "./coding_length.ts";

/**
 * Mean over all layers of the exact coding length of a latent weight's rows: one row per output channel, divided by its length;
 * [k² in, out] columns whatever the kind of layer.
 */
export function weightsLength(model: Model, options: { params: Leaves<Tensor>; distortion: number }): Tensor {
  const lengths = model.layers.map((layer) => {
    const columns = tf.reshape(options.params[paths.weight(layer)]!, [-1, layer.outChannels]);
    return codingLength(tf.expandDims(normaliseRows(tf.transpose(columns)), 0), { distortion: options.distortion });
  });
  return tf.mean(tf.concat(lengths));
}
