import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { evaluationBatches } from "../data/batches.ts";
import type { Split } from "../data/types.ts";
import type { Dataset } from "../data/types.ts";

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
