import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { openEngine } from "../../src/engine/mod.ts";
import { InputError } from "../../src/errors.ts";
import { initialise, weightShape } from "../../src/nn/initialise.ts";
import { paths } from "../../src/nn/layers.ts";
import { modelNamed, MODELS } from "../../src/nn/mod.ts";
import { type ImageSize, layerMultiplyAccumulates, multiplyAccumulates } from "../../src/nn/multiply_accumulates.ts";
import type { Layer } from "../../src/nn/types.ts";

function size(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

function parameterCount(name: string, classes: number): number {
  const { layers, norms } = modelNamed(name).build({ classes, imageChannels: 3 });
  const weights = layers.reduce((sum, layer) => sum + size(weightShape(layer)), 0);
  return weights + classes + norms.reduce((sum, { channels }) => sum + 2 * channels, 0);
}

// ResNet-20: 269,722 with option A shortcuts (He et al. 2016: 0.27 M); ours has two projections more: 16·32 + 2·32 and
// 32·64 + 2·64. ResNet-18, -50 and MobileNetV1: what PyTorch counts for kuangliu/pytorch-cifar (commit 49b7aa9). It counts
// 2,296,922 for its MobileNetV2: ours, as torchvision's, has no 1 x 1 shortcut where a block of stride 1 changes its channels (i o
// and 2 o of its norm) and no expansion by 1 in the first block (32² and 2 · 32); torchvision's has 2,223,872 before its classifier,
// and so has ours. MobileNetV2 at 0.35: torchvision's mobilenet_v2(width_mult=0.35) counts 396,128 before its classifier.
// ImageNet forms: what PyTorch counts for torchvision 0.28's resnet18, resnet50 and mobilenet_v2 and timm 1.0.31's mobilenetv1_100,
// each with num_classes=10. A ResNet's 7 x 7 stem has 3 · 64 · (7² - 3²) = 7,680 more weights than the CIFAR form's.
const SHORTCUTS_OF_KUANGLIU = [[32, 16], [16, 24], [64, 96], [160, 320]].reduce(
  (sum, [i, o]) => sum + i! * o! + 2 * o!,
  0,
);
const PARAMETERS: Record<string, { ten: number; features: number }> = {
  resnet8: { ten: 78_042, features: 64 },
  resnet20: { ten: 269_722 + (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64), features: 64 },
  resnet18: { ten: 11_173_962, features: 512 },
  resnet50: { ten: 23_520_842, features: 2048 },
  mobilenetv1: { ten: 3_217_226, features: 1024 },
  mobilenetv2: { ten: 2_296_922 - SHORTCUTS_OF_KUANGLIU - (32 ** 2 + 2 * 32), features: 1280 },
  mobilenetv2_narrow: { ten: 396_128 + 12_810, features: 1280 },
  resnet18_imagenet: { ten: 11_181_642, features: 512 },
  resnet50_imagenet: { ten: 23_528_522, features: 2048 },
  mobilenetv1_imagenet: { ten: 3_217_226, features: 1024 },
  mobilenetv2_imagenet: { ten: 2_236_682, features: 1280 },
};

function knownParameters(name: string): { ten: number; features: number } {
  const known = PARAMETERS[name];
  assert.ok(known, `model ${name} has no row in PARAMETERS of test/nn/models_test.ts: add a count from another source`);
  return known;
}

Deno.test("models have the known numbers of parameters with 10 and with 100 classes", () => {
  for (const { name } of MODELS) knownParameters(name);
  assert.deepEqual(MODELS.map(({ name }) => name).sort(), Object.keys(PARAMETERS).sort());
  for (const [name, { ten, features }] of Object.entries(PARAMETERS)) {
    assert.equal(parameterCount(name, 10), ten, name);
    assert.equal(parameterCount(name, 100), ten + 90 * (features + 1), name);
  }
  assert.equal(parameterCount("mobilenetv2", 10), 2_223_872 + 12_810);
  assert.equal(parameterCount("resnet18_imagenet", 10), parameterCount("resnet18", 10) + 3 * 64 * (7 ** 2 - 3 ** 2));
});

/** Multiply-accumulates of each layer, from the shapes that a forward pass meets. */
function countedByForward(name: string, { height, width }: ImageSize): Record<string, number> {
  const model = modelNamed(name).build({ classes: 10, imageChannels: 3 }), counted: Record<string, number> = {};
  tf.tidy(() => {
    const params: Record<string, tf.Tensor> = {}, state: Record<string, tf.Tensor> = {};
    for (const layer of model.layers) {
      params[paths.weight(layer)] = tf.zeros(weightShape(layer));
      if (layer.kind === "dense") {
        params[paths.bias(layer)] = tf.zeros([layer.outChannels]);
        counted[layer.path] = layer.inChannels * layer.outChannels;
      }
    }
    for (const norm of model.norms) {
      for (const path of [paths.gamma(norm), paths.beta(norm)]) params[path] = tf.zeros([norm.channels]);
      for (const path of [paths.mean(norm), paths.variance(norm)]) state[path] = tf.zeros([norm.channels]);
    }
    const output = (layer: Layer, { shape }: tf.Tensor) => {
      const inputs = layer.kind === "depthwise" ? 1 : layer.inChannels;
      counted[layer.path] = shape[1]! * shape[2]! * layer.outChannels * layer.kernelSize ** 2 * inputs;
    };
    const context = { params, state, training: false, quantization: null, hooks: { output }, updates: {} };
    model.forward(context, tf.zeros([1, height, width, 3]));
  });
  return counted;
}

Deno.test("layerMultiplyAccumulates() counts what a forward pass multiplies, for images of any size", async () => {
  await openEngine("wasm");
  await tf.setBackend("wasm");
  for (const { name, build } of MODELS) {
    const { layers } = build({ classes: 10, imageChannels: 3 });
    for (const image of [{ height: 32, width: 32 }, { height: 13, width: 37 }]) {
      const counted = Object.fromEntries(layers.map((layer) => [layer.path, layerMultiplyAccumulates(layer, image)]));
      assert.deepEqual(counted, countedByForward(name, image), name);
    }
  }
});

// what forward hooks on torchvision 0.28's and timm 1.0.31's models count: each convolution's outputs times the weights of one,
// and the dense layer's weights, with num_classes=10 at 32 x 32, and num_classes=1000 at 224 x 224
const COUNTED_BY_PYTORCH: Readonly<Record<string, readonly [number, number]>> = {
  resnet18_imagenet: [37_016_576, 1_814_073_344],
  resnet50_imagenet: [83_431_424, 4_089_184_256],
  mobilenetv1_imagenet: [11_596_288, 568_740_352],
  mobilenetv2_imagenet: [6_124_928, 300_774_272],
};

Deno.test("multiplyAccumulates() of the ImageNet forms is what PyTorch counts", () => {
  for (const [name, [small, large]] of Object.entries(COUNTED_BY_PYTORCH)) {
    const count = (classes: number, side: number) =>
      multiplyAccumulates(modelNamed(name).build({ classes, imageChannels: 3 }), { height: side, width: side });
    assert.deepEqual([count(10, 32), count(1000, 224)], [small, large], name);
  }
});

// docs/methods.md prints these; counted by hand for ResNet-20: stem 27·16·1024, then 6·(9·16²·1024), ... see He et al. 2016
Deno.test("models have the multiply-accumulates that docs/methods.md states", () => {
  const page = Deno.readTextFileSync(new URL("../../docs/methods.md", import.meta.url));
  for (const { name, build } of MODELS) {
    const macs = multiplyAccumulates(build({ classes: 10, imageChannels: 3 }), { height: 32, width: 32 });
    const millions = (macs / 1e6).toFixed(1), ten = knownParameters(name).ten.toLocaleString("en-US");
    const row = page.split("\n").find((line) => line.startsWith(`| \`${name}\``)) ?? "";
    const cells = row.split("|").map((cell) => cell.trim());
    assert.ok(row, `model ${name} has no row in the table of docs/methods.md, "Models": add one`);
    assert.ok(cells.includes(ten) && cells.includes(millions), `${name}: ${ten} and ${millions} are not in "${row}"`);
  }
});

Deno.test("models have one first and one last layer, and indices in order", () => {
  for (const definition of MODELS) {
    const { layers } = definition.build({ classes: 10, imageChannels: 3 });
    assert.deepEqual(layers.map(({ index }) => index), layers.map((_, i) => i));
    assert.deepEqual(layers.filter(({ position }) => position !== "inner").map(({ position }) => position), [
      "first",
      "last",
    ]);
    assert.equal(new Set(layers.map(({ path }) => path)).size, layers.length);
  }
});

Deno.test("initialise() draws convolutions from N(0, 2 / fan_out) and is a function of the seed", () => {
  const model = modelNamed("resnet20").build({ classes: 10, imageChannels: 3 });
  const { params } = initialise(model, 3), values = params["stage3/block1/conv1/weight"]!.values; // 3 · 3 · 64 · 64
  const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length;
  // the relative standard error of a variance of n normal values is sqrt(2 / n) = 0.7 %
  assert.ok(Math.abs(variance / (2 / (9 * 64)) - 1) < 0.04, `variance ${variance}`);
  assert.deepEqual(initialise(model, 3).params["stem/conv/weight"], params["stem/conv/weight"]);
  assert.notDeepEqual(initialise(model, 4).params["stem/conv/weight"], params["stem/conv/weight"]);
});

Deno.test("modelNamed() names the models it knows", () => {
  assert.throws(
    () => modelNamed("resnet19"),
    new InputError(
      'Cannot use model "resnet19" as it is not known, perhaps resnet18 was meant: choose one of ' +
        MODELS.map(({ name }) => name).join(", "),
    ),
  );
});
