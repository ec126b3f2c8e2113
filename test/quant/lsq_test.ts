import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { lsq, lsqBounds } from "../../src/quant/lsq.ts";
import { lsqAsymmetric } from "../../src/quant/lsq_asymmetric.ts";
import type { ActivationQuantizer } from "../../src/quant/types.ts";
import { testOnEngines } from "../support/engines.ts";

/** x̂ of an activation quantizer, as the layers compute it. */
function activated(quantizer: ActivationQuantizer, x: Tensor, own: Record<string, Tensor>): Tensor {
  const { values, scale } = quantizer.quantizeScaled(tf.mul(x, quantizer.inverseStep(own, x.size)), own);
  return scale ? tf.mul(values, scale) : values;
}

function close(actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-5): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) =>
    assert.ok(
      Math.abs(actual[i]! - value) <= tolerance * Math.max(1, Math.abs(value)),
      `${[...actual as number[]]} is not ${expected}`,
    )
  );
}

// s = 0.5, unsigned 2 bit: Q_N = 0, Q_P = 3. u = v / s:  below, at and between every boundary.
//   v   -0.3   0    0.1   0.25   0.6   0.9   1.5   1.6   9
//   u   -0.6   0    0.2   0.5    1.2   1.8   3     3.2   18
//   v̄    0     0    0     1(tie) 1     2     3     3     3
const V = [-0.3, 0, 0.1, 0.25, 0.6, 0.9, 1.5, 1.6, 9];
const UPSTREAM = [1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7, 1e8];

testOnEngines("lsq activation rounds to the nearest level, ties up, and clips at both bounds", () => {
  const quantizer = lsq.activation({ bits: 2, signed: false });
  const y = activated(quantizer, tf.tensor1d(V), { step_size: tf.scalar(0.5) });
  close(y.dataSync(), [0, 0, 0, 0.5, 0.5, 1, 1.5, 1.5, 1.5]);
});

testOnEngines("lsq activation passes the input gradient inside the bounds only, the bounds included", () => {
  const quantizer = lsq.activation({ bits: 2, signed: false }), own = { step_size: tf.scalar(0.5) };
  const upstream = tf.tensor1d(UPSTREAM);
  const dx = tf.grad((x: Tensor) => tf.sum(tf.mul(activated(quantizer, x, own), upstream)))(tf.tensor1d(V));
  // outside: u = -0.6, 3.2, 18
  close(dx.dataSync(), [0, 10, 100, 1000, 1e4, 1e5, 1e6, 0, 0]);
});

testOnEngines("lsq activation gives the step size round(u) - u inside, the bound outside, times 1/sqrt(N Q_P)", () => {
  const quantizer = lsq.activation({ bits: 2, signed: false });
  // v̄ - u inside; Q_N = 0 below, Q_P = 3 above
  const expected = [0, 0, -0.2, 0.5, -0.2, 0.2, 0, 3, 3];
  const g = 1 / Math.sqrt(1 * 3); // one value at a time: N = 1
  V.forEach((v, i) => {
    const ds = tf.grad((s: Tensor) => tf.sum(tf.mul(activated(quantizer, tf.tensor1d([v]), { step_size: s }), 7)))(
      tf.scalar(0.5),
    );
    close(ds.dataSync(), [7 * g * expected[i]!], 2e-6);
  });
});

testOnEngines("lsq weight is signed, with a step size for each output channel", () => {
  const quantizer = lsq.weight({ bits: 2, signed: true }); // Q_N = -2, Q_P = 1
  // columns are channels: s = 0.5 and s = 1
  //  w  [-1.3, -1.3], [0.2, 0.2], [0.3, 0.6]   u  [-2.6, -1.3], [0.4, 0.2], [0.6, 0.6]   v̄ [-2, -1], [0, 0], [1, 1]
  const weight = tf.tensor2d([[-1.3, -1.3], [0.2, 0.2], [0.3, 0.6]]), own = { step_size: tf.tensor1d([0.5, 1]) };
  close(quantizer.apply(weight, own).dataSync(), [-1, -1, 0, 0, 0.5, 1]);
  const upstream = tf.tensor2d([[1, 10], [100, 1000], [1e4, 1e5]]);
  const [dw, ds] = tf.grads((w: Tensor, s: Tensor) => tf.sum(tf.mul(quantizer.apply(w, { step_size: s }), upstream)))([
    weight,
    own.step_size,
  ]);
  close(dw!.dataSync(), [0, 10, 100, 1000, 1e4, 1e5]);
  // channel 0: -2 · 1 (outside) + (0 - 0.4) · 100 + (1 - 0.6) · 1e4; channel 1: (-1 + 1.3) 10 + (-0.2) 1000 + 0.4 · 1e5
  const g = 1 / Math.sqrt(3 * 1);
  close(ds!.dataSync(), [g * (-2 - 40 + 4000), g * (3 - 200 + 40000)]);
});

