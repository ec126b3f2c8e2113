/** Statistics over seeds. All functions are pure; random draws come from a seeded stream. */
import { type Interval, mean, standardDeviation } from "./basics.ts";
import { bcaInterval } from "./bootstrap.ts";
import { tInterval, tTestP } from "./student.ts";

/** One seed that two arms share. */
export interface SeedDifference {
  /** Seed of both runs. */
  readonly seed: number;
  /** Value of the arm less that of the other. */
  readonly difference: number;
}

/** Differences of two arms over the seeds that both have. */
export interface PairedDifference {
  /** Number of pairs. */
  readonly n: number;
  /** Mean difference. */
  readonly mean: number;
  /** Null for n = 1. */
  readonly sd: number | null;
  /** The t 95 % interval of the mean, by which verdicts are made; null for n = 1. */
  readonly interval: Interval | null;
  /** The BCa bootstrap 95 % interval, for comparison; null where there is none. */
  readonly bootstrap: Interval | null;
  /** Reason why there is no bootstrap interval. */
  readonly bootstrapNote: string | null;
  /** Two-sided p-value of "no difference" by Student's t; null without spread. */
  readonly tTestP: number | null;
  /** The same by exact sign flips; null for more than 20 pairs. */
  readonly signFlipP: number | null;
  /** In the order of the runs. */
  readonly pairs: readonly SeedDifference[];
}

/** Seed of every bootstrap: the same records give the same interval. */
const BOOTSTRAP_SEED = 0;

/** All that a report says of paired differences. @throws {RangeError} If there is none. */
export function pairedDifference(pairs: readonly SeedDifference[]): PairedDifference {
  const differences = pairs.map(({ difference }) => difference);
  const n = differences.length, centre = mean(differences), sd = standardDeviation(differences);
  const { interval: bootstrap, note: bootstrapNote } = bcaInterval(differences, { seed: BOOTSTRAP_SEED });
  return {
    n,
    mean: centre,
    sd,
    interval: sd === null ? null : tInterval({ n, mean: centre, sd }),
    bootstrap,
    bootstrapNote,
    tTestP: sd === null ? null : tTestP({ n, mean: centre, sd }),
    signFlipP: signFlipP(differences),
    pairs,
  };
}

/** 2^20 sign patterns take some milliseconds; no table has more seeds. */
const MAXIMUM_VALUES = 20;
/** Sums this near each other, relative to the sum of magnitudes, count as equal: they were rounded. */
const TIE = 1e-12;

/**
 * Two-sided p-value of the exact sign-flip test (Fisher's randomization test of paired differences): the share of all 2^n
 * sign patterns whose |sum| is at least the observed one. It asks only that the differences are symmetric about 0.
 *
 * Its smallest value is 2 / 2^n: 0.25 for 3 pairs, 0.0625 for 5, so below 6 pairs it cannot reach 0.05.
 *
 * @returns Null for no value, and for more than 20.
 */
export function signFlipP(differences: readonly number[]): number | null {
  const n = differences.length;
  if (n === 0 || n > MAXIMUM_VALUES) return null;
  const magnitudes = differences.map(Math.abs);
  const scale = magnitudes.reduce((total, value) => total + value, 0);
  const observed = Math.abs(differences.reduce((total, value) => total + value, 0)) - TIE * scale;
  let extreme = 0;
  // the first sign stays: a pattern and its mirror have the same |sum|
  for (let pattern = 0; pattern < 2 ** (n - 1); pattern++) {
    let total = magnitudes[n - 1]!;
    for (let index = 0; index < n - 1; index++) {
      total += (pattern >> index) & 1 ? magnitudes[index]! : -magnitudes[index]!;
    }
    if (Math.abs(total) >= observed) extreme++;
  }
  return extreme / 2 ** (n - 1);
}

/**
 * Holm's step-down adjustment of a family of p-values (Holm 1979): the i-th smallest of m becomes the largest of
 * (m - j + 1) p_(j) over j <= i, at most 1. An adjusted p-value of at most 0.05 keeps the chance of any false finding in
 * the family below 5 %, whatever the dependence.
 *
 * @param pValues Null: not tested, and no member of the family.
 * @returns In the same order.
 */
export function holm(pValues: readonly (number | null)[]): (number | null)[] {
  const family = pValues.flatMap((p, index) => p === null ? [] : [{ p, index }]).sort((a, b) => a.p - b.p);
  const adjusted: (number | null)[] = pValues.map(() => null);
  let largest = 0;
  family.forEach(({ p, index }, rank) => {
    largest = Math.max(largest, Math.min(1, (family.length - rank) * p));
    adjusted[index] = largest;
  });
  return adjusted;
}
