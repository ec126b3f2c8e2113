import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../../src/engine/ops.ts";
import { createMethod } from "../../src/methods/mod.ts";
import type { ForwardOptions } from "../../src/methods/types.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { resnet8 } from "../../src/nn/resnet.ts";
import type { Hooks } from "../../src/nn/types.ts";
import { withQuantizers } from "../../src/train/calibration.ts";
import { forward } from "../../src/train/forward.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import { toTensors } from "../../src/train/tensors.ts";
import { testOnEngines } from "../support/engines.ts";

const MODEL = resnet8.build({ classes: 10, imageChannels: 3 });

/** The hooks that FPQ gives its student in one step, with every layer drawn. */
function hooksOf(place: "after" | "before"): Hooks {
  const method = createMethod({ name: "fpq", options: { probability: 1, csdWeight: 0, place } });
  const lists = method.stepInputs!({ seed: 5, step: 2, stepsPerEpoch: 10, epochs: 1 }, MODEL);
  const inputs = Object.fromEntries(
    Object.entries(lists).map(([name, list]) => [
      name,
      tf.tensor1d(list, list instanceof Int32Array ? "int32" : "float32"),
    ]),
  );
  let hooks: Hooks = {};
  const logits = tf.zeros([1, 10]), network = { params: {}, state: {} };
  method.loss({
    model: MODEL,
    quantization: null,
    student: network,
    teacher: null,
    memory: {},
    inputs,
    views: [logits],
    labels: oneHot(tf.tensor1d([0], "int32"), 10),
    forward: (how: ForwardOptions) => {
      hooks = how.hooks!;
      return { logits, features: logits, updates: {} };
    },
  });
  return hooks;
}

/** What every quantized layer of ResNet-8 computes with, in units of its step size, by path. */
function inputsWith(hooks: Hooks): Map<string, Tensor> {
  const quantization = quantizationOf(MODEL, {
    quantizer: "lsq_asymmetric",
    weightBits: 4,
    activationBits: 4,
    firstLastBits: 8,
    calibrationExamples: 1,
  })!;
  const inputs = MODEL.layers.map(({ inputSigned }) => ({ min: [inputSigned ? -3 : 0], max: [3], meanAbsolute: [1] }));
  const start = withQuantizers(initialise(MODEL, 1), MODEL, { quantization, inputs });
  const images = tf.tensor(Float32Array.from({ length: 2 * 8 * 8 * 3 }, (_, i) => 2 * Math.sin(1.7 * i)), [2, 8, 8, 3]);
  const seen = new Map<string, Tensor>();
  forward(MODEL, quantization, {
    network: { params: toTensors(start.params), state: toTensors(start.state) },
    images,
    training: true,
    quantized: true,
    hooks: {
      ...hooks,
      input: (layer, input) => {
        const perturbed = hooks.input?.(layer, input) ?? input;
        seen.set(layer.path, perturbed.values);
        return perturbed;
      },
    },
  });
  return seen;
}

function integers(x: Tensor): boolean {
  return x.dataSync().every((value) => Math.abs(value - Math.round(value)) < 1e-6);
}

testOnEngines("SFP before the quantizer leaves integers, other ones; after it, values between them", () => {
  tf.tidy(() => {
    const plain = inputsWith({}), before = inputsWith(hooksOf("before")), after = inputsWith(hooksOf("after"));
    for (const { path, kind } of MODEL.layers) {
      assert.ok(integers(plain.get(path)!) && integers(before.get(path)!), path);
      assert.equal(integers(after.get(path)!), kind === "dense", path);
    }
    // the first layer sees the same images in all three: there the noise alone makes the difference
    const [a, b] = [plain, before].map((seen) => seen.get("stem/conv")!.dataSync());
    const steps = [...a!].map((value, i) => Math.abs(value - b![i]!));
    assert.ok(
      steps.every((step) => step <= 1 + 1e-6),
      "the noise is at most half a step, so rounding moves by one at most",
    );
    assert.ok(steps.some((step) => step > 0.5));
  });
});

testOnEngines("SFP before the quantizer perturbs the layer's input, so the relu left to the clip comes first", () => {
  tf.tidy(() => {
    const hooks = hooksOf("before"), layer = MODEL.layers.find(({ path }) => path === "stage1/block0/conv2")!;
    assert.equal(layer.inputSigned, false);
    const x = tf.tensor4d([-3, -0.2, 0.4, 2.6], [1, 1, 1, 4]), noisy = hooks.scaled!(layer, x).dataSync();
    const noise = hooks.scaled!(layer, tf.zerosLike(x)).dataSync();
    [0, 0, 0.4, 2.6].forEach((value, i) => assert.ok(Math.abs(noisy[i]! - noise[i]! - value) < 1e-6, `${noisy}`));
    assert.ok(noise.every((value) => value >= -0.5 && value < 0.5 && value !== 0));
    const dx = tf.grad((x: Tensor) => tf.sum(hooks.scaled!(layer, x)))(x);
    assert.deepEqual([...dx.dataSync()], [0, 0, 1, 1]);
  });
});

testOnEngines("SFP before the quantizer keeps the sign of a signed input, and leaves the dense layer alone", () => {
  tf.tidy(() => {
    const hooks = hooksOf("before"), first = MODEL.layers[0]!, last = MODEL.layers.at(-1)!;
    assert.equal(first.inputSigned, true);
    const x = tf.tensor4d([-3, 2], [1, 1, 1, 2]);
    assert.ok(hooks.scaled!(first, x).dataSync()[0]! < -2.4);
    assert.equal(hooks.scaled!(last, x), x);
  });
});
