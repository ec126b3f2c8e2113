import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import fc from "../support/npm/fast_check.ts";
import { codingLength, type Determinant, normaliseRows } from "../../src/methods/coding_length.ts";
import { channelsLength, samplesLength } from "../../src/methods/mec_experts.ts";
import { testOnEngines } from "../support/engines.ts";

const DISTORTION = 0.125, CHANNELS = 8;

/** Few, as tfjs runs each op by itself here. */
const RUNS = { numRuns: 15 };

/** Features of 2 to 12 samples, as a network gives them: some channels off, some large. */
const features = fc.integer({ min: 2, max: 12 }).chain((m) =>
  fc.array(fc.array(fc.integer({ min: -40, max: 160 }), { minLength: CHANNELS, maxLength: CHANNELS }), {
    minLength: m,
    maxLength: m,
  }).map((rows) => rows.map((row) => row.map((value, i) => Math.max(value, 0) / 32 * (1 + i))))
);
/** A gate of 3 experts. */
const gate = fc.array(fc.integer({ min: -60, max: 60 }), { minLength: 3 * CHANNELS, maxLength: 3 * CHANNELS });

function gateTensor(values: readonly number[]): Tensor {
  return tf.tensor(values.map((value) => value / 8), [CHANNELS, 3], "float32");
}

type Form = (rows: Tensor, options: { gate: Tensor; determinant?: Determinant; distortion?: number }) => Tensor;

const FORMS: Readonly<Record<string, Form>> = {
  "no experts": (rows, { determinant = "exact", distortion = DISTORTION }) =>
    tf.mean(codingLength(tf.expandDims(normaliseRows(rows), 0), { distortion, determinant })),
  "experts over channels": (rows, { determinant = "exact", distortion = DISTORTION }) =>
    channelsLength({ features: rows, other: null }, {
      scale: tf.range(0, CHANNELS),
      experts: 4,
      distortion,
      determinant,
    }),
  "experts over samples": (rows, { gate, determinant = "exact", distortion = DISTORTION }) =>
    samplesLength({ features: rows, other: null }, { gate, distortion, determinant }).length,
};

function number(tensor: Tensor): number {
  return tensor.dataSync()[0]!;
}

/** Runs `body` on random features and gates, tidied. */
function checkAll(body: (rows: number[][], gate: Tensor) => void): void {
  fc.assert(
    fc.property(features, gate, (rows, values) => void tf.tidy(() => body(rows, gateTensor(values)))),
    RUNS,
  );
}

for (const [name, form] of Object.entries(FORMS)) {
  testOnEngines(`MEC's coding length does not depend on the order of the samples: ${name}`, () => {
    checkAll((rows, gate) => {
      const given = number(form(tf.tensor2d(rows), { gate }));
      const turned = number(form(tf.tensor2d([...rows.slice(1).reverse(), rows[0]!]), { gate }));
      assert.ok(Math.abs(given - turned) < 1e-5, `${given} and ${turned}`);
    });
  });

  testOnEngines(`MEC's series stay below the exact length, and meet it where ‖C‖ < 1: ${name}`, () => {
    const distortion = 4; // ‖C‖ <= 1/4
    checkAll((rows, gate) => {
      const z = tf.tensor2d(rows);
      const of = (determinant: Determinant) => number(form(z, { gate, determinant, distortion }));
      const exact = of("exact");
      // the rest of log(1 + x) after order n is at most x^(n + 1) / (n + 1), and the x of a block sum to at most 1/eps_d
      for (const [determinant, order] of [["taylor2", 2], ["taylor4", 4]] as const) {
        const rest = exact - of(determinant);
        assert.ok(rest > -2e-6 && rest < distortion ** -order / (order + 1) + 2e-6, `${determinant}: ${rest}`);
      }
      const far = (determinant: Determinant) => number(form(z, { gate, determinant }));
      assert.ok(far("taylor2") < far("exact") + 1e-5 && far("taylor4") < far("exact") + 1e-5);
    });
  });

  testOnEngines(`MEC's coding length has finite gradients on collapsed and extreme features: ${name}`, () => {
    const flat = (value: (row: number, channel: number) => number) =>
      Array.from({ length: 6 }, (_, row) => Array.from({ length: CHANNELS }, (_, channel) => value(row, channel)));
    const extremes = [
      flat(() => 0),
      flat(() => 1),
      flat((_, channel) => channel === 2 ? 5 : 0),
      flat((row, channel) => row === channel ? 1 : 0),
      flat((row, channel) => channel === 0 ? 3 : row * channel),
      flat((row, channel) => 1e-18 * (1 + row + channel)),
      flat((row, channel) => 1e18 * (1 + row * channel)),
      flat((row) => row % 2 ? 1e18 : 1e-18),
    ];
    const confident = gateTensor(Array.from({ length: 3 * CHANNELS }, (_, i) => i % 3 === 0 ? 4000 : -4000));
    for (const determinant of ["exact", "taylor4"] as const) {
      for (const rows of extremes) {
        tf.tidy(() => {
          const gradients = tf.grads((z: Tensor, gate: Tensor) =>
            tf.add(form(z, { gate, determinant }), tf.mul(0, tf.sum(gate)))
          )([tf.tensor2d(rows), confident.clone()]);
          for (const gradient of gradients) assert.ok(gradient.dataSync().every(Number.isFinite), `${rows[0]}`);
        });
      }
    }
  });
}

