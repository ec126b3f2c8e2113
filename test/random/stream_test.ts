import assert from "node:assert/strict";
import fc from "../support/npm/fast_check.ts";
import { addUniformNoise, philox4x32 } from "../../src/random/philox.ts";
import { noiseState, PURPOSES, stream, type StreamAddress } from "../../src/random/stream.ts";

const take = (count: number, draw: () => number) => Array.from({ length: count }, draw);

Deno.test("stream() reads the Philox blocks at counter (block, a, b, 0) in order", () => {
  const draws = stream({ seed: 5, purpose: "order", a: 7, b: 9 });
  const key = [5, PURPOSES.indexOf("order")] as const;
  assert.deepEqual(take(8, () => draws.word()), [...philox4x32([0, 7, 9, 0], key), ...philox4x32([1, 7, 9, 0], key)]);
});

Deno.test("stream() keys the upper bits of a seed above the purpose", () => {
  const seed = 3 * 2 ** 32 + 2 ** 31 + 1;
  const key = [2 ** 31 + 1, PURPOSES.indexOf("noise") + 3 * 2 ** 11] as const;
  assert.equal(stream({ seed, purpose: "noise" }).word(), philox4x32([0, 0, 0, 0], key)[0]);
});

Deno.test("PURPOSES keeps its order, which is part of every key", () => {
  assert.deepEqual([...PURPOSES], [
    "split",
    "order",
    "augmentation",
    "initialisation",
    "calibration",
    "perturbation",
    "noise",
    "synthetic",
    "strong_augmentation",
    "labelled",
    "unlabelled_order",
    "probe",
    "measurement",
    "bootstrap",
  ]);
});

Deno.test("stream() gives the same numbers at the same address and others at any other", () => {
  const first = (address: StreamAddress) => {
    const draws = stream(address);
    return take(4, () => draws.word()).join();
  };
  const addresses = [
    { seed: 1, purpose: "order" },
    { seed: 2, purpose: "order" },
    { seed: 1, purpose: "noise" },
    { seed: 1, purpose: "order", a: 1 },
    { seed: 1, purpose: "order", b: 1 },
    { seed: 1 + 2 ** 32, purpose: "order" },
  ] as const;
  assert.equal(new Set(addresses.map(first)).size, addresses.length);
  for (const address of addresses) assert.equal(first(address), first(address));
});

Deno.test("stream() refuses a seed, a or b out of range with its value", () => {
  const message = (range: string, value: string) => ({
    name: "RangeError",
    message: `Cannot make a random stream as ${range}: current value is ${value}`,
  });
  assert.throws(
    () => stream({ seed: -1, purpose: "order" }),
    message("the seed must be an integer in [0, 2^53)", "-1"),
  );
  assert.throws(
    () => stream({ seed: 1, purpose: "order", a: 2 ** 32 }),
    message("a must be an integer in [0, 2^32)", "4294967296"),
  );
  assert.throws(
    () => stream({ seed: 1, purpose: "order", b: 0.5 }),
    message("b must be an integer in [0, 2^32)", "0.5"),
  );
});

Deno.test("Stream.uniform() has mean 1/2 and variance 1/12 in [0, 1)", () => {
  const draws = stream({ seed: 3, purpose: "synthetic" }), count = 20_000;
  const values = take(count, () => draws.uniform());
  const mean = values.reduce((sum, x) => sum + x) / count;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / count;
  assert.ok(values.every((x) => x >= 0 && x < 1));
  // 4 standard errors: 0.2887 / sqrt(20000) = 0.0020 and 0.0745 / sqrt(20000) = 0.00053
  assert.ok(Math.abs(mean - 0.5) < 0.0082, `mean ${mean}`);
  assert.ok(Math.abs(variance - 1 / 12) < 0.0022, `variance ${variance}`);
});

Deno.test("Stream.integer() fills every cell equally and stays below its limit", () => {
  const draws = stream({ seed: 4, purpose: "synthetic" }), counts = new Array<number>(9).fill(0);
  for (let i = 0; i < 9000; i++) counts[draws.integer(9)]! += 1;
  // chi-square with 8 degrees of freedom: 26.1 is passed once in 1,000
  const chiSquare = counts.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
  assert.ok(chiSquare < 26.1, `chi-square ${chiSquare} of ${counts}`);
  assert.throws(() => draws.integer(0), {
    message: "Cannot draw an integer as the limit must be in [1, 2^32]: current value is 0",
  });
});

