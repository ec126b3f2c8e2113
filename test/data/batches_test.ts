import assert from "node:assert/strict";
import {
  augmentationOf,
  batchAt,
  type BatchOptions,
  endlessBatchAt,
  evaluationBatches,
  stepsPerEpoch,
} from "../../src/data/batches.ts";
import { augmentStrongly, strongAugmentationOf } from "../../src/data/strong.ts";
import type { Split } from "../../src/data/types.ts";

const COUNT = 50, IMAGE_SHAPE = [4, 5, 3] as const, SIZE = 60;

/** Image i holds i + 1 everywhere, so a value tells the image, and 0 the padding. */
const SPLIT: Split = {
  images: Uint8Array.from({ length: COUNT * SIZE }, (_, i) => Math.floor(i / SIZE) + 1),
  labels: Uint8Array.from({ length: COUNT }, (_, i) => i % 10),
  count: COUNT,
};

function optionsOf(changes: Partial<BatchOptions> = {}): BatchOptions {
  return {
    split: SPLIT,
    imageShape: IMAGE_SHAPE,
    indices: Uint32Array.from({ length: 40 }, (_, i) => COUNT - 1 - i),
    seed: 3,
    epoch: 0,
    step: 0,
    batchSize: 5,
    augmentation: "crop_flip",
    views: 2,
    ...changes,
  };
}

Deno.test("stepsPerEpoch() leaves an incomplete batch out", () => {
  assert.equal(stepsPerEpoch(40, 5), 8);
  assert.equal(stepsPerEpoch(44, 5), 8);
  assert.equal(stepsPerEpoch(5, 5), 1);
});

Deno.test("stepsPerEpoch() refuses a batch larger than the training set with one sentence", () => {
  assert.throws(() => stepsPerEpoch(40, 41), {
    name: "InputError",
    message: "Cannot make batches of 41 from 40 training images: take a batch size between 1 and 40",
  });
});

Deno.test("batchAt() goes through every training image once an epoch, in another order each epoch and seed", () => {
  const orderOf = (changes: Partial<BatchOptions>) =>
    Array.from({ length: 8 }, (_, step) => [...batchAt(optionsOf({ ...changes, step })).indices]).flat();
  const orders = [orderOf({}), orderOf({ epoch: 1 }), orderOf({ seed: 4 })];
  for (const order of orders) {
    assert.deepEqual(order.toSorted((a, b) => a - b), Array.from({ length: 40 }, (_, i) => i + 10));
  }
  assert.equal(new Set(orders.map(String)).size, 3);
});

Deno.test("batchAt() gives step 7 of epoch 3 the same with and without the steps before it", () => {
  const target = optionsOf({ epoch: 3, step: 7 }), alone = batchAt(target);
  const shared = optionsOf().indices;
  for (let epoch = 0; epoch < 4; epoch++) {
    for (let step = 0; step < 8; step++) batchAt(optionsOf({ indices: shared, epoch, step }));
  }
  assert.deepEqual(batchAt(optionsOf({ indices: shared, epoch: 3, step: 7 })), alone);
});

Deno.test("batchAt() does not mistake the order kept for another epoch or seed", () => {
  const { indices } = optionsOf();
  const first = batchAt(optionsOf({ indices }));
  batchAt(optionsOf({ indices, epoch: 1 }));
  batchAt(optionsOf({ indices, seed: 9 }));
  assert.deepEqual(batchAt(optionsOf({ indices })), first);
});

Deno.test("batchAt() gives the images and labels of its indices, unchanged without augmentation", () => {
  const { views, labels, indices } = batchAt(optionsOf({ augmentation: "none", views: 1 }));
  assert.equal(views.length, 1);
  assert.deepEqual([...views[0]!], [...indices].flatMap((image) => new Array(SIZE).fill(image + 1)));
  assert.deepEqual([...labels], [...indices].map((image) => image % 10));
});

Deno.test("batchAt() augments two views of the same images differently and shares their labels", () => {
  const { views: [one, two], labels, indices } = batchAt(optionsOf());
  assert.notDeepEqual(one, two);
  assert.deepEqual([...labels], [...indices].map((image) => image % 10));
  for (const view of [one!, two!]) {
    view.forEach((value, i) => assert.ok(value === 0 || value === indices[Math.floor(i / SIZE)]! + 1));
  }
});

Deno.test("batchAt() gives the first view the same whether there is a second one", () => {
  assert.deepEqual(batchAt(optionsOf({ views: 1 })).views[0], batchAt(optionsOf()).views[0]);
});

