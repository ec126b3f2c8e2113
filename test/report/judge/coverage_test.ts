/**
 * How often 95 % intervals of a mean hold the true mean, for as few seeds as tables have: the numbers of
 * docs/reproducibility.md, and the reason why verdicts use the t interval.
 */
import assert from "node:assert/strict";
import { type Stream, stream } from "../../../src/random/stream.ts";
import { type Interval, mean, standardDeviation } from "../../../src/report/judge/statistics/basics.ts";
import { bcaInterval, bootstrapMeans, quantileOf } from "../../../src/report/judge/statistics/bootstrap.ts";
import { detectableDifference, POWER, tFactor, tInterval } from "../../../src/report/judge/statistics/student.ts";

const SAMPLES = 4000;

/** Draws of mean 0. */
const SOURCES = {
  normal: (draws: Stream) => draws.normal(),
  uniform: (draws: Stream) => draws.uniform() - 0.5,
  exponential: (draws: Stream) => -Math.log(1 - draws.uniform()) - 1,
} as const;

const INTERVALS: Readonly<Record<string, (values: readonly number[]) => Interval>> = {
  t: (values) => tInterval({ n: values.length, mean: mean(values), sd: standardDeviation(values)! }),
  bca: (values) => bcaInterval(values, { seed: 0 }).interval!,
  percentile: (values) => {
    const means = bootstrapMeans(values, { seed: 0 });
    return { low: quantileOf(means, 0.025), high: quantileOf(means, 0.975) };
  },
};

interface Measured {
  readonly source: keyof typeof SOURCES;
  readonly n: number;
  /** In percent, of `docs/reproducibility.md`. */
  readonly documented: Readonly<Record<keyof typeof INTERVALS, number>>;
}

const MEASURED: readonly Measured[] = [
  { source: "normal", n: 3, documented: { t: 95, bca: 72, percentile: 75 } },
  { source: "normal", n: 4, documented: { t: 95, bca: 80, percentile: 80 } },
  { source: "normal", n: 5, documented: { t: 95, bca: 84, percentile: 84 } },
  { source: "uniform", n: 3, documented: { t: 92, bca: 74, percentile: 75 } },
  { source: "uniform", n: 5, documented: { t: 93, bca: 86, percentile: 85 } },
  { source: "exponential", n: 3, documented: { t: 88, bca: 68, percentile: 70 } },
  { source: "exponential", n: 5, documented: { t: 88, bca: 80, percentile: 78 } },
];

/** Share of intervals that hold 0, in percent. */
function coverage(interval: (values: readonly number[]) => Interval, { source, n }: Measured): number {
  const draws = stream({ seed: 7, purpose: "bootstrap", a: n });
  let held = 0;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const { low, high } = interval(Array.from({ length: n }, () => SOURCES[source](draws)));
    if (low <= 0 && 0 <= high) held++;
  }
  return 100 * held / SAMPLES;
}

for (const measured of MEASURED) {
  Deno.test(`intervals of ${measured.n} ${measured.source} differences cover what the documentation says`, () => {
    for (const [name, documented] of Object.entries(measured.documented)) {
      const found = coverage(INTERVALS[name]!, measured);
      // 4,000 samples: two standard errors are below 1.6 points
      assert.ok(Math.abs(found - documented) <= 2, `${name}: ${found} % instead of ${documented} %`);
    }
  });
}

const FACTORS = new Map(Array.from({ length: 28 }, (_, index) => [index + 3, tFactor(index + 3)]));

/** Whether the t interval of the first n values lies above 0, and their own t 95 % prediction interval. */
function found(values: readonly number[], n: number): { readonly isGain: boolean; readonly top: number } {
  const first = values.slice(0, n), centre = mean(first), width = FACTORS.get(n)! * standardDeviation(first)!;
  return { isGain: centre - width / Math.sqrt(n) > 0, top: centre + width * Math.sqrt(1 + 1 / n) };
}

function shareOf(count: number, isSo: (draws: Stream) => boolean): number {
  const draws = stream({ seed: 7, purpose: "bootstrap", a: count });
  let number = 0;
  for (let sample = 0; sample < SAMPLES; sample++) if (isSo(draws)) number++;
  return 100 * number / SAMPLES;
}

Deno.test("seeds added until one decides find gains that are none as often as the documentation says", () => {
  for (const [seeds, documented] of [[3, 2.5], [10, 8], [30, 13]] as const) {
    const share = shareOf(seeds, (draws) => {
      const values = Array.from({ length: seeds }, () => draws.normal());
      for (let n = 3; n <= seeds; n++) {
        if (found(values, n).isGain) return true;
        if (found(values.map((value) => -value), n).isGain) return false;
      }
      return false;
    });
    assert.ok(Math.abs(share - documented) <= 1.5, `${seeds} seeds: ${share} % instead of ${documented} %`);
  }
});

Deno.test("a small gain is told as of the published size as often as the documentation says", () => {
  for (const [seeds, documented] of [[3, 4], [20, 24]] as const) {
    const share = shareOf(seeds, (draws) => {
      const { isGain, top } = found(Array.from({ length: seeds }, () => 0.3 + draws.normal()), seeds);
      return isGain && top >= 1.4;
    });
    assert.ok(Math.abs(share - documented) <= 1.5, `${seeds} seeds: ${share} % instead of ${documented} %`);
  }
});

Deno.test("a detectable difference shows in four of five sets of seeds", () => {
  for (const seeds of [3, 5, 10]) {
    const shift = detectableDifference(1, seeds);
    const share = shareOf(seeds, (draws) => {
      const { low, high } = INTERVALS["t"]!(Array.from({ length: seeds }, () => shift + draws.normal()));
      return low > 0 || high < 0;
    });
    assert.ok(Math.abs(share - 100 * POWER) <= 2, `${seeds} seeds: ${share} %`); // 3 standard errors
  }
});
