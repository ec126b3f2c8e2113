import { InputError } from "../errors.ts";
import { stream } from "../random/stream.ts";
import type { Split } from "./types.ts";

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
