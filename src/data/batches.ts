import { InputError } from "../errors.ts";
import { stream } from "../random/stream.ts";
import { type Augmentation, copyAugmented, CROP_PADDING, NO_AUGMENTATION } from "./augment.ts";
import { augmentStrongly, strongAugmentationOf } from "./strong.ts";
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
  /**
   * Places of the views that get RandAugment and cutout after that.
   * @default none
   */
  readonly strongViews?: readonly number[];
  /**
   * True: images are not cropped and mirrored where `Batch.crops` says how; whoever gets the batch does that later.
   * @default false
   */
  readonly leaveCrops?: boolean;
  /**
   * Which stream orders the images.
   * @default "order"
   */
  readonly orderPurpose?: "order" | "unlabelled_order";
}

/** Places and labels of one training step's images. */
export interface DrawnBatch {
  /** Crops and mirrors still to do in each view, `crops` of `cropFlip` in engine/ops.ts, [batchSize, 3]; null: none. */
  readonly crops: (Int32Array | null)[];
  /** [batchSize]. */
  readonly labels: Int32Array;
  /** [batchSize], places in `split`. */
  readonly indices: Int32Array;
}

/** Images and labels of one training step. */
export interface Batch extends DrawnBatch {
  /** Each [batchSize, height, width, channels], bytes as int32 since tfjs has no uint8. */
  readonly views: Int32Array[];
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

/**
 * Draws what is done to an image in one view of an epoch. It comes from the stream (seed, epoch, image, view), so it does
 * not depend on any order.
 */
export function augmentationOf(
  image: number,
  options: { seed: number; epoch: number; view: number },
): Augmentation {
  const { seed, epoch, view } = options;
  const draws = stream({ seed, purpose: "augmentation", a: epoch, b: 2 * image + view }), places = 2 * CROP_PADDING + 1;
  return { top: draws.integer(places), left: draws.integer(places), flip: draws.uniform() < 0.5 };
}

/** The last order of each list of indices: consecutive steps share it. Only saves time. */
const lastOrders = new WeakMap<Uint32Array, { key: string; order: Uint32Array }>();

function epochOrder({ indices, seed, epoch, orderPurpose = "order" }: BatchOptions): Uint32Array {
  const key = `${orderPurpose} ${seed} ${epoch}`, last = lastOrders.get(indices);
  if (last?.key === key && last.order.length === indices.length) return last.order;
  const order = stream({ seed, purpose: orderPurpose, a: epoch }).permutation(indices.length);
  lastOrders.set(indices, { key, order });
  return order;
}

/** Checks whether a view's crops are left to whoever gets the batch. A strong view is made from the cropped image. */
function leavesCrops({ leaveCrops = false, augmentation, strongViews }: BatchOptions, view: number): boolean {
  return leaveCrops && augmentation === "crop_flip" && !strongViews?.includes(view);
}

/** The crops of a view, [batchSize, 3]. */
function cropsOf(images: Int32Array, address: { seed: number; epoch: number; view: number }): Int32Array {
  const crops = new Int32Array(3 * images.length);
  images.forEach((image, place) => {
    const { top, left, flip } = augmentationOf(image, address);
    crops.set([top, left, Number(flip)], 3 * place);
  });
  return crops;
}

/** One view of one image into its place of `target`, which holds zeros there. */
function writeView(
  target: Int32Array,
  options: BatchOptions & { readonly image: number; readonly place: number; readonly view: number },
): void {
  const { split, imageShape, seed, epoch, image, place, view } = options;
  const augmentation = options.augmentation === "crop_flip" && !leavesCrops(options, view)
    ? augmentationOf(image, { seed, epoch, view })
    : NO_AUGMENTATION;
  if (!options.strongViews?.includes(view)) {
    copyAugmented(split.images, target, { imageShape, from: image, to: place, augmentation });
    return;
  }
  const bytes = new Uint8Array(imageShape[0] * imageShape[1] * imageShape[2]);
  copyAugmented(split.images, bytes, { imageShape, from: image, to: 0, augmentation });
  const strong = strongAugmentationOf(image, { seed, epoch, view, imageShape });
  target.set(augmentStrongly({ bytes, shape: imageShape }, strong), place * bytes.length);
}

/**
 * Draws the batch of one step, without its images: any step can be had without those before it.
 *
 * The order of an epoch is a permutation from the stream (seed, epoch); crops and mirrors are `augmentationOf`.
 *
 * @throws {RangeError} If the epoch has no such step.
 */
export function drawBatch(options: BatchOptions): DrawnBatch {
  const { split, step, batchSize } = options;
  const steps = stepsPerEpoch(options.indices.length, batchSize);
  if (!Number.isInteger(step) || step < 0 || step >= steps) {
    throw new RangeError(`Cannot make a batch as the step must be in [0, ${steps}): current value is ${step}`);
  }
  const order = epochOrder(options);
  const indices = Int32Array.from(
    order.subarray(step * batchSize, (step + 1) * batchSize),
    (place) => options.indices[place]!,
  );
  const crops = Array.from(
    { length: options.views },
    (_, view) => leavesCrops(options, view) ? cropsOf(indices, { ...options, view }) : null,
  );
  return { crops, labels: indices.map((image) => split.labels[image]!), indices };
}

/** The images of one view of a drawn batch; a strong view gets `strongAugmentationOf` beside crop and mirror. */
export function viewOf(options: BatchOptions, indices: Int32Array, view: number): Int32Array {
  const size = options.imageShape.reduce((product, dim) => product * dim, 1);
  const images = new Int32Array(indices.length * size);
  indices.forEach((image, place) => writeView(images, { ...options, image, place, view }));
  return images;
}

/** The batch of one step, drawn and with its images. */
export function batchAt(options: BatchOptions): Batch {
  const drawn = drawBatch(options);
  return { ...drawn, views: drawn.crops.map((_, view) => viewOf(options, drawn.indices, view)) };
}

/**
 * The place of one step of a whole run, however often the run goes through `indices`: passes follow one another, each of
 * floor(images / batchSize) steps and in an order of its own. A pass takes the place of the epoch in all streams.
 *
 * @param options step: from 0, over the whole run.
 */
export function inPass(options: Omit<BatchOptions, "epoch">): BatchOptions {
  const steps = stepsPerEpoch(options.indices.length, options.batchSize);
  return { ...options, epoch: Math.floor(options.step / steps), step: options.step % steps };
}

/** The batch of one step of a whole run: see `inPass`. */
export function endlessBatchAt(options: Omit<BatchOptions, "epoch">): Batch {
  return batchAt(inPass(options));
}

/** Images to evaluate on. */
export interface EvaluationBatch {
  /** [batchSize, height, width, channels], bytes as int32. */
  readonly images: Int32Array;
  /** [batchSize]. */
  readonly labels: Int32Array;
  /** Number of images from the split; the rest, in the last batch, are zeros. */
  readonly valid: number;
}

/**
 * The images `indices` of a split in order, unchanged, in batches of one size.
 * @throws {InputError} If the split has no such image: zeros with label 0 would be evaluated in its place.
 */
export function* evaluationBatches(
  split: Split,
  indices: Uint32Array,
  batchSize: number,
): Generator<EvaluationBatch, void> {
  const size = split.images.length / split.count, absent = indices.find((image) => image >= split.count);
  if (absent !== undefined) {
    throw new InputError(
      `Cannot evaluate image ${absent} as there are ${split.count}: take testExamples of at most ${split.count}`,
    );
  }
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
