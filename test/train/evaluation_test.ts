import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Split } from "../../src/data/types.ts";
import { ModelBuilder } from "../../src/nn/builder.ts";
import { applyLayer } from "../../src/nn/layers.ts";
import type { Model, ModelQuantization } from "../../src/nn/types.ts";
import { lsq } from "../../src/quant/lsq.ts";
import { Evaluator } from "../../src/train/evaluation.ts";
import { testOnEngines } from "../support/engines.ts";

const SHAPE = [2, 2, 1] as const, CLASSES = 3, SCALE = { mean: [0.5], std: [0.25] };

/** logits = image [4] times W [4, 3] + b */
function linearModel(): Model {
  const builder = new ModelBuilder();
  const dense = builder.layer("classifier", {
    kind: "dense",
    inChannels: 4,
    outChannels: CLASSES,
    position: "last",
    inputSigned: true,
  });
  return {
    name: "linear",
    classes: CLASSES,
    layers: builder.layers,
    norms: [],
    forward(context, images) {
      const features = tf.reshape(images, [-1, 4]);
      return { logits: applyLayer(context, dense, features), features };
    },
  };
}

const WEIGHT = Float32Array.from({ length: 12 }, (_, i) => Math.sin(1.7 * i)), BIAS = [0.1, -0.2, 0.3];

function split(count: number): Split {
  return {
    count,
    images: Uint8Array.from({ length: 4 * count }, (_, i) => (i * i * 31 + 7 * i) % 256),
    labels: Uint8Array.from({ length: count }, (_, i) => (i * 7) % CLASSES),
  };
}

/** Mean loss and accuracy of the linear model, in float64. */
function directly({ images, labels }: Split, indices: Iterable<number>): { loss: number; top1Percent: number } {
  let loss = 0, correct = 0, count = 0;
  for (const index of indices) {
    const x = Array.from(images.subarray(4 * index, 4 * index + 4), (byte) => (byte / 255 - 0.5) / 0.25);
    const logits = BIAS.map((b, c) => b + x.reduce((sum, value, i) => sum + value * WEIGHT[CLASSES * i + c]!, 0));
    const label = labels[index]!;
    loss += Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0)) - logits[label]!;
    correct += Number(logits.indexOf(Math.max(...logits)) === label);
    count++;
  }
  return { loss: loss / count, top1Percent: 100 * correct / count };
}

function params(more: Record<string, tf.Tensor> = {}): Record<string, tf.Tensor> {
  return { "classifier/weight": tf.tensor(WEIGHT, [4, 3]), "classifier/bias": tf.tensor1d(BIAS), ...more };
}

testOnEngines("evaluate() equals a direct computation, over a last batch that is padded too", (engine) => {
  const images = split(600), network = { params: params(), state: {} };
  const evaluator = new Evaluator(engine, linearModel(), { quantization: null, scale: SCALE });
  const before = tf.memory().numTensors;
  // batches hold 250: 253 images leave 3 for the second; 500 fill two; 7 do not fill one
  for (const [first, count] of [[0, 253], [100, 500], [590, 7]] as const) {
    const indices = Uint32Array.from({ length: count }, (_, i) => first + i), expected = directly(images, indices);
    const { loss, top1Percent } = evaluator.evaluate(network, images, { indices, imageShape: SHAPE });
    assert.equal(top1Percent, expected.top1Percent);
    assert.ok(Math.abs(loss / expected.loss - 1) < 1e-5, `${loss} instead of ${expected.loss}`);
    assert.ok(top1Percent > 10 && top1Percent < 90);
  }
  assert.equal(tf.memory().numTensors, before);
  evaluator.dispose();
  tf.dispose(network.params);
});

testOnEngines("evaluate() takes the images that it is given, in any order and more than once", (engine) => {
  const images = split(20), network = { params: params(), state: {} };
  const evaluator = new Evaluator(engine, linearModel(), { quantization: null, scale: SCALE });
  const indices = Uint32Array.of(19, 3, 3, 7, 0), expected = directly(images, indices);
  const { loss, top1Percent } = evaluator.evaluate(network, images, { indices, imageShape: SHAPE });
  assert.equal(top1Percent, expected.top1Percent);
  assert.ok(Math.abs(loss / expected.loss - 1) < 1e-5);
  evaluator.dispose();
  tf.dispose(network.params);
});

