import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { pact } from "../../src/quant/pact.ts";
import type { ActivationQuantizer } from "../../src/quant/types.ts";
import { testOnEngines } from "../support/engines.ts";

function activated(quantizer: ActivationQuantizer, x: Tensor, own: Record<string, Tensor>): Tensor {
  const { values, scale } = quantizer.quantizeScaled(tf.mul(x, quantizer.inverseStep(own, x.size)), own);
  return tf.mul(values, scale!);
}

/** Gradients of sum(x̂ · upstream) in x and α. */
function gradients(quantizer: ActivationQuantizer, options: { x: number[]; upstream: number[]; level: number }) {
  const upstream = tf.tensor1d(options.upstream);
  const [dx, dlevel] = tf.grads((x: Tensor, level: Tensor) =>
    tf.sum(tf.mul(activated(quantizer, x, { clipping_level: level }), upstream))
  )([tf.tensor1d(options.x), tf.scalar(options.level)]);
  return { dx: [...dx!.dataSync()], dlevel: dlevel!.dataSync()[0]! };
}

// α = 1.5, 2 bit: steps of 0.5. x below, at and above 0 and α, exactly representable.
const X = [-1, 0, 0.25, 0.6, 1, 1.4, 1.5, 9], UPSTREAM = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7];

testOnEngines("pact activation clips to [0, alpha] and rounds to 2^k - 1 steps", () => {
  const y = activated(pact.activation({ bits: 2, signed: false }), tf.tensor1d(X), { clipping_level: tf.scalar(1.5) });
  assert.deepEqual([...y.dataSync()], [0, 0, 0.5, 0.5, 1, 1.5, 1.5, 1.5]);
});

testOnEngines("pact gives alpha the gradient of what lies at or above it, and none of the rounding", () => {
  const { dx, dlevel } = gradients(pact.activation({ bits: 2, signed: false }), {
    x: X,
    upstream: UPSTREAM,
    level: 1.5,
  });
  assert.deepEqual(dx, [0, 10, 100, 1e3, 1e4, 1e5, 0, 0]); // 0 <= x < alpha
  assert.ok(Math.abs(dlevel / 1.1e7 - 1) < 1e-6, `${dlevel}`); // 1e6 at alpha, 1e7 above; LSQ's would have the inside too
  const inside = gradients(pact.activation({ bits: 2, signed: false }), {
    x: [0.6, 1.2],
    upstream: [1, 1],
    level: 1.5,
  });
  assert.equal(inside.dlevel, 0);
});

testOnEngines("pact clips a signed input to [-alpha, alpha] with 2^k - 1 levels; alpha's gradient has the sign", () => {
  const quantizer = pact.activation({ bits: 3, signed: true }); // -3 .. 3, steps of 0.5
  const x = [-9, -1.5, -0.6, 0.2, 1.5, 9], upstream = [1, 10, 100, 1e3, 1e4, 1e5];
  const y = activated(quantizer, tf.tensor1d(x), { clipping_level: tf.scalar(1.5) });
  assert.deepEqual([...y.dataSync()].map((value) => value + 0), [-1.5, -1.5, -0.5, 0, 1.5, 1.5]);
  const { dx, dlevel } = gradients(quantizer, { x, upstream, level: 1.5 });
  assert.deepEqual(dx, [0, 0, 100, 1e3, 0, 0]);
  assert.ok(Math.abs(dlevel / (1e4 + 1e5 - 1 - 10) - 1) < 1e-6, `${dlevel}`);
});

testOnEngines(
  "pact's gradient of alpha does not depend on the bits",
  () => {
    const one = gradients(pact.activation({ bits: 4, signed: false }), { x: [2, 0.3], upstream: [1, 5], level: 1 });
    const two = gradients(pact.activation({ bits: 2, signed: false }), { x: [2, 0.3], upstream: [1, 5], level: 1 });
    assert.ok(Math.abs(one.dlevel - 1) < 1e-6);
    assert.ok(Math.abs(two.dlevel - 1) < 1e-6); // whatever the bits
  },
);

Deno.test("pact's alpha starts at the largest calibrated value, above 0 for a tensor of zeros", () => {
  const start = (min: number, max: number, signed: boolean) =>
    pact.activation({ bits: 4, signed }).start({ min: [min], max: [max], meanAbsolute: [1] })
      .params["clipping_level"]![0];
  assert.equal(start(0, 2.5, false), 2.5);
  assert.equal(start(-3, 2.5, true), 3);
  assert.equal(start(0, 0, false), Math.fround(1e-6));
});
