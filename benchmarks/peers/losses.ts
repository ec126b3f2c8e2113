/** Whether two sides did the same: their losses in the first steps. */
import type { Side } from "./measurement.ts";

/** How far, relatively, the losses of the first steps may differ for a figure to count. */
export const LOSS_TOLERANCE = 1e-3;

/**
 * Losses of a low-bit step differ by rounding flips alone: then also by as much as PyTorch's own two forms, eager and
 * torch.compile, differ in the same steps, yet never by more than this. Whatever differs by more is not the same step.
 */
export const FLIP_LIMIT = 1e-2;

/** The two losses of two sides that differ most, and by how much, relatively; NaN differs by infinity. */
export interface LossDifference {
  readonly difference: number;
  readonly pair: readonly [number, number];
}

/** Whether a side's losses agree with Requant's. */
export interface Agreement extends LossDifference {
  /** Between eager and torch.compile; null: one of them was not run. */
  readonly ownDifference: number | null;
  readonly counts: boolean;
}

/** Over all rounds, processes and first steps, from the first process of `reference`; both have rounds. */
export function lossDifference(reference: Side, other: Side): LossDifference {
  let worst: LossDifference = { difference: -1, pair: [NaN, NaN] };
  const losses = reference.rounds[0]![0]!.losses;
  for (const sample of [...reference.rounds, ...other.rounds].flat()) {
    losses.forEach((first, step) => {
      const second = sample.losses[step] ?? NaN, relative = Math.abs(first - second) / Math.abs(first);
      const difference = Number.isNaN(relative) ? Infinity : relative;
      if (difference > worst.difference) worst = { difference, pair: [first, second] };
    });
  }
  return worst;
}

/** How a side's losses agree with `ours`, in a case with these sides. */
export function agreement(side: Side, { ours, sides }: { ours: Side; sides: readonly Side[] }): Agreement {
  const found = lossDifference(ours, side);
  const [eager, compiled] = ["eager", "compile"].map((name) => sides.find((other) => other.name === name));
  const ownDifference = eager && compiled && eager.rounds.length > 0 && compiled.rounds.length > 0
    ? lossDifference(eager, compiled).difference
    : null;
  const byFlips = found.difference <= FLIP_LIMIT && found.difference <= (ownDifference ?? 0);
  return { ...found, ownDifference, counts: found.difference <= LOSS_TOLERANCE || byFlips };
}
