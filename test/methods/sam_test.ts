import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { relu } from "../../src/engine/ops.ts";
import type { Engine } from "../../src/engine/types.ts";
import { createMethod } from "../../src/methods/mod.ts";
import { ascended } from "../../src/methods/sam.ts";
import { ModelBuilder } from "../../src/nn/builder.ts";
import { applyLayer, normActivationLayer, normalise } from "../../src/nn/layers.ts";
import type { Model } from "../../src/nn/types.ts";
import { type StepInputs, trainingStep } from "../../src/train/step.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import { testOnEngines } from "../support/engines.ts";
import { goldenJson, relativeDistance } from "../support/golden.ts";

type Listed = { shape: number[]; values: number[] };
type Golden = {
  stepSizes: boolean;
  rho: number;
  rate: number;
  momentum: number;
  weightDecay: number;
  images: number[];
  shape: number[];
  labels: number[];
  params: Record<string, Listed>;
  velocity: Record<string, Listed>;
  loss: number;
  ascendedLoss: number;
  after: Record<"params" | "velocity" | "state", Record<string, Listed>>;
};
const STEPS = goldenJson<{ steps: Golden[] }>("sam_steps.json").steps;

function tensors(listed: Record<string, Listed>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(listed).map(([path, { shape, values }]) => [path, tf.tensor(values, shape, "float32")]),
  );
}

/** Two convolutions and a dense layer: what make_golden_mec_sam.py has. */
function smallModel(): Model {
  const builder = new ModelBuilder();
  const stem = builder.layer("stem/conv", {
    inChannels: 3,
    outChannels: 4,
    kernelSize: 3,
    position: "first",
    inputSigned: true,
  });
  const stemNorm = builder.norm("stem/norm", 4);
  const body = builder.layer("body/conv", {
    inChannels: 4,
    outChannels: 6,
    kernelSize: 3,
    stride: 2,
    inputSigned: false,
  });
  const bodyNorm = builder.norm("body/norm", 6);
  const dense = builder.layer("classifier", {
    kind: "dense",
    inChannels: 6,
    outChannels: 5,
    position: "last",
    inputSigned: false,
  });
  return {
    name: "small",
    classes: 5,
    layers: builder.layers,
    norms: builder.norms,
    forward(context, images) {
      const first = applyLayer(context, stem, images);
      const second = normActivationLayer(context, body, { norm: stemNorm, activation: "relu", input: first });
      const features = tf.mean(relu(normalise(context, bodyNorm, { input: second })), [1, 2]);
      return { logits: applyLayer(context, dense, features), features };
    },
  };
}

function inputsOf(golden: Golden): StepInputs {
  const state: Record<string, Tensor> = {};
  for (const [path, { shape }] of Object.entries(golden.after.state)) {
    state[path] = path.endsWith("/mean") ? tf.zeros(shape) : tf.ones(shape);
  }
  return {
    training: { params: tensors(golden.params), velocity: tensors(golden.velocity), state, memory: {} },
    teacher: { params: {}, state: {} },
    images: { view0: tf.tensor(golden.images, golden.shape, "int32") },
    crops: {},
    labels: tf.tensor1d(golden.labels, "int32"),
    inputs: {},
    learningRate: tf.scalar(golden.rate),
  };
}

function stepOf(golden: Golden, method: { name: string; options: Record<string, unknown> }) {
  const model = smallModel();
  const quantization = quantizationOf(model, {
    quantizer: "lsq",
    weightBits: 4,
    activationBits: 4,
    firstLastBits: 8,
    calibrationExamples: 1,
  });
  const scale = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
  return trainingStep({ ...golden, model, quantization, method: createMethod(method), scale });
}

// 1e-5 of losses, 1e-4 of gradients, as for a plain step: golden inputs keep clear of every rounding edge in both passes.
for (const golden of STEPS) {
  const { rho, stepSizes } = golden;
  testOnEngines(
    `one step of SAM equals PyTorch float64, step sizes ${stepSizes ? "perturbed" : "left alone"}`,
    (engine: Engine) => {
      const step = stepOf(golden, { name: "sam", options: { rho, stepSizes } }), inputs = inputsOf(golden);
      const compiled = engine.compile(step);
      for (const run of [compiled, step]) {
        const { training, metrics } = run(inputs);
        for (const name of ["loss", "ascendedLoss"] as const) {
          const value = metrics[name]!.dataSync()[0]!;
          assert.ok(Math.abs(value / golden[name] - 1) < 1e-5, `${name} is ${value} instead of ${golden[name]}`);
        }
        for (const kind of ["params", "velocity", "state"] as const) {
          assert.deepEqual(Object.keys(training[kind]).sort(), Object.keys(golden.after[kind]).sort());
          for (const [path, { values }] of Object.entries(golden.after[kind])) {
            const distance = relativeDistance(training[kind][path]!.dataSync(), values);
            assert.ok(distance < (kind === "velocity" ? 1e-4 : 1e-5), `${kind} ${path} is off by ${distance}`);
          }
        }
      }
      compiled.dispose();
    },
  );
}

