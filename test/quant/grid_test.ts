/** The grid that a quantizer states is the one that it rounds to. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { openEngine } from "../../src/engine/mod.ts";
import { QUANTIZERS } from "../../src/quant/mod.ts";
import type { Grid, OwnNumbers, QuantizerStart } from "../../src/quant/types.ts";
import { weightStatistics } from "../../src/train/calibration.ts";

// two output channels; the second is the wider
const WEIGHT = Float32Array.from([-0.31, -1.2, -0.12, 0.05, 0.02, 0.4, 0.13, 0.9, 0.27, 1.1, -0.4, -0.7]);
const INPUT = Float32Array.from([-0.9, -0.2, 0, 0.11, 0.3, 0.47, 0.8, 1.3, 2.1, 2.9]);

function ownOf({ params, constants }: QuantizerStart, shape: (values: Float32Array) => number[]) {
  const numbers: OwnNumbers = { ...params, ...constants };
  const tensors = Object.fromEntries(
    Object.entries(numbers).map(([name, values]) => [name, tf.tensor(values, shape(values))] as const),
  );
  return { numbers, tensors };
}

function assertOnGrid(values: Tensor, levels: ArrayLike<number>, { low, high, scale, zero }: Grid): void {
  const found = values.dataSync();
  for (let i = 0; i < found.length; i++) {
    const q = levels[i]!, channel = i % scale.length;
    assert.ok(Number.isInteger(q) && q >= low && q <= high, `${q} is not in ${low} .. ${high}`);
    const expected = (q - zero[i % zero.length]!) * scale[channel]!;
    // float32 against float64
    assert.ok(
      Math.abs(found[i]! - expected) <= 2e-6 * Math.max(1, Math.abs(expected)),
      `${found[i]} is not ${expected}`,
    );
  }
}

for (const { name, weight, activation } of QUANTIZERS) {
  Deno.test(`${name} states the grid of its weights and activations`, async () => {
    await openEngine("wasm");
    await tf.setBackend("wasm");
    tf.tidy(() => {
      for (const bits of [1, 2, 4, 8]) {
        const made = weight({ bits, signed: true });
        const own = ownOf(made.start(weightStatistics(WEIGHT, 2)), (values) => [values.length]);
        const tensor = tf.tensor(WEIGHT, [6, 2]), levels = made.levels(tensor, own.tensors).dataSync();
        assertOnGrid(made.apply(tensor, own.tensors), levels, made.grid!(own.numbers, WEIGHT));
        for (const signed of [true, false]) {
          const quantizer = activation({ bits, signed }),
            seen = signed ? INPUT : INPUT.map((value) => Math.max(value, 0));
          const statistics = {
            min: [Math.min(...seen)],
            max: [Math.max(...seen)],
            meanAbsolute: [seen.reduce((sum, value) => sum + Math.abs(value), 0) / seen.length],
            values: seen,
          };
          const { numbers, tensors } = ownOf(quantizer.start(statistics), () => []);
          const grid = quantizer.grid!(numbers), [step, zero] = [grid.scale[0]!, grid.zero[0]!];
          const scaled = tf.mul(tf.tensor(seen), quantizer.inverseStep(tensors, seen.length));
          const { values, scale } = quantizer.quantizeScaled(scaled, tensors);
          // q by the grid's own formula: ties up
          const levels = seen.map((x) => Math.floor(Math.min(Math.max(x / step + zero, grid.low), grid.high) + 0.5));
          assertOnGrid(scale ? tf.mul(values, scale) : values, levels, grid);
        }
      }
    });
  });
}