testOnEngines("MEC's coding length is 0 of nothing and grows with the rank", () => {
  tf.tidy(() => {
    assert.equal(number(FORMS["no experts"]!(tf.zeros([6, CHANNELS]), { gate: tf.zeros([CHANNELS, 3]) })), 0);
    let last = 0;
    for (let rank = 1; rank <= CHANNELS; rank++) {
      const rows = Array.from({ length: 2 * CHANNELS }, (_, i) => i % rank);
      const length = number(codingLength(tf.expandDims(tf.oneHot(tf.tensor1d(rows, "int32"), CHANNELS), 0).toFloat(), {
        distortion: DISTORTION,
      }));
      assert.ok(length > last + 0.01, `rank ${rank}: ${length} after ${last}`);
      last = length;
    }
  });
});

testOnEngines(
  "one expert, over channels or samples, is no expert; parts of the samples code no more than the whole",
  () => {
    checkAll((rows, gate) => {
      const z = tf.tensor2d(rows), one = tf.slice(gate, [0, 0], [CHANNELS, 1]);
      const plain = number(FORMS["no experts"]!(z, { gate }));
      const channels = channelsLength({ features: z, other: null }, {
        scale: tf.range(0, CHANNELS),
        experts: 1,
        distortion: DISTORTION,
      });
      const samples = samplesLength({ features: z, other: null }, { gate: one, distortion: DISTORTION });
      assert.ok(Math.abs(number(channels) - plain) < 1e-6);
      assert.ok(Math.abs(number(samples.length) - plain) < 2e-6);
      assert.ok(Math.abs(number(samples.imbalance)) < 1e-6);
      // log det is concave: the mean over parts is at most that of their mean
      const parts = samplesLength({ features: z, other: null }, { gate, distortion: DISTORTION });
      assert.ok(number(parts.length) < plain + 2e-6);
      const imbalance = number(parts.imbalance);
      assert.ok(imbalance > -1e-6 && imbalance < 2 + 1e-6, String(imbalance));
    });
  },
);

testOnEngines("the gate's imbalance is 0 for equal experts and K - 1 where one has all samples", () => {
  tf.tidy(() => {
    const z = tf.ones([4, CHANNELS]),
      of = (gate: Tensor) =>
        number(samplesLength({ features: z, other: null }, { gate, distortion: DISTORTION }).imbalance);
    assert.ok(Math.abs(of(tf.zeros([CHANNELS, 3]))) < 1e-6);
    assert.ok(Math.abs(of(tf.tensor2d(Array.from({ length: CHANNELS }, () => [50, -50, -50]))) - 2) < 1e-6);
  });
});
