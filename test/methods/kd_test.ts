import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../../src/engine/ops.ts";
import { distillation } from "../../src/methods/kd.ts";
import { crossEntropy } from "../../src/methods/losses.ts";
import { createMethod } from "../../src/methods/mod.ts";
import type { ForwardOptions, NetworkTensors } from "../../src/methods/types.ts";
import type { Model } from "../../src/nn/types.ts";
import { testOnEngines } from "../support/engines.ts";
import { goldenJson, relativeDistance } from "../support/golden.ts";

type Listed = { shape: number[]; values: number[] };
type Case = { temperature: number; logits: Listed; target: Listed; value: number; gradient: Listed };
const CASES = goldenJson<{ distillation: Case[] }>("quantizers.json").distillation;

function tensor({ shape, values }: Listed): Tensor {
  return tf.tensor(values, shape, "float32");
}

for (const golden of CASES) {
  testOnEngines(`distillation() equals PyTorch float64 at temperature ${golden.temperature}`, () => {
    const target = tensor(golden.target), { temperature } = golden;
    const { value, grad } = tf.valueAndGrad((logits: Tensor) =>
      distillation(logits, { target, temperature }) as tf.Scalar
    )(tensor(golden.logits));
    assert.ok(
      Math.abs(value.dataSync()[0]! / golden.value - 1) < 1e-5,
      `${value.dataSync()[0]} is not ${golden.value}`,
    );
    const distance = relativeDistance(grad.dataSync(), golden.gradient.values);
    assert.ok(distance < 1e-5, `the gradient is off by ${distance}`);
  });
}

const STUDENT: NetworkTensors = { params: {}, state: {} }, TEACHER: NetworkTensors = { params: {}, state: {} };

function lossOf(options: Record<string, unknown>, passes: unknown[] = []) {
  const { logits, target } = CASES[0]!, labels = oneHot(tf.tensor1d([3, 0, 9, 5, 5, 1], "int32"), 10);
  const forward = ({ network, training, quantized }: ForwardOptions) => {
    passes.push([network === STUDENT ? "student" : "teacher", training, quantized]);
    const output = tensor(network === STUDENT ? logits : target);
    return { logits: output, features: output, updates: {} };
  };
  const given = {
    model: {} as Model,
    quantization: null,
    memory: {},
    inputs: {},
    views: [tf.zeros([6, 1])],
    labels,
    forward,
  };
  const result = createMethod({ name: "kd", options }).loss({ ...given, student: STUDENT, teacher: TEACHER });
  return { ...result, task: crossEntropy(tensor(logits), labels).dataSync()[0]! };
}

testOnEngines(
  "KD's loss is the cross-entropy plus the weighted distillation; weight 0 leaves the cross-entropy",
  () => {
    const { loss, task, metrics } = lossOf({ temperature: 1, weight: 0.5 });
    assert.ok(Math.abs(loss.dataSync()[0]! - (task + 0.5 * CASES[0]!.value)) < 1e-5);
    assert.ok(Math.abs(metrics["distillationLoss"]!.dataSync()[0]! - CASES[0]!.value) < 1e-5);
    const none = lossOf({ weight: 0 });
    assert.equal(none.loss.dataSync()[0], none.task);
  },
);

testOnEngines("KD asks the full-precision teacher at inference; by default T = 4 and weight 1", () => {
  const passes: unknown[] = [], { loss, task } = lossOf({}, passes);
  assert.deepEqual(passes, [["student", true, true], ["teacher", false, false]]);
  assert.ok(Math.abs(loss.dataSync()[0]! - (task + CASES[1]!.value)) < 1e-4);
  assert.equal(CASES[1]!.temperature, 4);
});

Deno.test("KD refuses a temperature of 0", () => {
  assert.throws(
    () => createMethod({ name: "kd", options: { temperature: 0 } }),
    /^InputError: Cannot use the options \{"temperature":0\} of method kd: temperature /,
  );
});
