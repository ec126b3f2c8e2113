/** Networks of torchvision and timm in our names: test/golden/make_golden_torch_networks.py says how the values came about. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { openEngine } from "../../src/engine/mod.ts";
import { InputError } from "../../src/errors.ts";
import { initialise, type TensorData } from "../../src/nn/initialise.ts";
import { modelNamed, MODELS } from "../../src/nn/mod.ts";
import { networkFromTorch, type TorchOptions } from "../../src/nn/torch_network.ts";
import { forward } from "../../src/train/forward.ts";
import { toTensors } from "../../src/train/tensors.ts";
import { ENGINES } from "../support/engines.ts";
import { filled, formulaImages, units } from "../support/formula.ts";
import { goldenJson, relativeDistance } from "../support/golden.ts";

interface Golden {
  readonly side: number;
  readonly networks: Readonly<
    Record<string, { readonly shapes: Readonly<Record<string, number[]>>; readonly logits: number[] }>
  >;
}

const { side, networks } = goldenJson<Golden>("torch_networks.json");
const OPTIONS: TorchOptions = { classes: 10, imageChannels: 3, newHead: null };

function valued(name: string, shape: readonly number[]): TensorData {
  const unit = units(name), size = shape.reduce((product, dim) => product * dim, 1);
  if (shape.length > 1) {
    const std = Math.sqrt(2 / (size / shape[0]!));
    return filled(shape, (i) => unit(i) * Math.sqrt(12) * std);
  }
  return filled(shape, (i) => /(weight|running_var)$/.test(name) ? 1 + 0.5 * unit(i) : 0.4 * unit(i));
}

function tensorsOf(name: string): Record<string, TensorData> {
  const { shapes } = networks[name]!;
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, valued(name, shape)]));
}

Deno.test("the models with a PyTorch form are those of the golden file", () => {
  const foreign = MODELS.filter(({ foreign }) => foreign).map(({ name }) => name);
  for (const name of foreign) {
    assert.ok(
      Object.hasOwn(networks, name),
      `model ${name} is not in torch_networks.json: add it to test/golden/make_golden_torch_networks.py`,
    );
  }
  assert.deepEqual(foreign.sort(), Object.keys(networks).sort());
});

for (const [name, { logits }] of Object.entries(networks)) {
  const engineName = ENGINES.at(-1)!;
  Deno.test(`networkFromTorch() gives ${name} the logits that PyTorch float64 gives [${engineName}]`, async () => {
    await openEngine(engineName);
    await tf.setBackend(engineName);
    const definition = modelNamed(name), network = networkFromTorch(definition, tensorsOf(name), OPTIONS);
    const actual = tf.tidy(() => {
      const { shape, values } = formulaImages([1, side, side, 3]);
      const output = forward(definition.build(OPTIONS), null, {
        network: { params: toTensors(network.params), state: toTensors(network.state) },
        images: tf.tensor(values, [...shape]),
        training: false,
        quantized: false,
      });
      return [...output.logits.dataSync()];
    });
    // float32 sums through up to 53 layers
    const distance = relativeDistance(actual, logits);
    assert.ok(distance < 1e-5, `logits are off by ${distance}`);
  });
}

const NAME = "mobilenetv2_imagenet", DEFINITION = modelNamed(NAME);

Deno.test("networkFromTorch() starts a new classifier from its seed and takes the rest over", () => {
  const tensors = {
    ...tensorsOf(NAME),
    "classifier.1.weight": filled([1000, 1280], () => 1),
    "classifier.1.bias": filled([1000], () => 1),
  };
  const { params } = networkFromTorch(DEFINITION, tensors, { ...OPTIONS, classes: 7, newHead: 3 });
  const start = initialise(DEFINITION.build({ classes: 7, imageChannels: 3 }), 3).params;
  for (const path of ["classifier/weight", "classifier/bias"]) assert.deepEqual(params[path], start[path]);
  assert.deepEqual(params["head/norm/gamma"], tensors["features.18.1.weight" as keyof typeof tensors]);
  const headless = Object.fromEntries(Object.entries(tensors).filter(([name]) => !name.startsWith("classifier")));
  assert.deepEqual(networkFromTorch(DEFINITION, headless, { ...OPTIONS, classes: 7, newHead: 3 }).params, params);
});

Deno.test("networkFromTorch() names what is missing, unknown or misshapen in one sentence", () => {
  const whole = tensorsOf(NAME), source = "it wants those of torchvision 0.28, mobilenet_v2";
  const without = (...names: string[]) =>
    Object.fromEntries(Object.entries(whole).filter(([name]) => !names.includes(name)));
  const cases: [string, Record<string, TensorData>, string][] = [
    [NAME, without("features.0.0.weight"), `tensors are missing: features.0.0.weight; ${source}`],
    [
      NAME,
      {},
      `tensors are missing: features.0.0.weight, features.1.conv.0.0.weight, features.1.conv.1.weight and 259 more; ${source}`,
    ],
    [NAME, { ...whole, "fc.weight": filled([1], () => 0) }, `tensors are unknown: fc.weight; ${source}`],
    [
      NAME,
      { ...whole, "features.18.1.bias": filled([320], () => 0) },
      `features.18.1.bias is [320] instead of [1280]: ${source}`,
    ],
    [
      NAME,
      { ...whole, "classifier.1.weight": filled([1000, 1280], () => 0) },
      "classifier.1.weight is [1000,1280] instead of [10,1280]: the data set has 10 classes, so give --new-head to start the " +
      "classifier anew",
    ],
    ["resnet18", whole, "no PyTorch library has it: choose a model in ImageNet form"],
  ];
  for (const [name, tensors, reason] of cases) {
    assert.throws(
      () => networkFromTorch(modelNamed(name), tensors, OPTIONS),
      new InputError(`Cannot import a network as model "${name}" as ${reason}`),
    );
  }
  const counted = { ...whole, "features.0.1.num_batches_tracked": filled([], () => 5) };
  assert.deepEqual(networkFromTorch(DEFINITION, counted, OPTIONS), networkFromTorch(DEFINITION, whole, OPTIONS));
});
