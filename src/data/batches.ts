import { stream } from "../random/stream.ts";
import { copyCropped, copyImage, drawCropFlip } from "./augment.ts";
import type { Split } from "./types.ts";

/** Which batch. */
export interface BatchOptions {
  readonly split: Split;
  readonly imageShape: readonly [number, number, number];
  /** The images that an epoch goes through. */
  readonly indices: Uint32Array;
  readonly seed: number;
  readonly epoch: number;
  /** Within the epoch. */
  readonly step: number;
  readonly batchSize: number;
  readonly augmentation: "none" | "crop_flip";
  readonly views: 1 | 2;
}

/** A training batch. */
export interface Batch {
  /** For each view [batch, h, w, c], byte values. */
  readonly views: readonly Int32Array<ArrayBuffer>[];
  /** [batch], class indices. */
  readonly labels: Int32Array<ArrayBuffer>;
  /** [batch], which images of the split they are. */
  readonly images: Uint32Array<ArrayBuffer>;
}

/** Full batches in an epoch; the rest of the epoch's order is left out. */
export function stepsPerEpoch(images: number, batchSize: number): number {
  return Math.floor(images / batchSize);
}

/** The order of an epoch is needed by all of its steps: the last one is kept, keyed by what determines it. */
const lastOrder: { key: string; order: Uint32Array } = { key: "", order: new Uint32Array() };

function epochOrder({ indices, seed, epoch }: BatchOptions): Uint32Array {
  const key = `${seed}/${epoch}/${indices.length}`;
  if (lastOrder.key !== key) {
    lastOrder.order = stream({ seed, purpose: "order", a: epoch }).permutation(indices.length);
    lastOrder.key = key;
  }
  return lastOrder.order;
}

/**
 * A batch as a function of (seed, epoch, step): order from (seed, epoch), crop and flip from (seed, epoch, image, view).
 */
export function batchAt(options: BatchOptions): Batch {
  const { split, imageShape, batchSize, seed, epoch } = options;
  const order = epochOrder(options), size = imageShape[0] * imageShape[1] * imageShape[2];
  const images = Uint32Array.from(
    { length: batchSize },
    (_, i) => options.indices[order[options.step * batchSize + i]!]!,
  );
  const views = Array.from({ length: options.views }, (_, view) => {
    const to = new Int32Array(batchSize * size);
    images.forEach((image, i) => {
      const copy = { from: split.images, source: image * size, to, target: i * size, shape: imageShape };
      if (options.augmentation === "none") copyImage(copy);
      else copyCropped(copy, drawCropFlip(stream({ seed, purpose: "augmentation", a: epoch, b: 2 * image + view })));
    });
    return to;
  });
  return { views, images, labels: Int32Array.from(images, (image) => split.labels[image]!) };
}

/** A batch of an evaluation, filled up with zeros behind `valid` images. */
export interface EvaluationBatch {
  readonly images: Int32Array<ArrayBuffer>;
  readonly labels: Int32Array<ArrayBuffer>;
  readonly valid: number;
}

/** The images `indices` of `split` in order, in batches of one size. */
export function* evaluationBatches(split: Split, indices: Uint32Array, batchSize: number): Generator<EvaluationBatch> {
  const size = split.images.length / split.count;
  for (let begin = 0; begin < indices.length; begin += batchSize) {
    const part = indices.subarray(begin, begin + batchSize);
    const images = new Int32Array(batchSize * size), labels = new Int32Array(batchSize);
    part.forEach((image, i) => {
      images.set(split.images.subarray(image * size, (image + 1) * size), i * size);
      labels[i] = split.labels[image]!;
    });
    yield { images, labels, valid: part.length };
  }
}