Deno.test("the golden steps of SAM rise in the loss and differ by their step sizes", () => {
  assert.deepEqual(STEPS.map(({ stepSizes }) => stepSizes), [false, true]);
  for (const { loss, ascendedLoss } of STEPS) assert.ok(ascendedLoss > loss);
  assert.notEqual(STEPS[0]!.ascendedLoss, STEPS[1]!.ascendedLoss);
});

testOnEngines("SAM with rho 0 takes plain quantization-aware training's step to the bit", (engine) => {
  const golden = STEPS[0]!, inputs = inputsOf(golden);
  const outcomes = [{ name: "sam", options: { rho: 0 } }, { name: "qat", options: {} }].map((method) => {
    const compiled = engine.compile(stepOf(golden, method)), { training, metrics } = compiled(inputs);
    compiled.dispose();
    const values = Object.entries(training.params).map(([path, t]) => [path, Array.from(t.dataSync())]);
    return { values: Object.fromEntries(values), metrics: Object.keys(metrics).sort() };
  });
  assert.deepEqual(outcomes[0]!.values, outcomes[1]!.values);
  assert.deepEqual(outcomes.map(({ metrics }) => metrics), [["ascendedLoss", "correct", "loss"], ["correct", "loss"]]);
});

testOnEngines("ascended() moves by rho along the gradient, by one norm over all that is perturbed", () => {
  const named = (w: number[], step: number) => ({
    "a/weight": tf.tensor1d(w),
    "a/norm/gamma": tf.tensor1d([1]),
    "a/weight_quantizer/step_size": tf.tensor1d([step]),
  });
  const params = named([1, 2], 0.1), gradients = { ...named([2, 4], -5), "a/norm/gamma": tf.tensor1d([-4]) }; // ‖(2, 4, -4)‖ = 6
  const moved = ascended(params, gradients, { rho: 0.3, stepSizes: false });
  assert.deepEqual(Object.keys(moved).sort(), ["a/norm/gamma", "a/weight"]);
  const near = (actual: Tensor, expected: number[]) =>
    assert.ok(relativeDistance(actual.dataSync(), expected) < 1e-6, `${actual.dataSync()} instead of ${expected}`);
  near(moved["a/weight"]!, [1.1, 2.2]);
  near(moved["a/norm/gamma"]!, [0.8]);

  const all = ascended(params, gradients, { rho: 0.61, stepSizes: true }), norm = Math.sqrt(36 + 25);
  near(all["a/weight"]!, [1 + 0.61 * 2 / norm, 2 + 0.61 * 4 / norm]);
  near(all["a/weight_quantizer/step_size"]!, [1e-6]); // 0.1 - 0.39 is no step size
});

testOnEngines("ascended() stays where it is when the gradient is zero", () => {
  const params = { "a/weight": tf.tensor1d([1, -2]) }, gradients = { "a/weight": tf.zeros([2]) };
  const moved = ascended(params, gradients, { rho: 0.05, stepSizes: false });
  assert.deepEqual(Array.from(moved["a/weight"]!.dataSync()), [1, -2]);
});

testOnEngines("SAM takes rho 0.05 by default, leaves step sizes alone, and refuses a negative rho", () => {
  const params = { "a/weight": tf.tensor1d([1, 1]), "a/input_quantizer/step_size": tf.scalar(0.1) };
  const gradients = { "a/weight": tf.tensor1d([3, 4]), "a/input_quantizer/step_size": tf.scalar(7) };
  const moved = createMethod({ name: "sam", options: {} }).ascend!(params, gradients);
  assert.deepEqual(Object.keys(moved), ["a/weight"]);
  assert.ok(relativeDistance(moved["a/weight"]!.dataSync(), [1.03, 1.04]) < 1e-6);
  assert.throws(
    () => createMethod({ name: "sam", options: { rho: -1 } }),
    /^InputError: Cannot use the options \{"rho":-1\} of method sam: rho /,
  );
});
