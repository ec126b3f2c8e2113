import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { lsq } from "../../src/quant/lsq.ts";
import { lsqUnscaled } from "../../src/quant/lsq_unscaled.ts";
import type { Quantizer } from "../../src/quant/types.ts";
import { testOnEngines } from "../support/engines.ts";

const W = [[-0.9, 0.2], [0.1, 0.7], [0.45, -0.3], [0.3, 1.4]]; // [4, 2 channels]
const X = [-0.3, 0, 0.1, 0.6, 0.9, 1.6, 9];

function close(actual: ArrayLike<number>, expected: readonly number[]): void {
  // float32: the factor and its inverse are rounded
  expected.forEach((value, i) =>
    assert.ok(Math.abs(actual[i]! - value) <= 1e-5 * Math.max(1, Math.abs(value)), `${actual}`)
  );
  assert.equal(actual.length, expected.length);
}

function quantizedWeight(quantizer: Quantizer, steps: Tensor): Tensor {
  return quantizer.weight({ bits: 2, signed: true }).apply(tf.tensor2d(W), { step_size: steps });
}

function quantizedInput(quantizer: Quantizer, step: Tensor): Tensor {
  const x = tf.tensor1d(X), own = { step_size: step }, made = quantizer.activation({ bits: 2, signed: false });
  const { values, scale } = made.quantizeScaled(tf.mul(x, made.inverseStep(own, x.size)), own);
  return tf.mul(values, scale!);
}

testOnEngines("lsq_unscaled gives LSQ's values", () => {
  const steps = tf.tensor1d([0.5, 0.25]), step = tf.scalar(0.5);
  close(quantizedWeight(lsqUnscaled, steps).dataSync(), [...quantizedWeight(lsq, steps).dataSync()]);
  close(quantizedInput(lsqUnscaled, step).dataSync(), [...quantizedInput(lsq, step).dataSync()]);
});

testOnEngines("lsq_unscaled gives a weight's step sizes Eq. 3 without 1/sqrt(N Q_P)", () => {
  // Q_N = -2, Q_P = 1. Channel 0, s = 0.5: u = -1.8, 0.2, 0.9, 0.6 -> -0.2, -0.2, 0.1, 0.4
  // channel 1, s = 0.25: u = 0.8, 2.8, -1.2, 5.6 -> 0.2, Q_P = 1, 0.2, 1
  const ds = tf.grad((s: Tensor) => tf.sum(quantizedWeight(lsqUnscaled, s)))(tf.tensor1d([0.5, 0.25]));
  close(ds.dataSync(), [0.1, 2.4]);
});

testOnEngines("lsq_unscaled gives an input's step size Eq. 3 without 1/sqrt(N Q_P)", () => {
  // Q_N = 0, Q_P = 3, s = 0.5: u = -0.6, 0, 0.2, 1.2, 1.8, 3.2, 18 -> 0, 0, -0.2, -0.2, 0.2, 3, 3
  const ds = tf.grad((s: Tensor) => quantizedInput(lsqUnscaled, s).sum())(tf.scalar(0.5));
  close(ds.dataSync(), [5.8]);
});
