import assert from "node:assert/strict";
import fc from "../support/npm/fast_check.ts";
import { splitTraining } from "../../src/data/splits.ts";

Deno.test("splitTraining() uses every image once, in training or held out", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 200 }), fc.nat(199), (count, some) => {
    const heldOut = some % count,
      { training, heldOut: held } = splitTraining({ count }, { heldOut, trainExamples: null });
    assert.equal(held.length, heldOut);
    assert.deepEqual([...training, ...held].sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
  }));
});

Deno.test("splitTraining() takes a smaller training set as the first images of a larger one", () => {
  const all = splitTraining({ count: 100 }, { heldOut: 20, trainExamples: null });
  const some = splitTraining({ count: 100 }, { heldOut: 20, trainExamples: 30 });
  assert.deepEqual(some.training, all.training.slice(0, 30));
  assert.deepEqual(some.heldOut, all.heldOut);
});

Deno.test("splitTraining() gives a fixed, shuffled split", () => {
  const { training, heldOut } = splitTraining({ count: 10 }, { heldOut: 3, trainExamples: null });
  // pins the split: other values here mean that committed records no longer hold
  assert.deepEqual({ training: [...training], heldOut: [...heldOut] }, {
    training: [2, 1, 8, 4, 5, 7, 3],
    heldOut: [6, 9, 0],
  });
});

Deno.test("splitTraining() names the numbers that do not fit", () => {
  assert.throws(() => splitTraining({ count: 10 }, { heldOut: 10, trainExamples: null }), {
    name: "InputError",
    message: "Cannot hold out 10 of 10 training images: hold out between 0 and 9",
  });
  assert.throws(() => splitTraining({ count: 10 }, { heldOut: 4, trainExamples: 7 }), {
    name: "InputError",
    message: "Cannot train on 7 images as 10 training images less 4 held out leave 6: take between 1 and 6",
  });
});
