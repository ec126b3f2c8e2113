/** The control arms of CR: two views, and averaged tensors at evaluation. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../../src/engine/ops.ts";
import { runningAverage } from "../../src/methods/averaging.ts";
import { crossEntropy } from "../../src/methods/losses.ts";
import { createMethod } from "../../src/methods/mod.ts";
import type { ForwardOptions, NetworkTensors } from "../../src/methods/types.ts";
import type { Model } from "../../src/nn/types.ts";
import { testOnEngines } from "../support/engines.ts";

const MODEL = {} as Model;
const VIEWS = [[[1, 2, 0], [0, 1, 3]], [[2, 0, 1], [1, 1, 0]]];

testOnEngines("qat_two_view takes the mean of both views' cross-entropies and updates the statistics in turn", () => {
  tf.tidy(() => {
    const student: NetworkTensors = {
      params: {},
      state: { "norm/mean": tf.scalar(8), "other/zero_point": tf.scalar(3) },
    };
    const views: Tensor[] = VIEWS.map((view) => tf.tensor2d(view)), labels = oneHot(tf.tensor1d([0, 2], "int32"), 3);
    const passes: unknown[] = [];
    // logits are the images; the running mean is halved by each pass
    const forward = ({ network, images, training, quantized }: ForwardOptions) => {
      const mean = network.state["norm/mean"]!;
      passes.push([
        views.indexOf(images),
        training,
        quantized,
        mean.dataSync()[0],
        network.state["other/zero_point"] !== undefined,
      ]);
      return { logits: images, features: images, updates: { "norm/mean": tf.mul(mean, 0.5) } };
    };
    const given = {
      model: MODEL,
      quantization: null,
      teacher: null,
      memory: {},
      inputs: {},
      student,
      views,
      labels,
      forward,
    };
    const { loss, logits, updates } = createMethod({ name: "qat_two_view", options: {} }).loss(given);
    assert.deepEqual(passes, [[0, true, true, 8, true], [1, true, true, 4, true]]);
    assert.equal(updates["norm/mean"]!.dataSync()[0], 2);
    assert.equal(logits, views[0]);
    const expected = views.reduce((sum, view) => sum + crossEntropy(view, labels).dataSync()[0]! / 2, 0);
    assert.ok(Math.abs(loss.dataSync()[0]! - expected) < 1e-6);
  });
});

Deno.test("qat_two_view asks for two views and qat_ema for one; neither asks for the teacher", () => {
  const [two, ema] = ["qat_two_view", "qat_ema"].map((name) => createMethod({ name, options: {} }));
  assert.deepEqual([two!.views, two!.usesTeacher, ema!.views, ema!.usesTeacher], [2, false, 1, false]);
  assert.equal(two!.evaluated, undefined);
});

testOnEngines("qat_ema averages what it trains with Mean Teacher's factor and hands out the average", () => {
  tf.tidy(() => {
    const network = (value: number): NetworkTensors => ({
      params: { "a/weight": tf.tensor1d([value, 2 * value]), "a/input_quantizer/step_size": tf.scalar(value) },
      state: { "n/mean": tf.tensor1d([value]), "a/input_quantizer/zero_point": tf.scalar(value) },
    });
    const method = createMethod({ name: "qat_ema", options: { alpha: 0.75 } }),
      start = network(1),
      student = network(5);
    const factors = [0, 1, 2, 9].map((step) =>
      method.stepInputs!({ seed: 0, step, stepsPerEpoch: 10, epochs: 2 }, MODEL)["emaFactor"]![0]!
    );
    assert.deepEqual(factors, [0.5, Math.fround(2 / 3), 0.75, 0.75]);
    const memory = method.initialMemory!(MODEL, start);
    const next = method.afterUpdate!({ memory, student, inputs: { emaFactor: tf.tensor1d([0.75]) } });
    assert.deepEqual(Object.keys(next).sort(), Object.keys(memory).sort());
    const { params, state } = method.evaluated!(student, next);
    // 0.75 · 1 + 0.25 · 5 = 2; what a quantizer fixes is taken over
    assert.deepEqual([...params["a/weight"]!.dataSync()], [2, 4]);
    assert.equal(params["a/input_quantizer/step_size"]!.dataSync()[0], 2);
    assert.deepEqual(params["a/input_quantizer/step_size"]!.shape, []);
    assert.equal(state["n/mean"]!.dataSync()[0], 2);
    assert.equal(state["a/input_quantizer/zero_point"]!.dataSync()[0], 5);
  });
});

testOnEngines("runningAverage() keeps its tensors under its own name", () => {
  tf.tidy(() => {
    const network: NetworkTensors = { params: { w: tf.scalar(1) }, state: { m: tf.scalar(2) } };
    const memory = { ...runningAverage("one").start(network), ...runningAverage("two").start(network) };
    assert.deepEqual(Object.keys(memory).sort(), ["one/params/w", "one/state/m", "two/params/w", "two/state/m"]);
    assert.deepEqual(Object.keys(runningAverage("one").network(memory).params), ["w"]);
  });
});
