import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as reference from "../../src/engine/doctor/reference.ts";
import { codingLength, normaliseRows } from "../../src/methods/coding_length.ts";
import { testOnEngines } from "../support/engines.ts";

const DISTORTION = 0.125;

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

testOnEngines("codingLength() refuses the exact determinant of two views", () => {
  const rows = tf.ones([1, 2, 2]), other = tf.ones([1, 2, 2]);
  assert.throws(() => codingLength(rows, { distortion: 1, other }), {
    name: "RangeError",
    message: "Cannot take the exact determinant of two views as it may be negative: take a Taylor series",
  });
});
