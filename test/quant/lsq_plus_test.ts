import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { leastSquaresGrid, type UniformGrid } from "../../src/quant/least_squares.ts";
import { lsqPlus } from "../../src/quant/lsq_plus.ts";
import { lsqPlusRange } from "../../src/quant/lsq_plus_range.ts";
import type { ActivationQuantizer } from "../../src/quant/types.ts";
import { testOnEngines } from "../support/engines.ts";
import { goldenJson } from "../support/golden.ts";

function activated(quantizer: ActivationQuantizer, x: Tensor, own: Record<string, Tensor>): Tensor {
  const { values, scale } = quantizer.quantizeScaled(tf.mul(x, quantizer.inverseStep(own, x.size)), own);
  return tf.mul(values, scale!);
}

// s = 0.5, β = -0.25, 2 bit: levels at -0.25, 0.25, 0.75, 1.25; u = (x + 0.25) / 0.5
//   x  -1    -0.25  0    0.25   0.6   1.25   2
//   u  -1.5   0     0.5  1      1.7   3      4.5
const X = [-1, -0.25, 0, 0.25, 0.6, 1.25, 2], UPSTREAM = [1, 10, 100, 1e3, 1e4, 1e5, 1e6];
const OWN = { step_size: 0.5, offset: -0.25 };

function own(): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(OWN).map(([name, value]) => [name, tf.scalar(value)]));
}

testOnEngines("lsq_plus activation puts its levels at beta + n s, and hands out their integers for the check", () => {
  const quantizer = lsqPlus.activation({ bits: 2, signed: true }), x = tf.tensor1d(X);
  assert.deepEqual([...activated(quantizer, x, own()).dataSync()], [-0.25, -0.25, 0.25, 0.25, 0.75, 1.25, 1.25]);
  const { levels } = quantizer.quantizeScaled(tf.mul(x, 2), own());
  assert.deepEqual([...levels!.dataSync()].map((value) => value + 0), [0, 0, 1, 1, 2, 3, 3]);
});

testOnEngines(
  "lsq_plus gives beta the gradient of what is clipped, times LSQ's scale, the bounds counting as inside",
  () => {
    const quantizer = lsqPlus.activation({ bits: 2, signed: true }), upstream = tf.tensor1d(UPSTREAM);
    const [dx, dbeta] = tf.grads((x: Tensor, offset: Tensor) =>
      tf.sum(tf.mul(activated(quantizer, x, { ...own(), offset }), upstream))
    )([tf.tensor1d(X), tf.scalar(OWN.offset)]);
    assert.deepEqual([...dx!.dataSync()], [0, 10, 100, 1e3, 1e4, 1e5, 0]);
    const expected = (1 + 1e6) / Math.sqrt(7 * 3); // N = 7, Q_P = 3
    assert.ok(Math.abs(dbeta!.dataSync()[0]! / expected - 1) < 1e-5, `${dbeta!.dataSync()[0]}`);
  },
);

testOnEngines("lsq_plus behind a relu cuts at 0 even where beta is below it", () => {
  const quantizer = lsqPlus.activation({ bits: 2, signed: false });
  const cut = activated(quantizer, tf.relu(tf.tensor1d(X)), own()).dataSync();
  assert.deepEqual(activated(quantizer, tf.tensor1d(X), own()).dataSync(), cut);
  assert.equal(cut[0], 0.25); // 0 lies at u = 0.5, a tie; -1 itself would be -0.25
});

Deno.test("lsq_plus starts from the sampled values, lsq_plus_range from the range, whatever the sample", () => {
  const values = Float32Array.of(-1, 0, 0.1, 0.2, 0.3, 2),
    statistics = { min: [-1], max: [2], meanAbsolute: [1], values };
  const of = (quantizer: typeof lsqPlus) => {
    const { params } = quantizer.activation({ bits: 2, signed: true }).start(statistics);
    return [params["step_size"]![0]!, params["offset"]![0]!];
  };
  assert.deepEqual(of(lsqPlusRange), [1, -1]);
  const [step, offset] = of(lsqPlus);
  const grid = leastSquaresGrid(values, 3)!;
  assert.deepEqual([step, offset], [Math.fround(grid.step), Math.fround(grid.offset)]);
  assert.ok(squaredError(values, grid, 3) < 0.8 * squaredError(values, { step: 1, offset: -1 }, 3));
});

/** Mean (x - x̂)² of a grid. */
function squaredError(values: ArrayLike<number>, { step, offset }: UniformGrid, highest: number): number {
  const errors = Array.from(values, (x) => {
    const q = Math.round(Math.min(Math.max((x - offset) / step, 0), highest));
    return (x - q * step - offset) ** 2;
  });
  return errors.reduce((sum, error) => sum + error, 0) / errors.length;
}

Deno.test("leastSquaresGrid() finds an error no larger than a brute-force search in Python does", () => {
  type Case = { bits: number; values: number[]; error: number };
  const { leastSquares } = goldenJson<{ leastSquares: Case[] }>("quantizer_starts.json");
  assert.equal(leastSquares.length, 4);
  for (const { bits, values, error } of leastSquares) {
    const found = squaredError(values, leastSquaresGrid(values, 2 ** bits - 1)!, 2 ** bits - 1);
    assert.ok(found <= error * 1.0001, `${bits} bits: ${found} > ${error}`);
  }
});

Deno.test("leastSquaresGrid() finds the grid that values lie on, and none where all are equal", () => {
  const values = Array.from({ length: 60 }, (_, i) => -0.4 + 0.25 * ((i * i) % 4));
  const { step, offset } = leastSquaresGrid(values, 3)!;
  assert.ok(squaredError(values, { step, offset }, 3) < 1e-20, `${step} ${offset}`);
  assert.equal(leastSquaresGrid([0.3, 0.3], 3), null);
  const start = lsqPlus.activation({ bits: 2, signed: false }).start({
    ...{ min: [0], max: [0], meanAbsolute: [0], values: Float32Array.of(0, 0) },
  });
  assert.deepEqual([...start.params["step_size"]!, ...start.params["offset"]!], [Math.fround(1e-6), 0]);
});

Deno.test("lsq_plus starts a weight's step from mean ± 3 sigma of its channel", () => {
  // channel 0: max(|0.1 - 0.6|, |0.1 + 0.6|) / 8; channel 1: |-0.5 - 0.3| / 8
  const statistics = {
    min: [0, 0],
    max: [0, 0],
    meanAbsolute: [0, 0],
    mean: [0.1, -0.5],
    standardDeviation: [0.2, 0.1],
  };
  const steps = lsqPlus.weight({ bits: 4, signed: true }).start(statistics).params["step_size"]!;
  assert.ok(Math.abs(steps[0]! - 0.0875) < 1e-7 && Math.abs(steps[1]! - 0.1) < 1e-7, `${steps}`);
});
