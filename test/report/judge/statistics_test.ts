import assert from "node:assert/strict";
import { mean, standardDeviation } from "../../../src/report/judge/statistics/basics.ts";
import {
  holm,
  type PairedDifference,
  pairedDifference,
  signFlipP,
} from "../../../src/report/judge/statistics/paired.ts";
import { bcaInterval, bootstrapMeans } from "../../../src/report/judge/statistics/bootstrap.ts";
import {
  detectableDifference,
  seedsNeeded,
  seedsNeededToPredict,
  tFactor,
} from "../../../src/report/judge/statistics/student.ts";
import {
  interquartileMean,
  probabilityOfImprovement,
  suiteSummary,
} from "../../../src/report/judge/statistics/suite.ts";

function assertNear(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not within ${tolerance} of ${expected}`);
}

function ofDifferences(...differences: number[]): PairedDifference {
  return pairedDifference(differences.map((difference, seed) => ({ seed, difference })));
}

Deno.test("standardDeviation() divides by n - 1", () => {
  // 2, 4, 4, 4, 5, 5, 7, 9: squares about the mean 5 sum to 32, and 32 / 7
  const values = [2, 4, 4, 4, 5, 5, 7, 9];
  assert.equal(mean(values), 5);
  assertNear(standardDeviation(values)!, Math.sqrt(32 / 7), 1e-12);
  assert.equal(standardDeviation([3]), null);
  assert.equal(standardDeviation([0.4, 0.4, 0.4]), 0); // though 0.4 + 0.4 + 0.4 is not 1.2
});

Deno.test("mean() of nothing is refused", () => {
  assert.throws(() => mean([]), { name: "RangeError", message: /at least 1 value/ });
});

Deno.test("pairedDifference() of one pair has no spread, no interval and a sign-flip p of 1", () => {
  assert.deepEqual(ofDifferences(0.5), {
    n: 1,
    mean: 0.5,
    sd: null,
    interval: null,
    bootstrap: null,
    bootstrapNote: "no bootstrap interval: fewer than 3 differences",
    tTestP: null,
    signFlipP: 1,
    pairs: [{ seed: 0, difference: 0.5 }],
  });
});

Deno.test("pairedDifference() of two pairs has a t interval of 12.71 standard errors and no bootstrap", () => {
  const { interval, bootstrap, bootstrapNote } = ofDifferences(0, 1);
  // sd = 1 / sqrt(2), standard error 1/2
  assertNear(interval!.low, 0.5 - 12.706 / 2, 1e-3);
  assertNear(interval!.high, 0.5 + 12.706 / 2, 1e-3);
  assert.deepEqual([bootstrap, bootstrapNote], [null, "no bootstrap interval: fewer than 3 differences"]);
});

Deno.test("pairedDifference() of equal differences has no bootstrap and no t test, and says why", () => {
  const { sd, bootstrap, bootstrapNote, tTestP, signFlipP } = ofDifferences(0.3, 0.3, 0.3);
  assert.deepEqual(
    { sd, bootstrap, bootstrapNote, tTestP, signFlipP },
    {
      sd: 0,
      bootstrap: null,
      bootstrapNote: "no bootstrap interval: all differences are equal",
      tTestP: null,
      signFlipP: 0.25,
    },
  );
});

Deno.test("bootstrapMeans() of up to 8 values are all n^n resamples by their shares", () => {
  const values = [-0.4, 0.1, 0.2, 0.9, 1.7];
  const all = Float64Array.from({ length: 5 ** 5 }, (_, code) => {
    let sum = 0;
    for (let draw = 0; draw < 5; draw++, code = Math.floor(code / 5)) sum += values[code % 5]!;
    return sum / 5;
  });
  const { means, cumulative } = bootstrapMeans(values, { seed: 0 });
  assert.equal(means.length, 126); // C(9, 5) multisets
  assertNear(cumulative!.at(-1)!, 1, 1e-12);
  for (const limit of [-0.2, 0.11, 0.503, 0.9, 1.65]) {
    const counted = all.filter((value) => value <= limit).length / all.length;
    assertNear(cumulative![means.findLastIndex((value) => value <= limit)]!, counted, 1e-12);
  }
});

Deno.test("bcaInterval() of up to 8 values draws nothing; of more, the same seed draws the same", () => {
  const few = [0.13, -0.41, 0.77, 0.29, 0.05, 0.61];
  assert.deepEqual(bcaInterval(few, { seed: 1 }), bcaInterval(few, { seed: 2 }));
  const many = [...few, 0.33, 0.08, -0.2, 0.9];
  assert.deepEqual(bcaInterval(many, { seed: 1 }), bcaInterval(many, { seed: 1 }));
  assert.notDeepEqual(bcaInterval(many, { seed: 1 }), bcaInterval(many, { seed: 2 }));
});

Deno.test("signFlipP() counts the sign patterns by hand", () => {
  // |1 + 2 + 3| = 6 only for +++ and ---
  assert.equal(signFlipP([1, 2, 3]), 2 / 8);
  // sums of ±1 ±2 ±3: 6, 0, 2, 4 and their mirrors; observed 4: |6|, |4|, and mirrors
  assert.equal(signFlipP([-1, 2, 3]), 4 / 8);
  // 0.1 + 0.2 - 0.3 is 5.6e-17 in floating point: still an observed sum of 0
  assert.equal(signFlipP([0.1, 0.2, -0.3]), 1);
  assert.equal(signFlipP([0, 0]), 1);
  assert.equal(signFlipP([]), null);
  assert.equal(signFlipP(new Array(21).fill(1)), null);
  assert.equal(signFlipP(new Array(20).fill(1)), 2 / 2 ** 20);
});

Deno.test("holm() multiplies the smallest by m and never falls; untested cells are no member", () => {
  // 3 tests: 0.01 * 3, then max(0.03, 0.04 * 2), then max(0.08, 0.05 * 1)
  assert.deepEqual(holm([0.04, null, 0.01, 0.05]), [0.08, null, 0.03, 0.08]);
  assert.deepEqual(holm([0.5, 0.9]), [1, 1]);
  assert.deepEqual(holm([null]), [null]);
});

Deno.test("detectableDifference() is what a paired t test finds with a power of 80 %", () => {
  // G*Power 3.1: effect sizes of 1.0, 0.8 and 0.5 need 10, 15 and 34 pairs
  for (const [effect, pairs] of [[1, 10], [0.8, 15], [0.5, 34]] as const) {
    assert.ok(detectableDifference(1, pairs) <= effect);
    assert.ok(detectableDifference(1, pairs - 1) > effect);
  }
  assert.equal(detectableDifference(0.5, 5), 0.5 * detectableDifference(1, 5));
});

Deno.test("seedsNeeded() is the first n whose t interval is short enough", () => {
  for (const [sd, margin] of [[1, 1], [0.3, 0.5], [1, 0.1]] as const) {
    const n = seedsNeeded(sd, margin)!;
    assert.ok(tFactor(n) * sd / Math.sqrt(n) <= margin);
    assert.ok(tFactor(n - 1) * sd / Math.sqrt(n - 1) > margin);
  }
  assert.equal(seedsNeeded(0.1, 5), 2);
  assert.equal(seedsNeeded(1, 0.001), null);
});

Deno.test("seedsNeededToPredict() is null for a margin that no number of seeds reaches: 1.96 sd", () => {
  assert.equal(seedsNeededToPredict(1, 1.9), null);
  const n = seedsNeededToPredict(1, 2.5)!;
  assert.ok(tFactor(n) * Math.sqrt(1 + 1 / n) <= 2.5 && tFactor(n - 1) * Math.sqrt(1 + 1 / (n - 1)) > 2.5);
});

Deno.test("interquartileMean() cuts floor(n / 4) values from each end", () => {
  assert.equal(interquartileMean([100, 1, 2, 3, -50]), 2);
  assert.equal(interquartileMean([1, 3, 100]), 104 / 3);
});

Deno.test("probabilityOfImprovement() counts ties half and averages tasks", () => {
  // first task: 2 > 1, 2 = 2, 3 > 1, 3 > 2: 3.5 of 4; second: 0 of 1
  assert.equal(probabilityOfImprovement([{ arm: [2, 3], baseline: [1, 2] }, { arm: [0], baseline: [5] }]), 3.5 / 8);
});

Deno.test("suiteSummary() has no interval where a task has a single run", () => {
  const { iqmInterval, probabilityInterval, tasks, runs } = suiteSummary(
    [{ arm: [2, 3], baseline: [1, 2] }, { arm: [4], baseline: [5] }],
    { seed: 0 },
  );
  assert.deepEqual([iqmInterval, probabilityInterval, tasks, runs], [null, null, 2, 3]);
});

Deno.test("suiteSummary() draws each task from its own runs", () => {
  // tasks far apart: no resample mixes them, so the mean of all eight stays between the tasks' extremes
  const { iqmInterval } = suiteSummary(
    [{ arm: [10, 11], baseline: [0, 0] }, { arm: [90, 91], baseline: [0, 0] }],
    { seed: 0 },
  );
  assert.ok(iqmInterval!.low >= 50 && iqmInterval!.high <= 51, JSON.stringify(iqmInterval));
});
