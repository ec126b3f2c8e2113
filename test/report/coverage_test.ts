/**
 * How often 95 % intervals of a mean hold the true mean, for as few seeds as tables have: the numbers of
 * docs/reproducibility.md, and the reason why verdicts use the t interval.
 */
import assert from "node:assert/strict";
import { type Stream, stream } from "../../src/random/stream.ts";
import { mean, standardDeviation } from "../../src/report/statistics.ts";
import type { Interval } from "../../src/report/statistics/basics.ts";
import { bcaInterval, bootstrapMeans, quantileOf } from "../../src/report/statistics/bootstrap.ts";
import { tInterval } from "../../src/report/statistics/student.ts";

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
