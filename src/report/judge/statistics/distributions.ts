/** Quantiles and distribution functions, from the library jStat, typed. */
import jStat from "jstat";

interface Distributions {
  readonly normal: {
    inv(probability: number, mean: number, sd: number): number;
    cdf(value: number, mean: number, sd: number): number;
  };
  readonly studentt: {
    inv(probability: number, freedom: number): number;
    cdf(value: number, freedom: number): number;
  };
}

const { normal, studentt } = jStat as Distributions;

/** Of N(0, 1); `probability` in (0, 1). */
export function normalQuantile(probability: number): number {
  return normal.inv(probability, 0, 1);
}

/** P(X <= value) for X ~ N(0, 1). */
export function normalCdf(value: number): number {
  return normal.cdf(value, 0, 1);
}

const quantiles = new Map<string, number>();

/** Of Student's t with `freedom` >= 1 degrees of freedom; `probability` in (0, 1). */
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
