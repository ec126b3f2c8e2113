/** Against SciPy, statsmodels and rliable: test/golden/make_golden_statistics.py. */
import assert from "node:assert/strict";
import { holm, pairedDifference } from "../../../src/report/judge/statistics/paired.ts";
import {
  type Interval,
  normalCdf,
  normalQuantile,
  tQuantile,
  tTwoSided,
} from "../../../src/report/judge/statistics/basics.ts";
import { bcaOf } from "../../../src/report/judge/statistics/bootstrap.ts";
import { predictionInterval, seedsNeeded } from "../../../src/report/judge/statistics/student.ts";
import { suiteSummary, type TaskScores } from "../../../src/report/judge/statistics/suite.ts";

type Bounds = readonly [low: number, high: number];

interface Golden {
  readonly normalQuantile: readonly Bounds[];
  readonly normalCdf: readonly Bounds[];
  readonly tQuantile: readonly (readonly [number, number, number])[];
  readonly tTwoSided: readonly (readonly [number, number, number])[];
  readonly samples: readonly {
    readonly values: readonly number[];
    readonly mean: number;
    readonly sd: number;
    readonly tInterval: Bounds;
    readonly tTestP: number;
    readonly predictionInterval: Bounds;
    readonly bca: Bounds;
    readonly signFlipP: number;
  }[];
  readonly bcaFormula: readonly {
    readonly values: readonly number[];
    readonly means: readonly number[];
    readonly bca: Bounds;
  }[];
  readonly holm: { readonly pValues: readonly number[]; readonly adjusted: readonly number[] };
  readonly seedsNeeded: readonly (readonly [sd: number, margin: number, seeds: number])[];
  readonly suite: {
    readonly tasks: readonly TaskScores[];
    readonly iqm: number;
    readonly iqmInterval: Bounds;
    readonly meanDifference: number;
    readonly probabilityOfImprovement: number;
    readonly probabilityInterval: Bounds;
  };
}

const GOLDEN: Golden = JSON.parse(
  Deno.readTextFileSync(new URL("../../golden/statistics.json", import.meta.url)),
);

function assertNear(actual: number | null | undefined, expected: number, tolerance: number): void {
  assert.ok(
    actual != null && Math.abs(actual - expected) <= tolerance,
    `${actual} is not within ${tolerance} of ${expected}`,
  );
}

function assertInterval(actual: Interval | null, [low, high]: Bounds, tolerance: number): void {
  assertNear(actual?.low, low, tolerance);
  assertNear(actual?.high, high, tolerance);
}

Deno.test("normal and t distributions agree with SciPy", () => {
  // jStat's incomplete beta function and its inverse are good to about 1e-8
  for (const [p, value] of GOLDEN.normalQuantile) assertNear(normalQuantile(p), value, 1e-9);
  for (const [x, value] of GOLDEN.normalCdf) assertNear(normalCdf(x), value, 1e-12);
  for (const [p, freedom, value] of GOLDEN.tQuantile) assertNear(tQuantile(p, freedom), value, 1e-7 * Math.abs(value));
  for (const [x, freedom, value] of GOLDEN.tTwoSided) assertNear(tTwoSided(x, freedom), value, 1e-7);
});

for (const golden of GOLDEN.samples) {
  const { values } = golden;
  Deno.test(`pairedDifference() of [${values.join(", ")}] agrees with SciPy`, () => {
    const own = pairedDifference(values.map((difference, seed) => ({ seed, difference })));
    assertNear(own.mean, golden.mean, 1e-12);
    assertNear(own.sd, golden.sd, 1e-12);
    assertInterval(own.interval, golden.tInterval, 1e-7);
    assertInterval(predictionInterval({ ...own, sd: own.sd! }), golden.predictionInterval, 1e-7);
    assertNear(own.tTestP, golden.tTestP, 1e-7);
    assertNear(own.signFlipP, golden.signFlipP, 1e-12);
    // up to 8 values ours is exact, and SciPy's million draws hit the same resampled mean; above, ours are 10,000 draws,
    // whose 2.5 % quantile has a standard error of about 0.006 here
    assertInterval(own.bootstrap, golden.bca, values.length <= 8 ? 1e-9 : 0.03);
  });
}

for (const { values, means, bca } of GOLDEN.bcaFormula) {
  Deno.test(`bcaOf() of 199 given means of ${values.length} values agrees with SciPy`, () => {
    assertInterval(bcaOf({ means: Float64Array.from(means), cumulative: null }, values), bca, 1e-9);
  });
}

Deno.test("holm() agrees with statsmodels", () => {
  const adjusted = holm(GOLDEN.holm.pValues);
  GOLDEN.holm.adjusted.forEach((value, index) => assertNear(adjusted[index], value, 1e-12));
});

Deno.test("seedsNeeded() agrees with a search by SciPy's t quantile", () => {
  for (const [sd, margin, seeds] of GOLDEN.seedsNeeded) assert.equal(seedsNeeded(sd, margin), seeds);
});

Deno.test("suiteSummary() agrees with rliable", () => {
  const { suite } = GOLDEN;
  const own = suiteSummary(suite.tasks, { seed: 0, resamples: 20_000 });
  assertNear(own.iqm, suite.iqm, 1e-12);
  assertNear(own.meanDifference, suite.meanDifference, 1e-12);
  assertNear(own.probabilityOfImprovement, suite.probabilityOfImprovement, 1e-12);
  assert.deepEqual([own.tasks, own.runs], [4, 20]);
  // 20,000 draws each: the standard error of a 2.5 % quantile is about 1 % of the interval's length
  assertInterval(own.iqmInterval, suite.iqmInterval, 0.05 * (suite.iqmInterval[1] - suite.iqmInterval[0]));
  assertInterval(
    own.probabilityInterval,
    suite.probabilityInterval,
    0.05 * (suite.probabilityInterval[1] - suite.probabilityInterval[0]),
  );
});
