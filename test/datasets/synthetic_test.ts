import assert from "node:assert/strict";
import { synthetic } from "../../datasets/synthetic.ts";

const SIZE = 32 * 32 * 3;
const dataset = await synthetic.load({ cache: "/not/used" });

/** Mean image of each class, [10][size]. */
function classMeans(images: Uint8Array, labels: ArrayLike<number>): Float64Array[] {
  const means = Array.from({ length: 10 }, () => new Float64Array(SIZE)), each = labels.length / 10;
  for (let i = 0; i < images.length; i++) means[labels[Math.floor(i / SIZE)]!]![i % SIZE]! += images[i]! / each;
  return means;
}

Deno.test("synthetic is the same bytes on every machine", () => {
  assert.equal(dataset.sha256, "1ce7033cc0e9f6afa0dff36fe6a262c41065cd33d0c46db4480ec1363b5c9538");
});

Deno.test("synthetic has 2,000 training and 500 test images, equally many of each class", () => {
  for (const [split, count] of [[dataset.train, 2000], [dataset.test, 500]] as const) {
    assert.deepEqual([split.count, split.images.length, split.labels.length], [count, count * SIZE, count]);
    for (let label = 0; label < 10; label++) {
      assert.equal(split.labels.filter((other) => other === label).length, count / 10);
    }
  }
  assert.notDeepEqual(dataset.train.images.subarray(0, SIZE), dataset.test.images.subarray(0, SIZE));
});

Deno.test("synthetic states the mean and standard deviation of its training images", () => {
  for (let c = 0; c < 3; c++) {
    let sum = 0, squares = 0;
    for (let i = c; i < dataset.train.images.length; i += 3) {
      sum += dataset.train.images[i]! / 255;
      squares += (dataset.train.images[i]! / 255) ** 2;
    }
    const count = dataset.train.images.length / 3, mean = sum / count;
    // float64 sums of two million terms in another order
    assert.ok(Math.abs(dataset.mean[c]! - mean) < 1e-9);
    assert.ok(Math.abs(dataset.std[c]! - Math.sqrt(squares / count - mean ** 2)) < 1e-9);
  }
});

Deno.test("synthetic is learnable: the nearest class mean of training names over 90 % of the test images", () => {
  const means = classMeans(dataset.train.images, dataset.train.labels);
  let correct = 0;
  for (let i = 0; i < 500; i++) {
    const image = dataset.test.images.subarray(i * SIZE, (i + 1) * SIZE);
    const distances = means.map((mean) => mean.reduce((sum, value, at) => sum + (value - image[at]!) ** 2, 0));
    if (distances.indexOf(Math.min(...distances)) === dataset.test.labels[i]) correct++;
  }
  assert.ok(correct > 450, `${correct} of 500`);
});