Deno.test("lsq step size starts at 2 <|v|> / sqrt(Q_P)", () => {
  const statistics = { min: [-1], max: [3], meanAbsolute: [0.6] };
  const start = lsq.activation({ bits: 4, signed: false }).start(statistics);
  close(start.params["step_size"]!, [2 * 0.6 / Math.sqrt(15)]);
  const weights = lsq.weight({ bits: 4, signed: true }).start({
    ...{ min: [-1, -1], max: [1, 1], meanAbsolute: [0.6, 0.1], mean: [0, 0], standardDeviation: [1, 1] },
  });
  close(weights.params["step_size"]!, [1.2 / Math.sqrt(7), 0.2 / Math.sqrt(7)]);
});

Deno.test("lsq bounds are -2^(b-1) .. 2^(b-1) - 1 signed and 0 .. 2^b - 1 unsigned", () => {
  assert.deepEqual(lsqBounds({ bits: 4, signed: true }), { low: -8, high: 7 });
  assert.deepEqual(lsqBounds({ bits: 8, signed: false }), { low: 0, high: 255 });
});

Deno.test("lsq refuses bits that are not an integer in [1, 8]", () => {
  for (const bits of [0, 9, 2.5]) {
    assert.throws(
      () => lsq.weight({ bits, signed: true }),
      new RangeError(`Cannot build LSQ quantizer as bits must be an integer in [1, 8]: current value is ${bits}`),
    );
  }
});

// Signed input in [-1, 2], 2 bit: s = 3 / 3 = 1, z = round(3 - 2 / 1) = 1. Levels x_int - z: -1, 0, 1, 2.
testOnEngines("asymmetric lsq calibrates s and z from the range and rounds around z", () => {
  const quantizer = lsqAsymmetric.activation({ bits: 2, signed: true });
  const start = quantizer.start({ min: [-1], max: [2], meanAbsolute: [1] });
  close(start.params["step_size"]!, [1]);
  close(start.constants["zero_point"]!, [1]);
  const own = { step_size: tf.scalar(1), zero_point: tf.scalar(1) };
  const x = tf.tensor1d([-5, -1, -0.4, 0.4, 0.5, 1.4, 2, 2.7]),
    upstream = tf.tensor1d([1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7]);
  close(activated(quantizer, x, own).dataSync(), [-1, -1, 0, 0, 1, 1, 2, 2]);
  const dx = tf.grad((x: Tensor) => tf.sum(tf.mul(activated(quantizer, x, own), upstream)))(x);
  close(dx.dataSync(), [0, 10, 100, 1e3, 1e4, 1e5, 1e6, 0]);
  // ∂x̂/∂s: below -1 = -z, above 2 = q_max - z, inside v̄ - u: 0, 0.4, -0.4, 0.5, -0.4, 0; g = 1/sqrt(8 · 3)
  const ds = tf.grad((s: Tensor) => tf.sum(tf.mul(activated(quantizer, x, { ...own, step_size: s }), upstream)))(
    own.step_size,
  );
  const expected = -1 * 1 + 0 * 10 + 0.4 * 100 - 0.4 * 1e3 + 0.5 * 1e4 - 0.4 * 1e5 + 0 * 1e6 + 2 * 1e7;
  close(ds.dataSync(), [expected / Math.sqrt(24)]);
});

testOnEngines("asymmetric lsq weights have a zero point for each output channel", () => {
  const quantizer = lsqAsymmetric.weight({ bits: 2, signed: true });
  // channel 0 in [-1, 2]: s 1, z 1; channel 1 in [-3, 0]: s 1, z 3
  const start = quantizer.start({
    ...{ min: [-1, -3], max: [2, 0], meanAbsolute: [1, 1], mean: [0, 0], standardDeviation: [1, 1] },
  });
  close(start.constants["zero_point"]!, [1, 3]);
  const own = { step_size: tf.tensor1d([1, 1]), zero_point: tf.tensor1d([1, 3]) };
  const y = quantizer.apply(tf.tensor2d([[-5, -5], [0.6, 0.6], [5, -1.4]]), own);
  close(y.dataSync(), [-1, -3, 1, 0, 2, -1]);
});

Deno.test("asymmetric lsq widens a one-sided range to hold zero", () => {
  const start = lsqAsymmetric.activation({ bits: 2, signed: true }).start({ min: [3], max: [6], meanAbsolute: [4] });
  close(start.params["step_size"]!, [2]); // (6 - 0) / 3
  close(start.constants["zero_point"]!, [0]);
});
