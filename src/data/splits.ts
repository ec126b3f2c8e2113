import { InputError } from "../errors.ts";
import { stream } from "../random/stream.ts";
import type { Split } from "./types.ts";

/** Options for dividing a training set. */
export interface SplitOptions {
  /** Images held out of training for choosing hyper-parameters. */
  readonly heldOut: number;
  /** Images used of those that remain; null: all. */
  readonly trainExamples: number | null;
}

/** Indices into the training set. */
export interface TrainingSplit {
  readonly training: Uint32Array;
  readonly heldOut: Uint32Array;
}

/**
 * Divides a training set into training and held-out images by one fixed permutation, the same for every run and seed.
 *
 * The held-out images are its first ones and training takes those that follow, so a smaller training set is a part of
 * a larger one. Classes are not balanced.
 *
 * @throws {InputError} If more images are asked for than there are.
 */
export function splitTraining(split: Pick<Split, "count">, options: SplitOptions): TrainingSplit {
  const { heldOut, trainExamples } = options, remaining = split.count - heldOut;
  if (!Number.isInteger(heldOut) || heldOut < 0 || remaining < 1) {
    throw new InputError(
      `Cannot hold out ${heldOut} of ${split.count} training images: hold out between 0 and ${split.count - 1}`,
    );
  }
  const used = trainExamples ?? remaining;
  if (!Number.isInteger(used) || used < 1 || used > remaining) {
    throw new InputError(
      `Cannot train on ${used} images as ${split.count} training images less ${heldOut} held out leave ${remaining}: ` +
        `take between 1 and ${remaining}`,
    );
  }
  const order = stream({ seed: 0, purpose: "split" }).permutation(split.count);
  return { training: order.slice(heldOut, heldOut + used), heldOut: order.slice(0, heldOut) };
}

/** Training images of which the label is used, and those of which it is not. */
export interface LabelledSplit {
  /** Each class equally often. */
  readonly labelled: Uint32Array;
  readonly unlabelled: Uint32Array;
}

/**
 * Chooses the labelled part of the training images `indices`: round(fraction n / classes) of every class, by a stream of the
 * seed; a smaller part of the same seed lies in a larger one. Both parts keep the order of the draw.
 *
 * @param options fraction: in (0, 1).
 * @throws {InputError} If a class has fewer images than that, or it would be none.
 */
export function chooseLabelled(
  split: Pick<Split, "labels">,
  options: { indices: Uint32Array; classes: number; fraction: number; seed: number },
): LabelledSplit {
  const { indices, classes, fraction, seed } = options;
  const each = Math.round(fraction * indices.length / classes);
  if (each < 1) {
    throw new InputError(
      `Cannot label ${fraction} of ${indices.length} training images as that is less than one of each of ${classes} ` +
        "classes: take a larger fraction",
    );
  }
  const taken = new Array<number>(classes).fill(0), labelled: number[] = [], unlabelled: number[] = [];
  for (const place of stream({ seed, purpose: "labelled" }).permutation(indices.length)) {
    const image = indices[place]!, label = split.labels[image]!;
    (taken[label]! < each ? labelled : unlabelled).push(image);
    taken[label]! += 1;
  }
  const short = taken.findIndex((count) => count < each);
  if (short >= 0) {
    throw new InputError(
      `Cannot label ${each} images of every class as class ${short} has ${
        taken[short]
      } of ${indices.length} training ` +
        "images: take a smaller fraction",
    );
  }
  return { labelled: Uint32Array.from(labelled), unlabelled: Uint32Array.from(unlabelled) };
}
