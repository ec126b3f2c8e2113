import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { openEngine } from "../../src/engine/mod.ts";
import { crossEntropy } from "../../src/methods/losses.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { activate, applyLayer, normActivationLayer, normalise, paths } from "../../src/nn/layers.ts";
import { mobilenetV2Narrow } from "../../src/nn/mobilenet_v2.ts";
import { MODELS } from "../../src/nn/mod.ts";
import { buildResidualNetwork, IMAGENET_STEM } from "../../src/nn/residual_network.ts";
import { resnet8 } from "../../src/nn/resnet.ts";
import { bottleneck } from "../../src/nn/resnet50.ts";
import type { Context, Model, ModelDefinition, ModelQuantization } from "../../src/nn/types.ts";
import { QUANTIZERS } from "../../src/quant/mod.ts";
import { stream } from "../../src/random/stream.ts";
import { withQuantizers } from "../../src/train/calibration.ts";
import { forward } from "../../src/train/forward.ts";
import { valueAndGradients } from "../../src/train/gradients.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import { toTensors } from "../../src/train/tensors.ts";
import { relativeDistance } from "../support/golden.ts";
import { ENGINES, testOnEngines } from "../support/engines.ts";

const STATISTICS = { min: [-2], max: [2], meanAbsolute: [0.6] };

function build(definition: Pick<ModelDefinition, "build">, quantizer: string) {
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

/** One training pass of 2 images of 8 x 8: shapes, gradients, running statistics. */
function checkPass(definition: Pick<ModelDefinition, "build">, quantizer: string): void {
  tf.tidy(() => {
    const { model, quantization, params, state } = build(definition, quantizer);
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
}

/** ResNet-50's block and the ImageNet stem in a network of a second. */
const narrowBottlenecks: Pick<ModelDefinition, "name" | "build"> = {
  name: "a narrow ResNet of bottlenecks",
  build: (options) =>
    buildResidualNetwork({
      name: "narrow",
      stem: IMAGENET_STEM,
      block: bottleneck,
      stages: [{ blocks: 1, channels: 8 }, { blocks: 2, channels: 16 }],
    }, options),
};

for (const definition of [narrowBottlenecks, resnet8, mobilenetV2Narrow]) {
  for (const { name: quantizer } of QUANTIZERS) {
    testOnEngines(`${definition.name} gives a finite gradient for every parameter: ${quantizer}`, () => {
      checkPass(definition, quantizer);
    });
  }
}

// the larger models on one engine, with LSQ: their values are checked against PyTorch in golden_models_test.ts
for (const definition of MODELS.filter((model) => model !== resnet8 && model !== mobilenetV2Narrow)) {
  const engineName = ENGINES.at(-1)!;
  Deno.test(`${definition.name} gives a finite gradient for every parameter: lsq [${engineName}]`, async () => {
    await openEngine(engineName);
    await tf.setBackend(engineName);
    checkPass(definition, "lsq");
  });
}

function context(model: ReturnType<typeof build>, quantization: ModelQuantization | null): Context {
  return { params: model.params, state: model.state, training: true, quantization, hooks: {}, updates: {} };
}

for (const { name: quantizer } of QUANTIZERS) {
  testOnEngines(`normActivationLayer() folded equals norm, relu and layer one after the other: ${quantizer}`, () => {
    const built = build(resnet8, quantizer), { layers, norms } = built.model as Model;
    const layer = layers.find(({ path }) => path === "stage1/block0/conv2")!;
    const norm = norms.find(({ path }) => path === "stage1/block0/norm1")!;
    const draws = stream({ seed: 2, purpose: "synthetic" });
    const input = tf.tensor(Float32Array.from({ length: 2 * 4 * 4 * 16 }, () => draws.normal()), [2, 4, 4, 16]);
    const learned = Object.keys(built.params).filter((path) => path.startsWith(paths.inputQuantizer(layer)));
    const moved = [paths.gamma(norm), paths.beta(norm), paths.weight(layer), ...learned];
    const run = (folded: boolean) =>
      tf.grads((input: Tensor, ...values: Tensor[]) => {
        const changed = Object.fromEntries(moved.map((path, i) => [path, values[i]!]));
        const at = { ...context(built, built.quantization), params: { ...built.params, ...changed } };
        const y = folded
          ? normActivationLayer(at, layer, { norm, activation: "relu", input })
          : applyLayer(at, layer, activate("relu", normalise(at, norm, { input })));
        return tf.sum(tf.square(y));
      })([input, ...moved.map((path) => built.params[path]!)]);
    const apart = run(false);
    run(true).forEach((gradient, i) => {
      // float32 of two orders of the same sums; what a quantizer learns has small differences of large ones
      const tolerance = i > 3 ? 1e-3 : 2e-5;
      const distance = relativeDistance(gradient.dataSync(), apart[i]!.dataSync());
      const name = i === 0 ? "the input" : moved[i - 1];
      assert.ok(
        distance < tolerance,
        `gradient of ${name} is off by ${distance}; folded, no relu comes before the quantizer: an unsigned one must do ` +
          "the relu's work, in value and gradient (docs/extending.md, A quantizer)",
      );
    });
  });
}

testOnEngines("a layer refuses a quantizer that changes a shape, and names both", (engine) => {
  const { model, quantization, params, state } = build(resnet8, "lsq"), path = "stage1/block0/conv2";
  const { name, weight, input } = quantization[path]!;
  const pass = (own: ModelQuantization[string]) => {
    const network = { params, state }, quantizers = { ...quantization, [path]: own };
    const compiled = engine.compile(({ x }: { x: Tensor }) =>
      forward(model, quantizers, { network, images: x, training: false, quantized: true }).logits
    );
    tf.tidy(() => compiled({ x: images(2) }));
  };
  const flat = (x: Tensor) => tf.reshape(x, [-1]);
  const reshaped: typeof input = {
    ...input,
    quantizeScaled(scaled, own) {
      const rounded = input.quantizeScaled(scaled, own);
      return { ...rounded, values: flat(rounded.values) };
    },
  };
  assert.throws(() => pass({ name: name!, weight, input: reshaped }), {
    name: "RangeError",
    message: `Cannot quantize the input of layer "${path}" as quantizer lsq gives shape [2048] for [2, 8, 8, 16]: ` +
      "return the shape that it takes",
  });
  const reduced: typeof weight = { ...weight, apply: (w, own) => tf.sum(weight.apply(w, own), 3) };
  assert.throws(() => pass({ name: name!, weight: reduced, input }), {
    name: "RangeError",
    message:
      `Cannot quantize the weight of layer "${path}" as quantizer lsq gives shape [3, 3, 16] for [3, 3, 16, 16]: ` +
      "return the shape that it takes",
  });
  assert.throws(() => pass({ weight: reduced, input }), /as quantizer without a name gives shape /);
  pass({ name: name!, weight, input });
  tf.dispose([params, state]);
});
