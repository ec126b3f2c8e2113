import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as reference from "../../src/engine/doctor/reference.ts";
import { oneHot } from "../../src/engine/ops.ts";
import { InputError } from "../../src/errors.ts";
import { codingLength, normaliseRows } from "../../src/methods/coding_length.ts";
import { channelExperts } from "../../src/methods/mec.ts";
import { createMethod } from "../../src/methods/mod.ts";
import type { LossResult, Method } from "../../src/methods/types.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import { testOnEngines } from "../support/engines.ts";

const DISTORTION = 0.125;

function mec(options: Record<string, unknown> = {}): Method {
  return createMethod({ name: "mec", options });
}

function features(m: number, d: number): Tensor {
  return tf.tensor(Float32Array.from({ length: m * d }, (_, i) => Math.sin(1.7 * i) + Math.cos(0.3 * i * i)), [m, d]);
}

/** Coding length of one block of rows, as they are. */
function lengthOf(rows: Tensor, distortion = DISTORTION): number {
  return codingLength(tf.expandDims(rows, 0), { distortion }).dataSync()[0]!;
}

function assertClose(actual: number, expected: number, tolerance = 1e-6): void {
  assert.ok(Math.abs(actual - expected) <= tolerance * Math.abs(expected), `${actual} instead of ${expected}`);
}

/** A loss whose features and logits are given. */
function lossOf(method: Method, given: { z: Tensor; beta: number; scale?: Tensor }): LossResult {
  const { z, beta } = given, [m, d] = z.shape as [number, number], logits = tf.zeros([m, 3]);
  return method.loss({
    model: MODEL,
    quantization: null,
    student: { params: {}, state: {} },
    teacher: null,
    memory: { scale: given.scale ?? tf.zeros([d]) },
    inputs: { mecBeta: tf.tensor1d([beta]) },
    views: [z],
    labels: oneHot(tf.zeros([m], "int32"), 3),
    forward: () => ({ logits, features: z, updates: {} }),
  });
}

const MODEL = modelNamed("resnet8").build({ classes: 10, imageChannels: 3 }); // 64 features

testOnEngines("codingLength() of orthonormal rows is m eps_d log(1 + 1/(m eps_d))", () => {
  tf.tidy(() => {
    for (const [m, d] of [[4, 6], [6, 6], [1, 5]] as const) {
      const rows = tf.slice(tf.eye(d), [0, 0], [m, d]);
      assertClose(lengthOf(rows), m * DISTORTION * Math.log(1 + 1 / (m * DISTORTION)));
    }
    // rotated: a Householder reflection of the same rows
    const v = tf.tensor2d([[0.5], [-0.5], [0.5], [0.5]]),
      reflection = tf.sub(tf.eye(4), tf.mul(2, tf.matMul(v, v, false, true)));
    assertClose(
      lengthOf(tf.slice(reflection, [0, 0], [3, 4])),
      3 * DISTORTION * Math.log(1 + 1 / (3 * DISTORTION)),
      2e-6,
    );
  });
});

testOnEngines("codingLength() of rows that are all equal is eps_d log(1 + 1/eps_d), however many there are", () => {
  tf.tidy(() => {
    for (const [m, d] of [[3, 8], [8, 8], [20, 4], [1, 4]] as const) {
      const row = normaliseRows(tf.slice(features(1, d), [0, 0], [1, d]));
      // one eigenvalue m/(m eps_d) = 1/eps_d, the others 0
      assertClose(lengthOf(tf.tile(row, [m, 1])), DISTORTION * Math.log(1 + 1 / DISTORTION), 5e-6);
    }
  });
});

testOnEngines("codingLength() does not depend on the order of rows or columns, nor on their signs", () => {
  tf.tidy(() => {
    for (const [m, d] of [[5, 7], [9, 4]] as const) {
      const rows = normaliseRows(features(m, d)), expected = lengthOf(rows);
      assertClose(lengthOf(tf.reverse(rows, 0)), expected, 2e-6);
      assertClose(lengthOf(tf.reverse(rows, 1)), expected, 2e-6);
      assertClose(
        lengthOf(tf.mul(rows, tf.tensor2d([Array.from({ length: d }, (_, i) => i % 2 ? 1 : -1)]))),
        expected,
        2e-6,
      );
    }
  });
});

testOnEngines("codingLength() takes the smaller side and gives the determinant of either", () => {
  tf.tidy(() => {
    for (const [m, d] of [[5, 7], [9, 4], [6, 6]] as const) {
      const rows = normaliseRows(features(m, d));
      const z = { shape: [m, d], values: Float64Array.from(rows.dataSync()) }, zt = reference.transpose(z);
      // det(I_d + Z^T Z / (m eps)) and det(I_m + Z Z^T / (m eps)) (Sylvester), in float64
      for (const [side, gram] of [[d, reference.multiply(zt, z)], [m, reference.multiply(z, zt)]] as const) {
        const values = gram.values.map((value, i) =>
          value / (m * DISTORTION) + (Math.floor(i / side) === i % side ? 1 : 0)
        );
        const { logDet } = reference.logDetInverse({ shape: [1, side, side], values });
        assertClose(lengthOf(rows), DISTORTION * logDet.values[0]!, 2e-6);
      }
    }
  });
});

