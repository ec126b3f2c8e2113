import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { decays, sgd } from "../../src/train/optimizer.ts";
import { learningRateAt } from "../../src/train/schedule.ts";
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

Deno.test("decays() is true for convolution and dense weights alone", () => {
  assert.deepEqual(
    ["stem/conv/weight", "classifier/bias", "stem/norm/gamma", "a/weight_quantizer/step_size"].map(decays),
    [true, false, false, false],
  );
});

Deno.test("learningRateAt() warms up linearly, peaks, and ends near zero along a cosine", () => {
  const options = { learningRate: 0.4, warmupSteps: 4, totalSteps: 12 };
  assert.deepEqual([0, 1, 2, 3].map((step) => learningRateAt(step, options)), [0.1, 0.2, 0.30000000000000004, 0.4]);
  assert.equal(learningRateAt(4, options), 0.4);
  assert.ok(Math.abs(learningRateAt(8, options) - 0.2) < 1e-12); // half way
  assert.ok(Math.abs(learningRateAt(11, options) - 0.4 * 0.5 * (1 + Math.cos(Math.PI * 7 / 8))) < 1e-12);
});
