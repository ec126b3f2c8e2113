import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { levelSpan } from "../../src/measure/level_span.ts";
import { testOnEngines } from "../support/engines.ts";
import { GOLDEN, tinySubject } from "./tiny_network.ts";

/** Shares of conv1's 3 channels [3, 3, 2, 3] by the definition, in JavaScript numbers. */
function sharesByHand(stepSizes: readonly number[]): number[] {
  const { weights, bits } = GOLDEN.quantized, values = weights.conv1.values, low = -(2 ** (bits - 1));
  return stepSizes.map((step, channel) => {
    const own = [...values].filter((_, i) => i % 3 === channel);
    const levels = own.map((weight) => Math.floor(Math.min(Math.max(weight / step, low), -low - 1) + 0.5));
    return (Math.max(...levels) - Math.min(...levels) + 1) / 2 ** bits;
  });
}

testOnEngines("level_span is each channel's share of its levels, and falls once a step size has run away", (engine) => {
  const { subject, network } = tinySubject(engine, "quantized"), measuring = levelSpan.start(subject, {});
  const path = "conv1/weight_quantizer/step_size", own = [...network.params[path]!.dataSync()];
  const before = measuring.measure(network, network);
  assert.deepEqual(before.first, sharesByHand(own));
  assert.equal((before.others as number[]).length, 4 + 3);
  const grown = own.map((step, channel) => channel === 1 ? 1e4 * step : step);
  const after = measuring.measure({ ...network, params: { ...network.params, [path]: tf.tensor1d(grown) } }, network);
  assert.deepEqual(after.first, sharesByHand(grown));
  assert.equal((after.first as number[])[1], 2 ** -GOLDEN.quantized.bits);
  assert.deepEqual(after.others, before.others);
  measuring.dispose();
});

testOnEngines("level_span of full precision is 1 everywhere", (engine) => {
  const { subject, network } = tinySubject(engine, "full"), measuring = levelSpan.start(subject, {});
  assert.deepEqual(measuring.measure(network, network), { first: [1, 1, 1], others: [1, 1, 1, 1, 1, 1, 1] });
  measuring.dispose();
});

testOnEngines("level_span loses no tensor", (engine) => {
  const { subject, network } = tinySubject(engine, "quantized"), measuring = levelSpan.start(subject, {});
  measuring.measure(network, network);
  const before = tf.memory().numTensors;
  measuring.measure(network, network);
  assert.equal(tf.memory().numTensors, before);
  measuring.dispose();
});
