import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { normRecalibration } from "../../src/measure/norm_recalibration.ts";
import type { Subject } from "../../src/measure/types.ts";
import type { NetworkTensors } from "../../src/methods/types.ts";
import { applyLayer } from "../../src/nn/layers.ts";
import { testOnEngines } from "../support/engines.ts";
import { everything, LAYERS, scores, tinySubject } from "./tiny_network.ts";

/** @param options One batch without augmentation in place of the defaults, and what is given. */
function recalibrated(subject: Subject, network: NetworkTensors, options: object = {}): Record<string, number> {
  const given = { batches: 1, augmentation: "none", ...options };
  const measuring = normRecalibration.start(subject, normRecalibration.options.parse(given));
  try {
    return measuring.measure(network, network) as Record<string, number>;
  } finally {
    measuring.dispose();
  }
}

function near(actual: number, expected: number, tolerance = 1e-5): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);
}

for (const kind of ["full", "quantized"] as const) {
  testOnEngines(`norm_recalibration takes a norm's mean and variance from its own input: ${kind}`, (engine) => {
    const { subject, network } = tinySubject(engine, kind), { model, quantization } = subject;
    const { images } = everything(subject), count = images.shape[0]!;
    const context = { ...network, training: true, quantization, hooks: {}, updates: {} };
    const input = applyLayer(context, model.layers.find(({ path }) => path === LAYERS[0])!, images);
    // in float64: count, height and width of each channel
    const channels = input.shape[3]!, values = input.dataSync(), n = values.length / channels;
    const mean = new Float64Array(channels), variance = new Float64Array(channels);
    values.forEach((value, i) => mean[i % channels]! += value / n);
    values.forEach((value, i) => variance[i % channels]! += (value - mean[i % channels]!) ** 2 / (n - 1));
    const expected = scores(subject, {
      params: network.params,
      state: { ...network.state, "norm1/mean": tf.tensor1d([...mean]), "norm1/variance": tf.tensor1d([...variance]) },
    });
    const before = scores(subject, network), found = recalibrated(subject, network);
    assert.deepEqual([found["images"], found["testImages"]], [count, count]);
    near(found["loss"]!, before.loss);
    near(found["top1Percent"]!, before.top1Percent, 1e-4);
    near(found["recalibratedLoss"]!, expected.loss);
    near(found["recalibratedTop1Percent"]!, expected.top1Percent, 1e-4);
    assert.ok(
      Math.abs(expected.loss - before.loss) > 1e-3,
      "the statistics of this network must differ from its batch's",
    );
  });
}

testOnEngines("norm_recalibration does not depend on the running statistics, and loses no tensor", (engine) => {
  const { subject, network } = tinySubject(engine, "quantized"), tensors = tf.memory().numTensors;
  const found = recalibrated(subject, network);
  assert.equal(tf.memory().numTensors, tensors);
  const moved = { ...network.state, "norm1/mean": tf.add(network.state["norm1/mean"]!, 3) };
  const other = recalibrated(subject, { params: network.params, state: moved });
  assert.notEqual(other["loss"], found["loss"]);
  assert.equal(other["recalibratedLoss"], found["recalibratedLoss"]);
  assert.equal(other["recalibratedTop1Percent"], found["recalibratedTop1Percent"]);
});

testOnEngines("norm_recalibration averages over batches, which are the training's own", (engine) => {
  const { subject, network } = tinySubject(engine, "full"), { train } = subject.dataset;
  const trainingIndices = Uint32Array.from({ length: 300 }, (_, i) => i % train.count);
  const many = { ...subject, trainingIndices };
  const two = recalibrated(many, network, { batches: 2, testImages: 1 });
  assert.deepEqual([two["images"], two["testImages"]], [256, 1]);
  assert.ok([0, 100].includes(Math.round(two["top1Percent"]!)));
  const losses = [{}, { seed: 1 }, { batches: 2 }, { augmentation: "crop_flip" }].map((options) =>
    recalibrated(many, network, options)["recalibratedLoss"]!
  );
  assert.equal(new Set(losses).size, losses.length, "order, number and crops of the batches must tell");
  assert.equal(recalibrated(many, network)["recalibratedLoss"], losses[0]);
});