Deno.test("batchAt() augments the strong views alone: crop and mirror, the drawn operations, cutout", () => {
  const split: Split = { ...SPLIT, images: SPLIT.images.map((_, i) => (i * 37) % 251) };
  const weak = batchAt(optionsOf({ split })), strong = batchAt(optionsOf({ split, strongViews: [1] }));
  assert.deepEqual(strong.indices, weak.indices);
  assert.deepEqual(strong.views[0], weak.views[0]);
  const expected = [...weak.indices].flatMap((image, place) => {
    const bytes = Uint8Array.from(weak.views[1]!.subarray(place * SIZE, (place + 1) * SIZE));
    const drawn = strongAugmentationOf(image, { seed: 3, epoch: 0, view: 1, imageShape: IMAGE_SHAPE });
    return [...augmentStrongly({ bytes, shape: IMAGE_SHAPE }, drawn)];
  });
  assert.deepEqual([...strong.views[1]!], expected);
  assert.notDeepEqual(strong.views[1], weak.views[1]);
});

Deno.test("batchAt() orders unlabelled images by a stream of their own", () => {
  const indices = optionsOf().indices;
  const own = batchAt(optionsOf({ indices, orderPurpose: "unlabelled_order" }));
  assert.notDeepEqual(own.indices, batchAt(optionsOf({ indices })).indices);
  assert.deepEqual(batchAt(optionsOf({ indices, orderPurpose: "unlabelled_order" })), own);
});

Deno.test("endlessBatchAt() goes through all images again and again, each pass as an epoch of batchAt()", () => {
  const { epoch: _, ...options } = optionsOf();
  for (const step of [0, 7, 8, 29, 800]) {
    const expected = batchAt({ ...options, epoch: Math.floor(step / 8), step: step % 8 });
    assert.deepEqual(endlessBatchAt({ ...options, step }), expected);
  }
});

Deno.test("batchAt() refuses a step past the end of the epoch", () => {
  assert.throws(() => batchAt(optionsOf({ step: 8 })), {
    name: "RangeError",
    message: "Cannot make a batch as the step must be in [0, 8): current value is 8",
  });
});

Deno.test("augmentationOf() draws each of 9 x 9 crops and both mirrors, each value equally often", () => {
  const tops = new Array<number>(9).fill(0), lefts = new Array<number>(9).fill(0);
  let flips = 0;
  for (let image = 0; image < 9000; image++) {
    const { top, left, flip } = augmentationOf(image, { seed: 1, epoch: 2, view: 0 });
    tops[top]! += 1;
    lefts[left]! += 1;
    flips += flip ? 1 : 0;
  }
  // chi-square with 8 degrees of freedom: 26.1 is passed once in 1,000; 4 standard errors of 4,500: 190
  for (const counts of [tops, lefts]) {
    const chiSquare = counts.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
    assert.ok(chiSquare < 26.1, `chi-square ${chiSquare} of ${counts}`);
  }
  assert.ok(Math.abs(flips - 4500) < 190, `${flips} mirrored`);
});

Deno.test("augmentationOf() draws other values for another epoch, view or seed", () => {
  const drawn = (options: { seed: number; epoch: number; view: number }) =>
    JSON.stringify(Array.from({ length: 10 }, (_, image) => augmentationOf(image, options)));
  const all = [[1, 0, 0], [1, 1, 0], [1, 0, 1], [2, 0, 0]].map(([seed, epoch, view]) =>
    drawn({ seed: seed!, epoch: epoch!, view: view! })
  );
  assert.equal(new Set(all).size, 4);
});

Deno.test("evaluationBatches() refuses images that the split does not have", () => {
  assert.throws(() => [...evaluationBatches(SPLIT, Uint32Array.of(0, 50), 2)], {
    name: "InputError",
    message: "Cannot evaluate image 50 as there are 50: take testExamples of at most 50",
  });
});

Deno.test("evaluationBatches() keeps the order and fills the last batch with zeros", () => {
  const batches = [...evaluationBatches(SPLIT, Uint32Array.of(7, 3, 3, 49, 0), 2)];
  assert.deepEqual(batches.map(({ valid }) => valid), [2, 2, 1]);
  assert.deepEqual(batches.map(({ labels }) => [...labels]), [[7, 3], [3, 9], [0, 0]]);
  assert.deepEqual(batches.map(({ images }) => [images[0], images[SIZE]]), [[8, 4], [4, 50], [1, 0]]);
  assert.ok(batches.every(({ images }) => images.length === 2 * SIZE));
  assert.ok(batches[2]!.images.subarray(SIZE).every((value) => value === 0));
});
