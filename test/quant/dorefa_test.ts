import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { dorefa, symmetricBounds } from "../../src/quant/dorefa.ts";
import { testOnEngines } from "../support/engines.ts";
import { goldenJson, relativeDistance } from "../support/golden.ts";

testOnEngines("dorefa weights span -1 to 1 over the whole layer, in steps of 2 / (2^k - 1)", () => {
  const quantizer = dorefa.weight({ bits: 2, signed: true });
  // tanh(w) / max: -1, -0.26, 0.05, 0.6 -> r = 0, 0.37, 0.525, 0.8 -> 3 r = 0, 1.11, 1.575, 2.4
  const largest = Math.tanh(2),
    weight = tf.tensor2d([[-2, Math.atanh(-0.26 * largest)], [
      Math.atanh(0.05 * largest),
      Math.atanh(0.6 * largest),
    ]]);
  assert.deepEqual([...quantizer.levels(weight, {}).dataSync()].map((value) => value + 0), [0, 1, 2, 2]);
  const y = quantizer.apply(weight, {}).dataSync();
  [-1, -1 / 3, 1 / 3, 1 / 3].forEach((value, i) => assert.ok(Math.abs(y[i]! - value) < 1e-6, `${y}`));
});

testOnEngines(
  "dorefa's gradient goes through tanh and the maximum: the largest weight alone has none of its own",
  () => {
    const quantizer = dorefa.weight({ bits: 4, signed: true });
    const gradient = (upstream: number[]) =>
      tf.grad((w: Tensor) => tf.sum(tf.mul(quantizer.apply(w, {}), tf.tensor1d(upstream))))(tf.tensor1d([0.5, -1]))
        .dataSync();
    const m = Math.tanh(1), sech = (x: number) => 1 - Math.tanh(x) ** 2;
    // ŵ_0 = tanh(w_0) / m, m = -tanh(w_1): dŵ_0/dw_0 = sech²(w_0) / m, dŵ_0/dw_1 = tanh(w_0) sech²(w_1) / m²; ŵ_1 = -1
    const own = gradient([1, 0]);
    assert.ok(
      Math.abs(own[0]! - sech(0.5) / m) < 1e-6 && Math.abs(own[1]! - Math.tanh(0.5) * sech(1) / m ** 2) < 1e-6,
      `${own}`,
    );
    assert.ok(gradient([0, 1]).every((value) => Math.abs(value) < 1e-6));
  },
);

testOnEngines("dorefa activation clips to [0, 1], and a signed one to its calibrated range", () => {
  const unsigned = dorefa.activation({ bits: 2, signed: false }), x = tf.tensor1d([-1, 0.2, 0.6, 1, 4]);
  const { values, scale } = unsigned.quantizeScaled(tf.mul(x, unsigned.inverseStep({}, 5)), {});
  assert.deepEqual([...values.dataSync()].map((value) => value + 0), [0, 1, 2, 3, 3]);
  assert.ok(Math.abs(scale!.dataSync()[0]! - 1 / 3) < 1e-7);
  const signed = dorefa.activation({ bits: 2, signed: true });
  const start = signed.start({ min: [-4], max: [3], meanAbsolute: [1] });
  assert.deepEqual([Object.keys(start.params), start.constants["range"]![0]], [[], 4]);
  const own = { range: tf.scalar(4) };
  const rounded = signed.quantizeScaled(tf.mul(tf.tensor1d([-9, -1, 3, 9]), signed.inverseStep(own, 4)), own);
  assert.deepEqual([...rounded.values.dataSync()].map((value) => value + 0), [-1, 0, 1, 1]);
});

Deno.test("symmetricBounds() has as many integers above 0 as below, two of them with one bit", () => {
  assert.deepEqual([4, 2, 1].map((bits) => symmetricBounds(bits)), [
    { low: -7, high: 7 },
    { low: -1, high: 1 },
    { low: -1, high: 0 },
  ]);
});

testOnEngines("dorefa's binary weights are sign(w) mean|w| with gradient 1, as PyTorch float64 has it", () => {
  type Listed = { shape: number[]; values: number[] };
  const { binaryWeight: golden } = goldenJson<
    { binaryWeight: Record<"x" | "upstream" | "output" | "gradient", Listed> }
  >("quantizer_starts.json");
  const tensor = ({ shape, values }: Listed) => tf.tensor(values, shape, "float32");
  const quantizer = dorefa.weight({ bits: 1, signed: true }), x = tensor(golden.x);
  const y = quantizer.apply(x, {}).dataSync();
  assert.ok(relativeDistance(y, golden.output.values) < 1e-6);
  assert.equal(new Set(y).size, 2);
  assert.deepEqual([...quantizer.levels(x, {}).dataSync()], golden.x.values.map((value) => value >= 0 ? 1 : 0));
  const upstream = tensor(golden.upstream);
  const dx = tf.grad((w: Tensor) => tf.sum(tf.mul(quantizer.apply(w, {}), upstream)))(x);
  assert.ok(relativeDistance(dx.dataSync(), golden.gradient.values) < 1e-6);
});

testOnEngines("dorefa's binary weights take a zero as positive", () => {
  const quantizer = dorefa.weight({ bits: 1, signed: true });
  assert.deepEqual([...quantizer.apply(tf.tensor1d([0, -3, 1, 0]), {}).dataSync()], [1, -1, 1, 1]);
});
