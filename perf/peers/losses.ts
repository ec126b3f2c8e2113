/** Whether two sides did the same: their losses in the first steps. */
import type { Side } from "./measurement.ts";

/** How far, relatively, the losses of the first steps may differ for a figure to count. */
export const LOSS_TOLERANCE = 1e-3;

/**
 * Losses of a low-bit step differ by rounding flips alone: then also by as much as PyTorch's own two forms, eager and
 * torch.compile, differ in the same steps, yet never by more than this, and they not either. Whatever differs by more is
 * not the same step.
 */
export const FLIP_LIMIT = 1e-2;

/**
 * Flips move both forms of PyTorch: a form must not excuse its own error by being far from the other. So the other one has at
 * least this part of its difference from Requant.
 */
const SHARED = 0.5;

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

/** A case, for its losses. */
export interface LossCase {
  readonly ours: Side;
  readonly sides: readonly Side[];
  /** Whether its step rounds, so that there are flips. */
  readonly isQuantized: boolean;
}

/** How a side's losses agree with `ours`. */
export function agreement(side: Side, { ours, sides, isQuantized }: LossCase): Agreement {
  const found = lossDifference(ours, side), { difference } = found;
  const forms = ["eager", "compile"].flatMap((name) =>
    sides.find((other) => other.name === name && other.rounds.length > 0) ?? []
  );
  const ownDifference = forms.length === 2 ? lossDifference(forms[0]!, forms[1]!).difference : null;
  const byFlips = isQuantized && ownDifference !== null && difference <= ownDifference && ownDifference <= FLIP_LIMIT &&
    forms.every((form) => form === side || lossDifference(ours, form).difference >= SHARED * difference);
  return { ...found, ownDifference, counts: difference <= LOSS_TOLERANCE || byFlips };
}
