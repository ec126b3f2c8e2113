/** Images that are measured on, and means over them. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { evaluationBatches } from "../data/batches.ts";
import type { Dataset, Split } from "../data/types.ts";
import type { NetworkTensors } from "../methods/types.ts";
import type { Hooks, ModelQuantization } from "../nn/types.ts";
import { crossEntropies, Evaluator } from "../train/evaluation.ts";
import { forward, normaliseImages } from "../train/forward.ts";
import type { Subject } from "./types.ts";

/** One batch of images that are measured on; a type, so that it is a tree of tensors. */
export type MeasuredBatch = {
  /** int32 bytes [batch, h, w, c]. */
  readonly images: Tensor;
  /** int32 [batch]. */
  readonly labels: Tensor;
  /** [batch], 1/n for each of the n images in all, 0 where the last batch is filled up: sums are then means over all. */
  readonly weights: Tensor;
};

/** The batches of some images and their number; the caller disposes them. */
export interface MeasuredImages {
  readonly batches: readonly MeasuredBatch[];
  readonly count: number;
}

/** The first `count` images of `indices`, or all where there are fewer, unchanged and in order. */
export function measuredImages(
  split: Split,
  indices: Uint32Array,
  options: { count: number; batchSize: number; imageShape: Dataset["imageShape"] },
): MeasuredImages {
  const chosen = indices.subarray(0, options.count), batchSize = Math.min(options.batchSize, chosen.length);
  const batches = [...evaluationBatches(split, chosen, batchSize)].map(({ images, labels, valid }) => ({
    images: tf.tensor(images, [batchSize, ...options.imageShape], "int32"),
    labels: tf.tensor1d(labels, "int32"),
    weights: tf.tensor1d(Float32Array.from({ length: batchSize }, (_, i) => i < valid ? 1 / chosen.length : 0)),
  }));
  return { batches, count: chosen.length };
}

/** Frees the batches. */
export function disposeImages({ batches }: MeasuredImages): void {
  for (const batch of batches) tf.dispose([batch.images, batch.labels, batch.weights]);
}

/** The batch's part of a network's mean cross-entropy over all measured images, batch norm in inference mode; a scalar. */
export function weightedLoss(
  { model, dataset }: Pick<Subject, "model" | "dataset">,
  options: { network: NetworkTensors; batch: MeasuredBatch; quantization: ModelQuantization; hooks?: Hooks },
): Tensor {
  const { network, batch, quantization, hooks = {} } = options;
  const images = normaliseImages(batch.images, dataset);
  const { logits } = forward(model, quantization, { network, images, training: false, quantized: true, hooks });
  return tf.sum(tf.mul(crossEntropies(logits, batch.labels), batch.weights));
}

/** Mean of independent values, and its standard error sqrt(sum (x - mean)² / (n (n - 1))). */
export function meanAndError(values: readonly number[]): { mean: number; standardError: number } {
  const n = values.length, mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardError: Math.sqrt(squares / (n * (n - 1))) };
}

/** Scores networks of a subject on images, as their training did. */
export function testEvaluator({ engine, model, quantization, quantized, dataset }: Subject): Evaluator {
  return new Evaluator(engine, model, { quantization: quantized ? quantization : null, scale: dataset });
}
