import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { constantChannels } from "../../src/measure/constant_channels.ts";
import type { MeasuredValues } from "../../src/runs/measurement.ts";
import { testOnEngines } from "../support/engines.ts";
import { tinySubject } from "./tiny_network.ts";

for (const kind of ["full", "quantized"] as const) {
  testOnEngines(`constant_channels counts a channel once its step size has outgrown its weights: ${kind}`, (engine) => {
    const { subject, network } = tinySubject(engine, kind);
    const measuring = constantChannels.start(subject, {});
    // conv1 has 3 channels, conv2 4, the dense layer 3
    const counted = (constant: number, firstConstant: number): MeasuredValues => ({
      channels: 10,
      constant,
      firstChannels: 3,
      firstConstant,
    });
    assert.deepEqual(measuring.measure(network), counted(0, 0));
    const path = "conv1/weight_quantizer/step_size", own = network.params[path];
    if (own) {
      const grown = [...own.dataSync()].map((step, channel) => channel === 1 ? 1e4 * step : step);
      const params = { ...network.params, [path]: tf.tensor1d(grown) };
      assert.deepEqual(measuring.measure({ ...network, params }), counted(1, 1));
    } else {
      const params = { ...network.params, "conv2/weight": tf.ones(network.params["conv2/weight"]!.shape) };
      assert.deepEqual(measuring.measure({ ...network, params }), counted(4, 0));
    }
    measuring.dispose();
  });
}

testOnEngines("constant_channels loses no tensor", (engine) => {
  const { subject, network } = tinySubject(engine, "quantized"), measuring = constantChannels.start(subject, {});
  measuring.measure(network);
  const before = tf.memory().numTensors;
  measuring.measure(network);
  assert.equal(tf.memory().numTensors, before);
  measuring.dispose();
});
