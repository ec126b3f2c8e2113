import assert from "node:assert/strict";
import fc from "../support/npm/fast_check.ts";
import { chooseLabelled } from "../../src/data/splits.ts";

/** Labels of 100 images, not balanced: 40 of class 0, 30 of class 1, 20 of class 2, 10 of class 3. */
const LABELS = Uint8Array.from({ length: 100 }, (_, i) => i % 10 < 4 ? 0 : i % 10 < 7 ? 1 : i % 10 < 9 ? 2 : 3);
const INDICES = Uint32Array.from({ length: 100 }, (_, i) => 99 - i);

function choose(fraction: number, seed = 1, indices = INDICES) {
  return chooseLabelled({ labels: LABELS }, { indices, classes: 4, fraction, seed });
}

function sorted(values: Iterable<number>): number[] {
  return [...values].sort((a, b) => a - b);
}

Deno.test("chooseLabelled() takes every class equally often, and each image once in one of the parts", () => {
  fc.assert(fc.property(fc.double({ min: 0.01, max: 0.4, noNaN: true }), fc.nat(1000), (fraction, seed) => {
    const each = Math.round(fraction * 25);
    if (each < 1) return;
    const { labelled, unlabelled } = choose(fraction, seed), counts = [0, 0, 0, 0];
    for (const image of labelled) counts[LABELS[image]!]! += 1;
    assert.deepEqual(counts, [each, each, each, each]);
    assert.deepEqual(sorted([...labelled, ...unlabelled]), sorted(INDICES));
  }));
});

Deno.test("chooseLabelled() chooses among the given images only", () => {
  const indices = INDICES.slice(0, 50), { labelled, unlabelled } = choose(0.24, 1, indices);
  assert.equal(labelled.length, 12);
  assert.deepEqual(sorted([...labelled, ...unlabelled]), sorted(indices));
});

Deno.test("chooseLabelled() puts the smaller part of a seed into its larger one, and differs from seed to seed", () => {
  const small = choose(0.1).labelled, large = new Set(choose(0.4).labelled);
  assert.ok([...small].every((image) => large.has(image)));
  assert.deepEqual(choose(0.1).labelled, small);
  assert.notDeepEqual(sorted(choose(0.1, 2).labelled), sorted(small));
});

Deno.test("chooseLabelled() names the class that has too few images, and a fraction that is too small", () => {
  assert.throws(() => choose(0.5), {
    name: "InputError",
    message: "Cannot label 13 images of every class as class 3 has 10 of 100 training images: take a smaller fraction",
  });
  assert.throws(() => choose(0.01), {
    name: "InputError",
    message: "Cannot label 0.01 of 100 training images as that is less than one of each of 4 classes: take a larger " +
      "fraction",
  });
});
