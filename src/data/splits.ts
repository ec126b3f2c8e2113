import { stream } from "../random/stream.ts";
import { InputError } from "../errors.ts";
import type { Split } from "./types.ts";

/** How the training images are divided. */
export interface SplitOptions {
  /** How many are held out for choosing hyper-parameters. */
  readonly heldOut: number;
  /** How many of the rest are trained on; null: all. */
  readonly trainExamples: number | null;
}

/** Indices into the training images. */
export interface TrainingSplit {
  readonly training: Uint32Array<ArrayBuffer>;
  readonly heldOut: Uint32Array<ArrayBuffer>;
}

/**
 * Divides the training images by one fixed permutation: the same for every seed, so that a held-out image is never trained on.
 * @throws {InputError} If there are not enough images.
 */
export function splitTraining(train: Split, { heldOut, trainExamples }: SplitOptions): TrainingSplit {
  const wanted = heldOut + (trainExamples ?? 1);
  if (wanted > train.count) {
    throw new InputError(
      `Cannot take ${
        trainExamples ?? 1
      } training images beside ${heldOut} held out as the data set has ${train.count}: ask for fewer`,
    );
  }
  const order = stream({ seed: 0, purpose: "split" }).permutation(train.count);
  const rest = order.subarray(heldOut);
  return { heldOut: order.slice(0, heldOut), training: rest.slice(0, trainExamples ?? rest.length) };
}
