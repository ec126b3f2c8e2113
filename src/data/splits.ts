import { InputError } from "../errors.ts";
import { stream } from "../random/stream.ts";
import type { Split } from "./types.ts";

/** How a training set is divided. */
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
