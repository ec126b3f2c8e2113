/** Differences between ONNX Runtime and our engines are told apart: ties, what follows from them, and the rest. */
import assert from "node:assert/strict";
import { LayerComparer } from "../../src/export/layer_comparison.ts";
import { differenceProblems } from "../../src/export/verify.ts";
import { ModelBuilder } from "../../src/nn/builder.ts";

const builder = new ModelBuilder(), shape = { inChannels: 1, outChannels: 1, inputSigned: false };
const [first, second] = [builder.layer("first", shape), builder.layer("second", shape)];

Deno.test("LayerComparer counts ties, differences that follow, and others, image by image", () => {
  const comparer = new LayerComparer([first, second]);
  // three images of two values: equal, a tie in the first layer, a difference in the second that is none
  const pairs = {
    first: { ours: [1, 2, 3, 0, 1, 1], theirs: [1, 2, 2, 0, 1, 1], unrounded: [1.2, 2, 2.50001, 0.1, 1, 1] },
    second: { ours: [0, 0, 5, 5, 1, 2], theirs: [0, 0, 9, 9, 1, 3], unrounded: [0, 0, 5, 5, 1, 2.2] },
  };
  const found = comparer.add(3, ({ path }) => {
    const { ours, theirs, unrounded } = pairs[path as "first" | "second"];
    return { ours: Float32Array.from(ours), theirs, unrounded: Float32Array.from(unrounded) };
  });
  assert.deepEqual(found, [null, { path: "first", tied: true }, { path: "second", tied: false }]);
  const [one, two] = comparer.result;
  assert.deepEqual([one!.integers, one!.first, one!.ties, one!.later], [6, 1, 1, 0]);
  assert.deepEqual([two!.integers, two!.first, two!.ties, two!.later], [6, 1, 0, 2]);
  assert.ok(Math.abs(two!.farthest - 0.3) < 1e-6); // of 2.2 from 2.5
});

Deno.test("LayerComparer takes a step of two for no tie, however near the edge", () => {
  const comparer = new LayerComparer([first]);
  const pair = { ours: Float32Array.of(3), theirs: [1], unrounded: Float32Array.of(2.5) };
  assert.deepEqual(comparer.add(1, () => pair), [{ path: "first", tied: false }]);
});

Deno.test("more than 2 images of 10,000 with another class are a problem unless ties explain them", () => {
  const images = 10_000,
    of = (...numbers: number[]) => numbers.map((image) => ({ image, theirs: 1, ours: 2, margin: 0.1 }));
  const problems = (numbers: number[], explained: number[] = [], form = "qdq") =>
    differenceProblems({ metadata: { form } }, { different: of(...numbers), images, explained: new Set(explained) });
  assert.deepEqual(problems([5, 6]), []);
  assert.deepEqual(problems([5, 6, 7]), [
    "3 of 10000 images get another class than by our own evaluation, and no tie explains them",
  ]);
  assert.deepEqual(problems([5, 6, 7], [7]), []);
  assert.deepEqual(problems([5, 6, 7], [8]).length, 1);
  assert.deepEqual(problems([5, 6, 7], [], "integer"), []);
});
