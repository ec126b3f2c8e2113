/** What is computed over seeds. All functions are pure; the bootstrap is seeded. */

/** Differences of two arms over the seeds that both have. */
export interface PairedDifference {
  readonly n: number;
  readonly mean: number;
  /** Null for n = 1. */
  readonly sd: number | null;
  /** Bounds of the bootstrap 95 % interval of the mean; null for n = 1. */
  readonly interval: { readonly low: number; readonly high: number } | null;
}

const RESAMPLES = 10_000;
const CONFIDENCE = 0.95;
/** Two-sided 95 % quantile of the normal distribution. */
const NORMAL_95 = 1.959964;

/** Arithmetic mean. @throws {RangeError} If there is no value. */
export function mean(values: readonly number[]): number {
  if (values.length === 0) {
    throw new RangeError("Cannot take the mean as there must be at least 1 value: there is none");
  }
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Sample standard deviation, sqrt(sum (x - mean)² / (n - 1)); null for n = 1. */
export function standardDeviation(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
}

/**
 * Mean of paired differences with its percentile bootstrap interval: the 2.5 % and 97.5 % quantiles of the means of
 * 10,000 resamples with replacement (Efron and Tibshirani 1993, chapter 13).
 *
 * With few pairs it is too narrow: for n <= 3 it is the range of the differences.
 *
 * @param options.seed Of the resampling; the same seed gives the same interval.
 */
export function pairedDifference(differences: readonly number[], options: { seed: number }): PairedDifference {
  const n = differences.length;
  const sd = standardDeviation(differences);
  if (n < 2) return { n, mean: mean(differences), sd, interval: null };
  const uniform = uniforms(options.seed);
  const means = Float64Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let draw = 0; draw < n; draw++) sum += differences[Math.floor(uniform() * n)]!;
    return sum / n;
  }).sort();
  const tail = (1 - CONFIDENCE) / 2;
  return { n, mean: mean(differences), sd, interval: { low: quantile(means, tail), high: quantile(means, 1 - tail) } };
}

/** Linear interpolation between order statistics (type 7 of Hyndman and Fan 1996); `sorted` is ascending. */
export function quantile(sorted: ArrayLike<number>, probability: number): number {
  const position = (sorted.length - 1) * probability;
  const below = Math.floor(position), above = Math.ceil(position);
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
}

/**
 * How many seeds an interval of half-width `margin` needs: ceil((1.96 sd / margin)²), by the normal approximation.
 * @param margin Points, > 0.
 */
export function seedsNeeded(sd: number, margin: number): number {
  return Math.max(1, Math.ceil((NORMAL_95 * sd / margin) ** 2));
}

/** How far a single run's difference may lie from the mean of many by chance: 1.96 sd. */
export function singleRunAllowance(sd: number): number {
  return NORMAL_95 * sd;
}

/** Numbers in [0, 1) from a 32-bit counter mixed as in SplitMix (Steele et al. 2014; constants of murmur3's finalizer). */
function uniforms(seed: number): () => number {
  let counter = seed >>> 0;
  return () => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let bits = counter;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
  };
}
