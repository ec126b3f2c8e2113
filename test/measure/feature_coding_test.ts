import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { oneHot } from "../../src/engine/ops.ts";
import type { Engine } from "../../src/engine/types.ts";
import { effectiveRank, featureCoding, spectra } from "../../src/measure/feature_coding.ts";
import type { Subject } from "../../src/measure/types.ts";
import type { Model } from "../../src/nn/types.ts";
import { testOnEngines } from "../support/engines.ts";
import { GOLDEN, tinySubject } from "./tiny_network.ts";

/** A subject whose features are the golden ones: image i is its row number, and the "network" looks the row up. */
function lookUpSubject(engine: Engine): Subject {
  const { features } = GOLDEN.features, [count, size] = features.shape as [number, number];
  const values = Float32Array.from(features.values), { subject } = tinySubject(engine, "full");
  const split = { images: Uint8Array.from({ length: count }, (_, i) => i), labels: new Uint8Array(count), count };
  const model: Model = {
    ...subject.model,
    forward(_context, images) {
      const places = tf.cast(tf.round(tf.reshape(images, [-1])), "int32");
      const rows = tf.matMul(oneHot(places, count) as tf.Tensor2D, tf.tensor2d(values, [count, size]));
      return { logits: rows, features: rows };
    },
  };
  // mean 0 and standard deviation 1/255: a normalised image is its byte
  const dataset = { ...subject.dataset, imageShape: [1, 1, 1] as const, mean: [0], std: [1 / 255], test: split };
  return { ...subject, model, dataset, testIndices: Uint32Array.from({ length: count }, (_, i) => i) };
}

function close(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]!) < tolerance, `${value} is not ${expected[i]}`));
}

testOnEngines("feature_coding equals PyTorch float64: coding lengths of blocks, spectra, effective ranks", (engine) => {
  const golden = GOLDEN.features, subject = lookUpSubject(engine), before = tf.memory().numTensors;
  const measuring = featureCoding.start(subject, featureCoding.options.parse({ blockSize: 20 }));
  const values = measuring.measure({ params: {}, state: {} }, { params: {}, state: {} }) as Record<
    string,
    number & number[]
  >;
  measuring.dispose();
  assert.equal(tf.memory().numTensors, before);
  assert.deepEqual([values["images"], values["blocks"]], [40, 2]);
  const [eighth, small] = [golden.codingLengths["0.125"]!, golden.codingLengths["0.03125"]!];
  const mean = ([a, b]: number[]) => (a! + b!) / 2, error = ([a, b]: number[]) => Math.abs(a! - b!) / 2;
  close(values["codingLengths"]!, [mean(eighth), mean(small)], 1e-6);
  close(values["codingLengthsError"]!, [error(eighth), error(small)], 1e-6);
  close(values["spectrum"]!, golden.spectrum, 1e-7);
  close(values["centredSpectrum"]!, golden.centredSpectrum, 1e-7);
  close([values["effectiveRank"]!, values["centredEffectiveRank"]!], [
    golden.effectiveRank,
    golden.centredEffectiveRank,
  ], 1e-5);
});

testOnEngines(
  "feature_coding leaves out what does not fill a block, and refuses blocks larger than the test set",
  (engine) => {
    const subject = lookUpSubject(engine),
      of = (options: object) => featureCoding.start(subject, featureCoding.options.parse(options));
    const one = of({ blockSize: 30 }).measure({ params: {}, state: {} }, { params: {}, state: {} });
    assert.deepEqual([one["images"], one["blocks"], one["codingLengthsError"]], [30, 1, undefined]);
    assert.throws(() => of({ blockSize: 41 }).measure({ params: {}, state: {} }, { params: {}, state: {} }), {
      name: "InputError",
      message: "Cannot code features in blocks of 41 as there are 40 test images and 10000 are asked for: " +
        "take a blockSize of at most that",
    });
  },
);

Deno.test("effectiveRank() is the size of a flat spectrum, 1 for one direction, 0 for none", () => {
  assert.ok(Math.abs(effectiveRank([0.2, 0.2, 0.2]) - 3) < 1e-12);
  assert.equal(effectiveRank([5, 0, 0]), 1);
  assert.equal(effectiveRank([0, 0]), 0);
});

Deno.test("spectra() of equal rows has one direction, and none once centred", () => {
  const { spectrum, effectiveRank, centredEffectiveRank } = spectra([[0.6, 0.8], [0.6, 0.8], [0.6, 0.8]]);
  close(spectrum, [1, 0], 1e-12);
  close([effectiveRank, centredEffectiveRank], [1, 0], 1e-9);
});
