/** What every other file of this folder starts from. */

/** Bounds of an interval of a mean, in its unit. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Of every interval of a report. */
export const CONFIDENCE = 0.95;

/** Arithmetic mean. @throws {RangeError} If there is no value. */
export function mean(values: ArrayLike<number>): number {
  if (values.length === 0) {
    throw new RangeError("Cannot take the mean as there must be at least 1 value: there is none");
  }
  return sum(values) / values.length;
}

/** 88.3 - 87.9 is 0.39999999999999: digits behind the 12th are the subtraction's rounding, and would pass for a spread. */
const DIGITS = 12;

/** a - b without the rounding of the subtraction: equal differences are equal numbers. */
export function difference(a: number, b: number): number {
  return Number((a - b).toPrecision(DIGITS));
}

/** Sum from left to right. */
export function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let index = 0; index < values.length; index++) total += values[index]!;
  return total;
}

/** Sample standard deviation, sqrt(sum (x - mean)² / (n - 1)); null for n < 2. */
export function standardDeviation(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  // (0.4 + 0.4 + 0.4) / 3 is not 0.4: their spread would be 1e-17, and sure
  if (values.every((value) => value === values[0])) return 0;
  const centre = mean(values);
  return Math.sqrt(sum(values.map((value) => (value - centre) ** 2)) / (values.length - 1));
}

/** Linear interpolation between order statistics (type 7 of Hyndman and Fan 1996); `sorted` is ascending. */
export function quantile(sorted: ArrayLike<number>, probability: number): number {
  const position = (sorted.length - 1) * probability;
  const below = Math.floor(position), above = Math.ceil(position);
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
}
