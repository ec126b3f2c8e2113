import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { decays, sgd } from "../../src/train/optimizer.ts";
import { learningRateAt } from "../../src/train/step_inputs.ts";
import { testOnEngines } from "../support/engines.ts";

testOnEngines("sgd() follows PyTorch's momentum rule, with weight decay on weights only", () => {
  // w: g + d w = 0.5 + 0.1 · 2 = 0.7; v = 0.9 · 1 + 0.7 = 1.6; w = 2 - 0.1 · 1.6 = 1.84
  // gamma: v = 0.9 · 1 + 0.5 = 1.4; 2 - 0.14 = 1.86
  const at = (value: number) => tf.tensor1d([value]);
  const { params, velocity } = sgd(
    { "a/weight": at(2), "a/gamma": at(2) },
    { "a/weight": at(0.5), "a/gamma": at(0.5) },
    { momentum: 0.9, weightDecay: 0.1, velocity: { "a/weight": at(1), "a/gamma": at(1) }, rate: tf.scalar(0.1) },
  );
  assert.ok(Math.abs(velocity["a/weight"]!.dataSync()[0]! - 1.6) < 1e-6);
  assert.ok(Math.abs(params["a/weight"]!.dataSync()[0]! - 1.84) < 1e-6);
  assert.ok(Math.abs(params["a/gamma"]!.dataSync()[0]! - 1.86) < 1e-6);
});

testOnEngines("sgd() keeps step sizes positive", () => {
  const path = "a/input_quantizer/step_size";
  const { params } = sgd({ [path]: tf.scalar(0.01) }, { [path]: tf.scalar(1) }, {
    momentum: 0,
    weightDecay: 0,
    velocity: { [path]: tf.scalar(0) },
    rate: tf.scalar(1),
  });
  assert.equal(params[path]!.dataSync()[0], Math.fround(1e-6));
});

testOnEngines("sgd() regularises PACT's clipping level as it decays weights, and keeps it positive", () => {
  // g + d α = 0.5 + 0.1 · 2 = 0.7; 2 - 1 · 0.7 = 1.3. Then a step that would end at -2
  const path = "a/input_quantizer/clipping_level", at = (value: number) => ({ [path]: tf.scalar(value) });
  const options = { momentum: 0, weightDecay: 0.1, velocity: at(0), rate: tf.scalar(1) };
  assert.ok(Math.abs(sgd(at(2), at(0.5), options).params[path]!.dataSync()[0]! - 1.3) < 1e-6);
  assert.equal(sgd(at(2), at(4), { ...options, weightDecay: 0 }).params[path]!.dataSync()[0], Math.fround(1e-6));
});

Deno.test("decays() is true for convolution and dense weights and clipping levels alone", () => {
  const paths = ["stem/conv/weight", "classifier/bias", "stem/norm/gamma", "a/weight_quantizer/step_size"];
  assert.deepEqual(paths.map(decays), [true, false, false, false]);
  assert.deepEqual(["clipping_level", "offset"].map((name) => decays(`a/input_quantizer/${name}`)), [true, false]);
});

Deno.test("learningRateAt() warms up linearly, peaks, and ends near zero along a cosine", () => {
  const options = { learningRate: 0.4, warmupSteps: 4, totalSteps: 12 };
  assert.deepEqual([0, 1, 2, 3].map((step) => learningRateAt(step, options)), [0.1, 0.2, 0.30000000000000004, 0.4]);
  assert.equal(learningRateAt(4, options), 0.4);
  assert.ok(Math.abs(learningRateAt(8, options) - 0.2) < 1e-12); // half way
  assert.ok(Math.abs(learningRateAt(11, options) - 0.4 * 0.5 * (1 + Math.cos(Math.PI * 7 / 8))) < 1e-12);
});

Deno.test("a step size that an update takes below 0 is cut, or changes its sign where it is reflected", () => {
  const path = "a/weight_quantizer/step_size";
  const options = { momentum: 0, weightDecay: 0, velocity: { [path]: tf.zeros([3]) }, rate: tf.scalar(1) };
  const params = { [path]: tf.tensor1d([0.5, 0.5, 0.5]) }, gradients = { [path]: tf.tensor1d([0.75, 0.25, 0.5]) };
  const moved = (
    reflectsStepSizes: boolean,
  ) => [...sgd(params, gradients, { ...options, reflectsStepSizes }).params[path]!.dataSync()];
  const least = Math.fround(1e-6);
  assert.deepEqual(moved(false), [least, 0.25, least]);
  assert.deepEqual(moved(true), [0.25, 0.25, least]);
});
