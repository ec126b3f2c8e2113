/** Basis of every other file of this folder. Means, spreads and quantiles are d3's, distributions jStat's. */
// @ts-types="npm:@types/d3-array@3.2.1"
import { deviation, mean as meanOf, quantileSorted } from "d3-array";
import jStat from "jstat";

// @ts-types="npm:@types/d3-array@3.2.1"
export { bisectRight, sum } from "d3-array";

/** Bounds of an interval of a mean, in its unit. */
export interface Interval {
  /** Lower bound. */
  readonly low: number;
  /** Upper bound. */
  readonly high: number;
}

/** Confidence of every interval of a report. */
export const CONFIDENCE = 0.95;

/** Arithmetic mean. @throws {RangeError} If there is no value. */
export function mean(values: Iterable<number>): number {
  const found = meanOf(values);
  if (found !== undefined) return found;
  throw new RangeError("Cannot take the mean as there must be at least 1 value: there is none");
}

/** Sample standard deviation, sqrt(sum (x - mean)² / (n - 1)); exactly 0 for equal values, null for n < 2. */
export function standardDeviation(values: readonly number[]): number | null {
  return deviation(values) ?? null;
}

/** Linear interpolation between order statistics (type 7 of Hyndman and Fan 1996); `sorted` is ascending and not empty. */
export function quantile(sorted: Float64Array, probability: number): number {
  return quantileSorted(sorted as ArrayLike<number> as number[], probability)!; // its type has no typed arrays
}

/** 88.3 - 87.9 is 0.39999999999999: digits behind the 12th are the subtraction's rounding, and would pass for a spread. */
const DIGITS = 12;

/** Takes a - b without the rounding of the subtraction: equal differences are equal numbers. */
export function difference(a: number, b: number): number {
  return Number((a - b).toPrecision(DIGITS));
}

interface Distributions {
  readonly normal: {
    inv(probability: number, mean: number, sd: number): number;
    cdf(value: number, mean: number, sd: number): number;
  };
  readonly studentt: {
    inv(probability: number, freedom: number): number;
    cdf(value: number, freedom: number): number;
  };
  readonly noncentralt: { cdf(value: number, freedom: number, noncentrality: number): number };
}

const { normal, studentt, noncentralt } = jStat as Distributions;

/** Returns the quantile of N(0, 1); `probability` in (0, 1). */
export function normalQuantile(probability: number): number {
  return normal.inv(probability, 0, 1);
}

/** P(X <= value) for X ~ N(0, 1). */
export function normalCdf(value: number): number {
  return normal.cdf(value, 0, 1);
}

const quantiles = new Map<string, number>();

/** Returns the quantile of Student's t with `freedom` >= 1 degrees of freedom; `probability` in (0, 1). */
export function tQuantile(probability: number, freedom: number): number {
  const key = `${probability} ${freedom}`;
  let value = quantiles.get(key);
  if (value === undefined) quantiles.set(key, value = studentt.inv(probability, freedom));
  return value;
}

/** P(|T| >= |value|) for Student's T with `freedom` degrees of freedom: the two-sided p-value; within 1e-7. */
export function tTwoSided(value: number, freedom: number): number {
  return Math.min(1, 2 * studentt.cdf(-Math.abs(value), freedom));
}

/** P(|T| >= value) for a noncentral T with `freedom` degrees of freedom: the power of a two-sided t test. */
export function noncentralTwoSided(value: number, freedom: number, noncentrality: number): number {
  return 1 - noncentralt.cdf(value, freedom, noncentrality) + noncentralt.cdf(-value, freedom, noncentrality);
}
