import { InputError } from "../errors.ts";
import { stream } from "../random/stream.ts";
import { type Augmentation, copyAugmented, CROP_PADDING, NO_AUGMENTATION } from "./augment.ts";
import type { Split } from "./types.ts";

/** Which batch: everything it depends on. */
export interface BatchOptions {
  readonly split: Split;
  /** [height, width, channels]. */
  readonly imageShape: readonly [number, number, number];
  /** Images of `split` that are trained on. */
  readonly indices: Uint32Array;
  readonly seed: number;
  /** From 0. */
  readonly epoch: number;
  /** Within the epoch, in [0, stepsPerEpoch). */
  readonly step: number;
  readonly batchSize: number;
  /** `crop_flip`: pad by 4 zeros, crop to the size at random, mirror with probability 1/2. */
  readonly augmentation: "none" | "crop_flip";
  /** Independently augmented copies of the same images. */
  readonly views: 1 | 2;
}

/** Images and labels of one training step. */
export interface Batch {
  /** Each [batchSize, height, width, channels], bytes as int32 since tfjs has no uint8. */
  readonly views: Int32Array[];
  /** [batchSize]. */
  readonly labels: Int32Array;
  /** [batchSize], places in `split`. */
  readonly indices: Int32Array;
}

/**
 * Steps an epoch; what does not fill a batch is left out of it (other images every epoch), so that shapes are static.
 * @throws {InputError} If there are fewer images than one batch holds.
 */
export function stepsPerEpoch(count: number, batchSize: number): number {
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > count) {
    throw new InputError(
      `Cannot make batches of ${batchSize} from ${count} training images: take a batch size between 1 and ${count}`,
    );
  }
  return Math.floor(count / batchSize);
}

/** What is done to an image in one view of an epoch: from the stream (seed, epoch, image, view), so of no order. */
export function augmentationOf(
  image: number,
  options: { seed: number; epoch: number; view: number },
): Augmentation {
  const { seed, epoch, view } = options;
  const draws = stream({ seed, purpose: "augmentation", a: epoch, b: 2 * image + view }), places = 2 * CROP_PADDING + 1;
  return { top: draws.integer(places), left: draws.integer(places), flip: draws.uniform() < 0.5 };
}

/** The last order of each list of indices: consecutive steps share it. Only saves time. */
const lastOrders = new WeakMap<Uint32Array, { seed: number; epoch: number; order: Uint32Array }>();

function epochOrder(indices: Uint32Array, options: { seed: number; epoch: number }): Uint32Array {
  const { seed, epoch } = options, last = lastOrders.get(indices);
  if (last?.seed === seed && last.epoch === epoch && last.order.length === indices.length) return last.order;
  const order = stream({ seed, purpose: "order", a: epoch }).permutation(indices.length);
  lastOrders.set(indices, { seed, epoch, order });
  return order;
}

/**
 * The batch of one step: any step can be had without those before it.
 *
 * The order of an epoch is a permutation from the stream (seed, epoch); crops and mirrors are `augmentationOf`.
 *
 * @throws {RangeError} If the epoch has no such step.
 */
export function batchAt(options: BatchOptions): Batch {
  const { split, imageShape, seed, epoch, step, batchSize } = options;
  const steps = stepsPerEpoch(options.indices.length, batchSize);
  if (!Number.isInteger(step) || step < 0 || step >= steps) {
    throw new RangeError(`Cannot make a batch as the step must be in [0, ${steps}): current value is ${step}`);
  }
  const order = epochOrder(options.indices, { seed, epoch });
  const indices = Int32Array.from(
    order.subarray(step * batchSize, (step + 1) * batchSize),
    (place) => options.indices[place]!,
  );
  const size = imageShape[0] * imageShape[1] * imageShape[2];
  const views = Array.from({ length: options.views }, (_, view) => {
    const images = new Int32Array(batchSize * size);
    indices.forEach((image, to) => {
      const augmentation = options.augmentation === "crop_flip"
        ? augmentationOf(image, { seed, epoch, view })
        : NO_AUGMENTATION;
      copyAugmented(split.images, images, { imageShape, from: image, to, augmentation });
    });
    return images;
  });
  return { views, labels: indices.map((image) => split.labels[image]!), indices };
}

/** Images to evaluate on. */
export interface EvaluationBatch {
  /** [batchSize, height, width, channels], bytes as int32. */
  readonly images: Int32Array;
  /** [batchSize]. */
  readonly labels: Int32Array;
  /** How many come from the split; the rest, in the last batch, are zeros. */
  readonly valid: number;
}

/** The images `indices` of a split in order, unchanged, in batches of one size. */
export function* evaluationBatches(
  split: Split,
  indices: Uint32Array,
  batchSize: number,
): Generator<EvaluationBatch, void> {
  const size = split.images.length / split.count;
  for (let start = 0; start < indices.length; start += batchSize) {
    const images = new Int32Array(batchSize * size), labels = new Int32Array(batchSize);
    const valid = Math.min(batchSize, indices.length - start);
    for (let i = 0; i < valid; i++) {
      const image = indices[start + i]!;
      images.set(split.images.subarray(image * size, (image + 1) * size), i * size);
      labels[i] = split.labels[image]!;
    }
    yield { images, labels, valid };
  }
}
