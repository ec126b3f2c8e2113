import assert from "node:assert/strict";
import { mean, pairedDifference, quantile, seedsNeeded, standardDeviation } from "../../src/report/statistics.ts";

function assertNear(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not within ${tolerance} of ${expected}`);
}

Deno.test("standardDeviation() divides by n - 1", () => {
  // 2, 4, 4, 4, 5, 5, 7, 9: squares about the mean 5 sum to 32, and 32 / 7
  const values = [2, 4, 4, 4, 5, 5, 7, 9];
  assert.equal(mean(values), 5);
  assertNear(standardDeviation(values)!, Math.sqrt(32 / 7), 1e-12);
  assert.equal(standardDeviation([3]), null);
});

Deno.test("mean() of nothing is refused", () => {
  assert.throws(() => mean([]), { name: "RangeError", message: /at least 1 value/ });
});

Deno.test("quantile() interpolates linearly between order statistics", () => {
  assert.equal(quantile([10, 20, 30, 40], 0.5), 25);
  assert.equal(quantile([10, 20, 30, 40], 1), 40);
  assertNear(quantile([10, 20, 30, 40], 0.1), 13, 1e-12);
});

Deno.test("pairedDifference() of one pair has no interval", () => {
  assert.deepEqual(pairedDifference([0.5], { seed: 0 }), { n: 1, mean: 0.5, sd: null, interval: null });
});

Deno.test("pairedDifference() of up to three pairs spans their range", () => {
  // a resample of three equal lowest has probability 1/27 > 2.5 %
  const { interval } = pairedDifference([0.3, -0.1, 0.7], { seed: 0 });
  assertNear(interval!.low, -0.1, 1e-12);
  assertNear(interval!.high, 0.7, 1e-12);
});

Deno.test("pairedDifference() agrees with the exact bootstrap distribution of five pairs", () => {
  const differences = [-0.4, 0.1, 0.2, 0.9, 1.7];
  const exact = Float64Array.from({ length: 5 ** 5 }, (_, code) => {
    let sum = 0;
    for (let draw = 0; draw < 5; draw++, code = Math.floor(code / 5)) sum += differences[code % 5]!;
    return sum / 5;
  }).sort();
  const { interval, mean: centre } = pairedDifference(differences, { seed: 0 });
  assertNear(centre, 0.5, 1e-12);
  // 10,000 resamples: the standard error of a 2.5 % quantile is about 0.01 here
  assertNear(interval!.low, quantile(exact, 0.025), 0.05);
  assertNear(interval!.high, quantile(exact, 0.975), 0.05);
});

Deno.test("pairedDifference() gives the same interval for the same seed and another for another", () => {
  const differences = [0.13, -0.41, 0.77, 0.29, 0.05, 0.61];
  const one = pairedDifference(differences, { seed: 1 });
  assert.deepEqual(pairedDifference(differences, { seed: 1 }), one);
  assert.notDeepEqual(pairedDifference(differences, { seed: 2 }).interval, one.interval);
});

Deno.test("seedsNeeded() is the square of 1.96 sd over the margin, rounded up", () => {
  assert.equal(seedsNeeded(1, 1), 4); // 3.84
  assert.equal(seedsNeeded(1, 0.1), 385); // 384.15
  assert.equal(seedsNeeded(0.1, 5), 1);
});
