/** The bias-corrected and accelerated (BCa) bootstrap interval of a mean. */
import { stream } from "../../../random/stream.ts";
import { bisectRight, CONFIDENCE, type Interval, mean, normalCdf, normalQuantile, quantile, sum } from "./basics.ts";

/** The means of all resamples. */
export interface BootstrapDistribution {
  /** Ascending. */
  readonly means: Float64Array;
  /** P(resampled mean <= means[i]); null: drawn, each with the same probability. */
  readonly cumulative: Float64Array | null;
}

/** Up to this n every resample is enumerated: 6,435 different ones at 8. */
const MAXIMUM_ENUMERATED = 8;
const RESAMPLES = 10_000;
/** Means this near the estimate, relative to the largest value, count as equal: their sums were rounded. */
const TIE = 1e-12;

/** An interval, or in words why there is none. */
export type BootstrapInterval =
  | { readonly interval: Interval; readonly note: null }
  | { readonly interval: null; readonly note: string };

/**
 * The BCa bootstrap 95 % interval of the mean (Efron 1987):
 *
 *   z0 = Φ⁻¹(P(m* < m) + P(m* = m) / 2),  a = Σ d³ / (6 (Σ d²)^(3/2)),  d = x - mean (the jackknife's acceleration of a mean)
 *   bound at α = quantile of m* at Φ(z0 + (z0 + z_α) / (1 - a (z0 + z_α)))
 *
 * m* are the means of resamples with replacement: all of them, by their exact probabilities, for n <= 8, so that nothing
 * is drawn; else 10,000 draws of the stream `bootstrap`.
 *
 * With few values it is too short (docs/reproducibility.md has its measured coverage), so no verdict uses it.
 *
 * @param options.seed Of the draws; the same seed gives the same interval.
 */
export function bcaInterval(values: readonly number[], options: { seed: number }): BootstrapInterval {
  if (values.length < 3) return { interval: null, note: "no bootstrap interval: fewer than 3 differences" };
  if (values.every((value) => value === values[0])) {
    return { interval: null, note: "no bootstrap interval: all differences are equal" };
  }
  return { interval: bcaOf(bootstrapMeans(values, options), values), note: null };
}

/** The means of resamples of `values`, exact or drawn (see `bcaInterval`). */
export function bootstrapMeans(values: readonly number[], options: { seed: number }): BootstrapDistribution {
  return values.length <= MAXIMUM_ENUMERATED ? enumerated(values) : drawn(values, options.seed);
}

/** The BCa bounds of a distribution of resampled means of `values`. */
export function bcaOf(distribution: BootstrapDistribution, values: readonly number[]): Interval {
  const estimate = mean(values), tail = (1 - CONFIDENCE) / 2;
  const deviations = values.map((value) => value - estimate);
  const acceleration = sum(deviations.map((d) => d ** 3)) / (6 * sum(deviations.map((d) => d ** 2)) ** 1.5);
  const scale = Math.max(...values.map(Math.abs));
  const bias = normalQuantile(
    (shareUpTo(distribution, estimate - TIE * scale) + shareUpTo(distribution, estimate + TIE * scale)) / 2,
  );
  const bound = (probability: number) => {
    const shifted = bias + normalQuantile(probability);
    return quantileOf(distribution, normalCdf(bias + shifted / (1 - acceleration * shifted)));
  };
  return { low: bound(tail), high: bound(1 - tail) };
}

/** P(m* <= value). */
function shareUpTo({ means, cumulative }: BootstrapDistribution, value: number): number {
  const count = bisectRight(means, value);
  if (cumulative === null) return count / means.length;
  return count === 0 ? 0 : cumulative[count - 1]!;
}

/** Between draws interpolated; of an exact distribution the smallest mean with at least this probability up to it. */
export function quantileOf({ means, cumulative }: BootstrapDistribution, probability: number): number {
  if (cumulative === null) return quantile(means, probability);
  const index = cumulative.findIndex((share) => share >= probability);
  return means[index < 0 ? means.length - 1 : index]!;
}

/** Every multiset of n of the n values, with the share n! / Π k_i! / n^n of the resamples that give it. */
function enumerated(values: readonly number[]): BootstrapDistribution {
  const n = values.length;
  const found: { mean: number; share: number }[] = [];
  const choose = (index: number, state: { left: number; sum: number; share: number }) => {
    const { left, sum, share } = state;
    if (index === n - 1) {
      found.push({ mean: (sum + left * values[index]!) / n, share: share / factorial(left) });
      return;
    }
    for (let times = 0; times <= left; times++) {
      choose(index + 1, {
        left: left - times,
        sum: sum + times * values[index]!,
        share: share / factorial(times),
      });
    }
  };
  choose(0, { left: n, sum: 0, share: factorial(n) / n ** n });
  found.sort((a, b) => a.mean - b.mean);
  let total = 0;
  return {
    means: Float64Array.from(found, (item) => item.mean),
    cumulative: Float64Array.from(found, ({ share }) => total += share),
  };
}

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1);
}

function drawn(values: readonly number[], seed: number): BootstrapDistribution {
  const n = values.length, draws = stream({ seed, purpose: "bootstrap" });
  const means = Float64Array.from({ length: RESAMPLES }, () => {
    let total = 0;
    for (let draw = 0; draw < n; draw++) total += values[draws.integer(n)]!;
    return total / n;
  }).sort();
  return { means, cumulative: null };
}