Deno.test("Stream.integer() is the floor of limit times the uniform draw, up to 2^32", () => {
  const address = { seed: 4, purpose: "synthetic" } as const, limit = 2 ** 31 + 1;
  const uniform = stream(address), draws = stream(address), words = stream(address);
  assert.deepEqual(take(50, () => draws.integer(limit)), take(50, () => Math.floor(uniform.uniform() * limit)));
  const all = stream(address);
  assert.deepEqual(take(5, () => all.integer(2 ** 32)), take(5, () => words.word()));
});

Deno.test("Stream.normal() has the first four moments of N(0, 1)", () => {
  const draws = stream({ seed: 6, purpose: "synthetic" }), count = 40_000;
  const values = take(count, () => draws.normal());
  const moment = (power: number) => values.reduce((sum, x) => sum + x ** power, 0) / count;
  // 4 standard errors: sqrt(1, 2, 15, 96) / 200, times 4
  assert.ok(Math.abs(moment(1)) < 0.02, `mean ${moment(1)}`);
  assert.ok(Math.abs(moment(2) - 1) < 0.029, `second moment ${moment(2)}`);
  assert.ok(Math.abs(moment(3)) < 0.078, `third moment ${moment(3)}`);
  assert.ok(Math.abs(moment(4) - 3) < 0.196, `fourth moment ${moment(4)}`);
});

Deno.test("Stream.permutation() holds every number once, for any count and seed", () => {
  fc.assert(fc.property(fc.nat(300), fc.nat(), (count, seed) => {
    const order = stream({ seed, purpose: "order" }).permutation(count);
    assert.deepEqual([...order].sort((a, b) => a - b), take(count, () => 0).map((_, i) => i));
  }));
});

Deno.test("Stream.permutation() gives each of the 6 orders of 3 equally often", () => {
  const counts = new Map<string, number>();
  for (let a = 0; a < 6000; a++) {
    const order = stream({ seed: 1, purpose: "order", a }).permutation(3).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  // chi-square with 5 degrees of freedom: 20.5 is passed once in 1,000
  const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
  assert.equal(counts.size, 6);
  assert.ok(chiSquare < 20.5, `chi-square ${chiSquare}`);
});

Deno.test("noiseState() holds the key, an empty block counter and the step", () => {
  const k1 = PURPOSES.indexOf("noise");
  assert.deepEqual([...noiseState({ seed: 2 ** 32 - 1, step: 12, purpose: "noise" })], [-1, k1, 0, 0, 12, 0]);
  assert.deepEqual([...noiseState({ seed: 0, step: 2 ** 32 * 3 + 4, purpose: "noise" })], [0, k1, 0, 0, 4, 3]);
});

Deno.test("addUniformNoise() takes the low 23 bits of each word and steps the counter", () => {
  const state = Int32Array.of(0, 0, 0, 0, 0, 0);
  const words = [...philox4x32([0, 0, 0, 0], [0, 0]), ...philox4x32([1, 0, 0, 0], [0, 0])];
  const expected = words.slice(0, 6).map((word) => word % 2 ** 23 / 2 ** 23 - 0.5);
  const noise = new Float32Array(6), doubled = new Float32Array(6).fill(1);
  addUniformNoise(noise, { state });
  assert.deepEqual([...noise], expected);
  addUniformNoise(doubled, { state, factor: 2 });
  assert.deepEqual([...doubled], expected.map((u) => Math.fround(1 + 2 * u)));
});

Deno.test("addUniformNoise() adds the stream to c1 and carries a full c0 into it", () => {
  const state = Int32Array.of(1, 2, -1, 6, 8, 9);
  const expected = [...philox4x32([0xffffffff, 7, 8, 9], [1, 2]), ...philox4x32([0, 8, 8, 9], [1, 2])];
  const noise = new Float32Array(8);
  addUniformNoise(noise, { state, stream: 1 });
  assert.deepEqual([...noise], expected.map((word) => word % 2 ** 23 / 2 ** 23 - 0.5));
});