/** LSQ at these bits, with what `change` puts in place of its parts. */
function quantization(change: Partial<ModelQuantization[string]> = {}): ModelQuantization {
  const weight = lsq.weight({ bits: 2, signed: true }), input = lsq.activation({ bits: 3, signed: true });
  return { classifier: { weight, input, ...change } };
}

function quantized(): Record<string, tf.Tensor> {
  return params({
    "classifier/weight_quantizer/step_size": tf.tensor1d([0.5, 0.6, 0.7]),
    "classifier/input_quantizer/step_size": tf.scalar(0.5),
  });
}

testOnEngines("evaluate() runs a quantizer that keeps to its grid", (engine) => {
  const evaluator = new Evaluator(engine, linearModel(), { quantization: quantization(), scale: SCALE });
  const network = { params: quantized(), state: {} }, images = split(30);
  const indices = Uint32Array.from({ length: 30 }, (_, i) => i);
  const { loss, top1Percent } = evaluator.evaluate(network, images, { indices, imageShape: SHAPE });
  const full = directly(images, indices);
  assert.ok(Number.isFinite(loss) && Math.abs(loss - full.loss) > 1e-3); // 2 bits leave a mark
  assert.ok(top1Percent >= 0 && top1Percent <= 100);
  evaluator.dispose();
  tf.dispose(network.params);
});

testOnEngines("evaluate() refuses a quantizer that leaves its grid, or takes too many levels", (engine) => {
  const weight = lsq.weight({ bits: 2, signed: true }), input = lsq.activation({ bits: 3, signed: true });
  const wide = { ...weight, levels: () => tf.tensor1d([-2, 0, 2]) };
  const off = { ...weight, levels: () => tf.tensor1d([-1, 0.25, 1]) };
  const quantizeScaled = (x: tf.Tensor) => ({
    values: tf.add(tf.zerosLike(x), tf.tensor2d([[-4, 0, 1, 4]])),
    scale: tf.scalar(0.5),
  });
  const high = { ...input, quantizeScaled };
  const cases: [ModelQuantization, string][] = [
    [
      quantization({ weight: wide }),
      "Cannot trust the quantizer of the weight of classifier as it must use at most 4 integer levels: " +
      "they span -2 to 2, off the grid by 0",
    ],
    [
      quantization({ weight: off }),
      "Cannot trust the quantizer of the weight of classifier as it must use at most 4 integer levels: " +
      "they span -1 to 1, off the grid by 0.25",
    ],
    [
      quantization({ input: high }),
      "Cannot trust the quantizer of the input of classifier as it must use at most 8 integer levels: " +
      "they span -4 to 4, off the grid by 0",
    ],
  ];
  const network = { params: quantized(), state: {} }, images = split(4), indices = Uint32Array.of(0, 1, 2, 3);
  const before = tf.memory().numTensors;
  for (const [spoiled, message] of cases) {
    const evaluator = new Evaluator(engine, linearModel(), { quantization: spoiled, scale: SCALE });
    assert.throws(() => evaluator.evaluate(network, images, { indices, imageShape: SHAPE }), { message });
    evaluator.dispose();
  }
  assert.equal(tf.memory().numTensors, before);
  tf.dispose(network.params);
});

testOnEngines("evaluate() checks the levels of every image of the first batch", (engine) => {
  const input = lsq.activation({ bits: 2, signed: true });
  const unbounded = { ...input, quantizeScaled: (x: tf.Tensor) => ({ values: tf.round(x), scale: tf.scalar(0.5) }) };
  // 128 is near the mean and gives level 0; the one 255 of image 130 gives (1 - 0.5) / 0.25 / 0.5 = 4
  const images = {
    count: 250,
    images: new Uint8Array(1000).fill(128).fill(255, 520, 521),
    labels: new Uint8Array(250),
  };
  const network = { params: quantized(), state: {} }, indices = Uint32Array.from({ length: 250 }, (_, i) => i);
  const evaluator = new Evaluator(engine, linearModel(), {
    quantization: quantization({ input: unbounded }),
    scale: SCALE,
  });
  assert.throws(
    () => evaluator.evaluate(network, images, { indices, imageShape: SHAPE }),
    /input of classifier as it must use at most 4 integer levels: they span 0 to 4, off the grid by 0$/,
  );
  evaluator.dispose();
  tf.dispose(network.params);
});
