import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../engine/ops.ts";
import type { NetworkTensors } from "../methods/types.ts";
import type { Hooks, ModelQuantization } from "../nn/types.ts";
import { forward, normaliseImages } from "../train/forward.ts";
import type { MeasuredBatch } from "./batches.ts";
import type { Subject } from "./types.ts";

/** The batch's part of the mean cross-entropy of `logits` over all measured images; a scalar. */
export function weightedCrossEntropy(logits: Tensor, { labels, weights }: MeasuredBatch): Tensor {
  const targets = oneHot(labels, logits.shape[1]!);
  const losses = tf.neg(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), -1)); // [batch]
  return tf.sum(tf.mul(losses, weights));
}

/** The same of a network, batch norm in inference mode. */
export function weightedLoss(
  { model, dataset }: Pick<Subject, "model" | "dataset">,
  options: { network: NetworkTensors; batch: MeasuredBatch; quantization: ModelQuantization; hooks?: Hooks },
): Tensor {
  const { network, batch, quantization, hooks = {} } = options;
  const images = normaliseImages(batch.images, dataset);
  const { logits } = forward(model, quantization, { network, images, training: false, quantized: true, hooks });
  return weightedCrossEntropy(logits, batch);
}