testOnEngines("codingLength() is larger for spread rows than for bunched ones", () => {
  tf.tidy(() => {
    const spread = normaliseRows(features(8, 8)), bunched = normaliseRows(tf.add(features(8, 8), 3));
    assert.ok(lengthOf(spread) > 1.2 * lengthOf(bunched), `${lengthOf(spread)} and ${lengthOf(bunched)}`);
  });
});

testOnEngines("normaliseRows() gives rows of length 1 and leaves a row of zeros, with a finite gradient", () => {
  tf.tidy(() => {
    const rows = tf.tensor2d([[3, 4], [0, 0], [-0.1, 0]]);
    [0.6, 0.8, 0, 0, -1, 0].forEach((expected, i) =>
      assert.ok(Math.abs(normaliseRows(rows).dataSync()[i]! - expected) < 1e-6)
    );
    const gradient = tf.grad((x: Tensor) => tf.sum(normaliseRows(x)))(rows).dataSync();
    assert.ok(gradient.every(Number.isFinite), String(gradient));
  });
});

testOnEngines("MEC with one expert is the plain coding length of the features", () => {
  tf.tidy(() => {
    const z = features(6, 8),
      { metrics } = lossOf(mec({ experts: 1 }), { z, beta: 0.1, scale: features(1, 8).flatten() });
    assertClose(metrics["codingLength"]!.dataSync()[0]!, lengthOf(normaliseRows(z)));
    assert.deepEqual(channelExperts(z, { scale: tf.zeros([8]), experts: 1 }).dataSync(), z.dataSync());
  });
});

testOnEngines("MEC with K experts is the mean over the blocks of channels sorted by scale", () => {
  tf.tidy(() => {
    const z = features(6, 8), scale = tf.tensor1d([1, 8, 2, 7, 3, 6, 4, 5]);
    const { metrics } = lossOf(mec({ experts: 2 }), { z, beta: 0.1, scale });
    // largest first: channels 1 3 5 7, then 6 4 2 0
    const lengths = [[1, 3, 5, 7], [6, 4, 2, 0]].map((channels) =>
      lengthOf(normaliseRows(tf.gather(z, tf.tensor1d(channels, "int32"), 1)))
    );
    assertClose(metrics["codingLength"]!.dataSync()[0]!, (lengths[0]! + lengths[1]!) / 2);
    assert.ok(Math.abs(lengths[0]! - lengths[1]!) > 1e-3);
  });
});

testOnEngines("MEC's loss is CE - beta L, and its scale a running mean of |z| with momentum 0.1", () => {
  tf.tidy(() => {
    const z = features(6, 8),
      scale = tf.range(1, 9),
      { loss, metrics, memory } = lossOf(mec(), { z, beta: 0.3, scale });
    const task = metrics["taskLoss"]!.dataSync()[0]!, length = metrics["codingLength"]!.dataSync()[0]!;
    assertClose(task, Math.log(3));
    assertClose(loss.dataSync()[0]!, Math.log(3) - 0.3 * length);
    const rows = z.arraySync() as number[][];
    memory!["scale"]!.dataSync().forEach((value, c) => {
      const mean = rows.reduce((sum, row) => sum + Math.abs(row[c]!), 0) / rows.length;
      assertClose(value, 0.9 * (c + 1) + 0.1 * mean);
    });
  });
});

Deno.test("stepInputs() of MEC warms beta up linearly over the first epochs", () => {
  const beta = (step: number, options: Record<string, unknown>) =>
    mec(options).stepInputs!({ seed: 0, step, stepsPerEpoch: 10, epochs: 20 }, MODEL)["mecBeta"]![0]!;
  const steps = [0, 4, 9, 10, 199];
  assert.deepEqual(steps.map((step) => beta(step, {})), [0.01, 0.05, 0.1, 0.1, 0.1].map(Math.fround));
  const longer = { beta: 1, warmupEpochs: 2.5 };
  assert.deepEqual(steps.map((step) => beta(step, longer)), [0.04, 0.2, 0.4, 0.44, 1].map(Math.fround));
  assert.equal(beta(0, { beta: 0.5, warmupEpochs: 0 }), 0.5);
});

testOnEngines("MEC's memory starts with a scale of 0 for each feature", () => {
  const memory = mec().initialMemory!(MODEL, { params: {}, state: {} });
  assert.deepEqual(Object.keys(memory), ["scale"]);
  assert.deepEqual(Array.from(memory["scale"]!.dataSync()), new Array(64).fill(0));
  tf.dispose(memory);
});

Deno.test("MEC refuses experts that do not divide the features, and options out of range", () => {
  assert.throws(
    () => mec({ experts: 3 }).initialMemory!(MODEL, { params: {}, state: {} }),
    new InputError(
      "Cannot split 64 features of resnet8 among experts as their number must divide it: current value is 3",
    ),
  );
  for (
    const [options, name] of [[{ distortion: 0 }, "distortion"], [{ experts: 1.5 }, "experts"], [
      { beta: -1 },
      "beta",
    ]] as const
  ) {
    assert.throws(() => mec(options), (error) => {
      assert.ok(error instanceof InputError);
      assert.ok(error.message.startsWith(`Cannot use the options ${JSON.stringify(options)} of method mec: ${name} `));
      return true;
    });
  }
});
