/** Intervals and tests of a mean by Student's t: exact for normally distributed differences, at any n >= 2. */
import { CONFIDENCE, type Interval, noncentralTwoSided, tQuantile, tTwoSided } from "./basics.ts";

/** Summary of a sample. */
export interface Sample {
  /** At least 2. */
  readonly n: number;
  /** Mean of the values. */
  readonly mean: number;
  /** Sample standard deviation. */
  readonly sd: number;
}

/** More seeds than this are never asked for in numbers. */
const MAXIMUM_SEEDS = 10_000;

/** The two-sided 95 % quantile for n values: 12.71 for 2, 4.30 for 3, 2.78 for 5, 1.96 for many. */
export function tFactor(n: number): number {
  return tQuantile(1 - (1 - CONFIDENCE) / 2, n - 1);
}

/** mean ± t sd / sqrt(n): where the mean of many seeds lies. */
export function tInterval({ n, mean, sd }: Sample): Interval {
  const margin = tFactor(n) * sd / Math.sqrt(n);
  return { low: mean - margin, high: mean + margin };
}

/** mean ± t sd sqrt(1 + 1 / n): where one more run lies, such as the single run that a paper printed. */
export function predictionInterval({ n, mean, sd }: Sample): Interval {
  const margin = tFactor(n) * sd * Math.sqrt(1 + 1 / n);
  return { low: mean - margin, high: mean + margin };
}

/** Two-sided p-value of "the mean is 0"; null where there is no spread. */
export function tTestP({ n, mean, sd }: Sample): number | null {
  return sd === 0 ? null : tTwoSided(mean / (sd / Math.sqrt(n)), n - 1);
}

/**
 * The smallest n whose t interval has at most this half-width, if the spread stays: t_(n-1) sd / sqrt(n) <= margin.
 *
 * @param margin > 0, in the unit of `sd`.
 * @returns At least 2; null: more than 10,000.
 */
export function seedsNeeded(sd: number, margin: number): number | null {
  return smallest((n) => tFactor(n) * sd / Math.sqrt(n) <= margin);
}

/** As `seedsNeeded`, for the prediction interval: t_(n-1) sd sqrt(1 + 1 / n) <= margin; null: never. */
export function seedsNeededToPredict(sd: number, margin: number): number | null {
  return smallest((n) => tFactor(n) * sd * Math.sqrt(1 + 1 / n) <= margin);
}

/** Share of all sets of seeds in which a detectable difference shows. */
export const POWER = 0.8;

/**
 * The smallest true difference whose t interval excludes 0 in 80 % of all sets of n seeds, by the noncentral t distribution
 * with noncentrality d sqrt(n) / sd.
 *
 * @param sd Standard deviation of one difference, > 0.
 * @param n Seeds, at least 2.
 */
export function detectableDifference(sd: number, n: number): number {
  const factor = tFactor(n), power = (effect: number) => noncentralTwoSided(factor, n - 1, effect * Math.sqrt(n));
  let low = 0, high = 1;
  while (power(high) < POWER) high *= 2;
  while (high - low > 1e-6 * high) {
    const middle = (low + high) / 2;
    if (power(middle) < POWER) low = middle;
    else high = middle;
  }
  return high * sd;
}

/** Finds the first n of a condition that holds from some n on. Doubles n until it holds, then halves the range. */
function smallest(holds: (n: number) => boolean): number | null {
  if (!holds(MAXIMUM_SEEDS)) return null;
  let low = 1, high = 2;
  while (!holds(high)) [low, high] = [high, Math.min(2 * high, MAXIMUM_SEEDS)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
