/** What paired differences say about a stated one: the part of a verdict that is arithmetic. */
import { counted, points, signed } from "../labels.ts";
import type { PairedDifference } from "./statistics/paired.ts";
import { predictionInterval, seedsNeeded, seedsNeededToPredict } from "./statistics/student.ts";

/** Fewer seeds decide nothing. */
export const MINIMUM_SEEDS = 3;

/** What is stated of a difference. */
export interface Stated {
  /** 1: above 0; -1: below. */
  readonly sign: 1 | -1;
  /** How far on the other side of 0 still counts as stated, >= 0. */
  readonly margin: number;
  /** Its size, > 0; null: not stated. */
  readonly size: number | null;
}

/** What our differences say. */
export interface Decision {
  readonly direction: "holds" | "fails" | "undecided";
  /** Whether one run of ours cannot be as large as stated. */
  readonly isSmaller: boolean;
  /** Where one run of ours may reach, with the difference's own sign; null: fewer than 3 seeds, or no spread. */
  readonly reach: number | null;
  /** Why it is undecided, and what would decide; null: it is decided. */
  readonly why: string | null;
}

/**
 * Decides by the t 95 % interval [low, high] of the mean and the upper bound `top` of the t 95 % prediction interval, signs
 * turned so that the stated side is positive, the margin added:
 *
 *   fewer than 3 seeds, or all differences equal: undecided
 *   high <= 0: fails;  low > 0: holds;  else undecided
 *   top < size: smaller
 */
export function decide(difference: PairedDifference, { sign, margin, size }: Stated): Decision {
  const { n, sd } = difference;
  const undecided = (why: string): Decision => ({ direction: "undecided", isSmaller: false, reach: null, why });
  if (n < MINIMUM_SEEDS) {
    return undecided(`${counted(n, "common seed")}: ${counted(MINIMUM_SEEDS - n, "more seed")} needed`);
  }
  if (sd === 0) return undecided(`all ${n} differences are ${signed(difference.mean)}: no spread to judge by`);
  const interval = difference.interval!, sample = { n, sd: sd!, mean: sign * difference.mean };
  const low = (sign > 0 ? interval.low : -interval.high) + margin;
  const high = (sign > 0 ? interval.high : -interval.low) + margin;
  const top = predictionInterval(sample).high;
  const found = { isSmaller: size !== null && top < size, reach: sign * top };
  if (high <= 0) return { ...found, direction: "fails", why: null };
  if (low > 0) return { ...found, direction: "holds", why: null };
  return { ...found, direction: "undecided", why: seedsToDecide({ ...sample, mean: sample.mean + margin, size }) };
}

interface Outlook {
  readonly n: number;
  readonly sd: number;
  readonly mean: number;
  readonly size: number | null;
}

/**
 * How many seeds would decide if mean and spread stay: until the interval leaves 0, on either side, or the prediction
 * interval stays below the stated size, whichever is sooner. Said of a new set: seeds added until one decides find a gain
 * where there is none far more often than in 5 % of cases.
 */
function seedsToDecide({ n, sd, mean, size }: Outlook): string {
  const totals = [
    mean === 0 ? null : seedsNeeded(sd, Math.abs(mean)),
    size === null || size <= mean ? null : seedsNeededToPredict(sd, size - mean),
  ].filter((total) => total !== null);
  if (totals.length === 0) {
    return `a larger set of seeds is needed; at a spread of ${points(sd)} its size cannot be estimated`;
  }
  return `a new set of about ${Math.max(n + 1, Math.min(...totals))} seeds would decide, if the spread stays`;
}

/** `+0.51 [+0.10, +0.92]`; without an interval the mean alone. */
export function differenceWords(
  { mean, interval }: Pick<PairedDifference, "mean" | "interval">,
  write: (value: number) => string = signed,
): string {
  return interval === null ? write(mean) : `${write(mean)} [${write(interval.low)}, ${write(interval.high)}]`;
}
