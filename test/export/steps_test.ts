/** A model's own forward pass becomes steps, whatever it is made of. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { openEngine } from "../../src/engine/mod.ts";
import { relu } from "../../src/engine/ops.ts";
import { InputError } from "../../src/errors.ts";
import { stepsOf } from "../../src/export/steps.ts";
import { trace } from "../../src/export/trace.ts";
import { ModelBuilder } from "../../src/nn/builder.ts";
import { applyLayer, normalise } from "../../src/nn/layers.ts";
import type { Context, Model } from "../../src/nn/types.ts";

/** conv (3 x 3, stride 2), batch norm, relu, shortcut, mean, dense; `extra` comes before the mean. */
function model(extra: (x: Tensor) => Tensor = (x) => x): Model {
  const builder = new ModelBuilder();
  const conv = builder.layer("conv", { inChannels: 2, outChannels: 2, kernelSize: 3, stride: 2, inputSigned: true });
  const norm = builder.norm("norm", 2);
  const dense = builder.layer("dense", { kind: "dense", inChannels: 2, outChannels: 3, inputSigned: false });
  return {
    name: "model",
    classes: 3,
    layers: builder.layers,
    norms: builder.norms,
    forward(context, images) {
      const x = normalise(context, norm, { input: applyLayer(context, conv, images) });
      const features = tf.mean(extra(tf.add(relu(x), x)), [1, 2]);
      return { logits: applyLayer(context, dense, features), features };
    },
  };
}

function params(): Record<string, Tensor> {
  return {
    "conv/weight": tf.ones([3, 3, 2, 2]),
    "norm/gamma": tf.tensor1d([2, -3]),
    "norm/beta": tf.tensor1d([0.5, 1]),
    "dense/weight": tf.ones([2, 3]),
    "dense/bias": tf.tensor1d([1, 2, 3]),
  };
}

async function stepsWith(made: Model) {
  await openEngine("wasm");
  await tf.setBackend("wasm");
  const before = tf.memory().numTensors, own = params(), images = tf.zeros([1, 4, 4, 2]);
  const state = { "norm/mean": tf.tensor1d([1, -1]), "norm/variance": tf.tensor1d([4 - 1e-5, 1 - 1e-5]) };
  const context: Context = { params: own, state, training: false, quantization: null, hooks: {}, updates: {} };
  try {
    const traced = trace((x) => made.forward(context, x).logits, { images, named: { ...own, ...state } });
    return stepsOf(traced, made);
  } finally {
    tf.dispose([images, ...Object.values(own), ...Object.values(state)]);
    assert.equal(tf.memory().numTensors, before, "a trace leaves no tensor");
  }
}

Deno.test("stepsOf() folds batch norm and bias into their layers and keeps what is read twice", async () => {
  const steps = await stepsWith(model());
  assert.deepEqual(steps.map(({ kind, inputs }) => [kind, ...inputs]), [
    ["images"],
    ["layer", 0],
    ["relu", 1],
    ["add", 2, 1],
    ["mean", 3],
    ["layer", 4],
  ]);
  const [, conv, , , , dense] = steps;
  assert.ok(conv?.kind === "layer" && dense?.kind === "layer");
  // stride 2 over 4 pixels reads one zero before the image and none behind it
  assert.deepEqual(conv.padding, { top: 1, left: 1, bottom: 0, right: 0 });
  // a = gamma / sqrt(var): 2 / 2 and -3 / 1; b = beta - mean a: 0.5 - 1 and 1 - 3
  assert.deepEqual(conv.scale?.map((value) => Math.round(1e5 * value) / 1e5), [1, -3]);
  assert.deepEqual(conv.shift?.map((value) => Math.round(1e5 * value) / 1e5), [-0.5, -2]);
  assert.deepEqual([dense.scale, dense.shift], [undefined, [1, 2, 3]]);
});

Deno.test("stepsOf() multiplies, divides, adds and subtracts constants in one step", async () => {
  const steps = await stepsWith(
    model((x) => tf.sub(tf.div(tf.add(tf.mul(relu(x), 4), tf.tensor1d([2, 6])), 2), tf.tensor1d([1, 1]))),
  );
  const affine = steps.find(({ kind }) => kind === "affine");
  assert.ok(affine?.kind === "affine");
  // (4 x + 2) / 2 - 1 and (4 x + 6) / 2 - 1
  assert.deepEqual([affine.scale, affine.shift], [[2], [0, 2]]);
});

Deno.test("stepsOf() names an operation that has no form outside", async () => {
  await assert.rejects(() => stepsWith(model((x) => tf.sigmoid(x))), (error) => {
    assert.ok(error instanceof InputError);
    assert.equal(
      error.message,
      "Cannot export model model as its operation Sigmoid with result [1, 2, 2, 2] has no ONNX form yet: " +
        "add it to src/export/steps.ts",
    );
    return true;
  });
  // zeros around an image that no convolution reads would be lost
  await assert.rejects(
    () => stepsWith(model((x) => tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]))),
    /its operation Mean/,
  );
  // a mean over one axis is no global average
  await assert.rejects(() => stepsWith(model((x) => tf.reshape(tf.mean(x, [1]), [1, 1, 2, 2]))), /its operation Mean/);
});
