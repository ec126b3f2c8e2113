import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { crossEntropy } from "../../src/methods/losses.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { activate, applyLayer, normActivationLayer, normalise } from "../../src/nn/layers.ts";
import { MODELS } from "../../src/nn/mod.ts";
import { resnet8 } from "../../src/nn/resnet.ts";
import type { Context, Model, ModelQuantization } from "../../src/nn/types.ts";
import { stream } from "../../src/random/stream.ts";
import { withQuantizers } from "../../src/train/calibration.ts";
import { forward } from "../../src/train/forward.ts";
import { valueAndGradients } from "../../src/train/gradients.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import { toTensors } from "../../src/train/tensors.ts";
import { relativeDistance } from "../support/golden.ts";
import { testOnEngines } from "../support/engines.ts";

const STATISTICS = { min: [-2], max: [2], meanAbsolute: [0.6] };

function build(definition: typeof MODELS[number], quantizer: string) {
  const model = definition.build({ classes: 10, imageChannels: 3 });
  const quantization = quantizationOf(model, {
    quantizer,
    weightBits: 4,
    activationBits: 4,
    firstLastBits: 8,
    calibrationExamples: 1,
  })!;
  const network = withQuantizers(initialise(model, 1), model, {
    quantization,
    inputs: model.layers.map(() => STATISTICS),
  });
  return { model, quantization, params: toTensors(network.params), state: toTensors(network.state) };
}

function images(count: number): Tensor {
  const draws = stream({ seed: 9, purpose: "synthetic" });
  return tf.tensor(Float32Array.from({ length: count * 192 }, () => draws.normal()), [count, 8, 8, 3]);
}

for (const definition of MODELS) {
  testOnEngines(`${definition.name} gives logits, features and a finite gradient for every parameter`, () => {
    tf.tidy(() => {
      const { model, quantization, params, state } = build(definition, "lsq");
      const labels = tf.tensor2d([[1, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]]);
      const { gradients, aux } = valueAndGradients(params, (params) => {
        const output = forward(model, quantization, {
          network: { params, state },
          images: images(2),
          training: true,
          quantized: true,
        });
        const { logits, features, updates } = output;
        return { loss: crossEntropy(logits, labels), aux: { logits, features, updates: { ...updates } } };
      });
      assert.deepEqual(aux.logits.shape, [2, 10]);
      assert.deepEqual(aux.features.shape, [2, model.layers.at(-1)!.inChannels]);
      assert.deepEqual(Object.keys(gradients).sort(), Object.keys(params).sort());
      for (const [path, gradient] of Object.entries(gradients)) {
        assert.deepEqual(gradient.shape, params[path]!.shape, path);
        assert.ok(gradient.dataSync().every(Number.isFinite), path);
      }
      // the running statistics of every norm move, and nothing else does
      const expected = model.norms.flatMap(({ path }) => [`${path}/mean`, `${path}/variance`]);
      assert.deepEqual(Object.keys(aux.updates).sort(), expected.sort());
    });
  });
}

function context(model: ReturnType<typeof build>, quantization: ModelQuantization | null): Context {
  return { params: model.params, state: model.state, training: true, quantization, hooks: {}, updates: {} };
}

for (const quantizer of ["lsq", "lsq_asymmetric"]) {
  testOnEngines(`normActivationLayer() folded equals norm, relu and layer one after the other: ${quantizer}`, () => {
    const built = build(resnet8, quantizer), { layers, norms } = built.model as Model;
    const layer = layers.find(({ path }) => path === "stage1/block0/conv2")!;
    const norm = norms.find(({ path }) => path === "stage1/block0/norm1")!;
    const draws = stream({ seed: 2, purpose: "synthetic" });
    const input = tf.tensor(Float32Array.from({ length: 2 * 4 * 4 * 16 }, () => draws.normal()), [2, 4, 4, 16]);
    const step = built.params[`${layer.path}/input_quantizer/step_size`]!, gamma = built.params[`${norm.path}/gamma`]!;
    const run = (folded: boolean) =>
      tf.grads((input: Tensor, step: Tensor, gamma: Tensor) => {
        const params = {
          ...built.params,
          [`${layer.path}/input_quantizer/step_size`]: step,
          [`${norm.path}/gamma`]: gamma,
        };
        const at = { ...context(built, built.quantization), params };
        const y = folded
          ? normActivationLayer(at, layer, { norm, activation: "relu", input })
          : applyLayer(at, layer, activate("relu", normalise(at, norm, { input })));
        return tf.sum(tf.square(y));
      })([input, step, gamma]);
    run(true).forEach((gradient, i) => {
      // float32 of two orders of the same sums; that of the step size is a small difference of large ones
      const tolerance = i === 1 ? 1e-3 : 2e-5;
      const distance = relativeDistance(gradient.dataSync(), run(false)[i]!.dataSync());
      assert.ok(distance < tolerance, `gradient ${i} is off by ${distance}`);
    });
  });
}
