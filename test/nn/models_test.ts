import assert from "node:assert/strict";
import { InputError } from "../../src/errors.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { modelNamed, MODELS } from "../../src/nn/mod.ts";

function parameterCount(name: string): number {
  const model = modelNamed(name).build({ classes: 10, imageChannels: 3 });
  const { params } = initialise(model, 0);
  return Object.values(params).reduce((sum, { values }) => sum + values.length, 0);
}

// ResNet-20: 269,722 with option A shortcuts (He et al. 2016: 0.27 M); ours has two projections more: 16·32 + 2·32 and
// 32·64 + 2·64. ResNet-18 and MobileNetV2: what PyTorch counts for the same forms (torchvision's MobileNetV2 has 2,223,872
// before its classifier, and 1280 · 10 + 10 in it).
Deno.test("models have the known numbers of parameters", () => {
  assert.equal(parameterCount("resnet20"), 269_722 + (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64));
  assert.equal(parameterCount("resnet18"), 11_173_962);
  assert.equal(parameterCount("mobilenetv2"), 2_223_872 + 12_810);
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
      'Cannot use model "resnet19" as it is not known: choose one of resnet8, resnet20, resnet18, mobilenetv2',
    ),
  );
});
