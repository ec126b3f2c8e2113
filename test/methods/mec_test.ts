import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../../src/engine/ops.ts";
import { InputError } from "../../src/errors.ts";
import { codingLength, normaliseRows } from "../../src/methods/coding_length.ts";
import { channelExperts } from "../../src/methods/mec_experts.ts";
import { createMethod } from "../../src/methods/mod.ts";
import type { ForwardOptions, LossResult, Method } from "../../src/methods/types.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import { testOnEngines } from "../support/engines.ts";

const DISTORTION = 0.125;

function mec(options: Record<string, unknown> = {}): Method {
  return createMethod({ name: "mec", options });
}

function features(m: number, d: number): Tensor {
  return tf.tensor(Float32Array.from({ length: m * d }, (_, i) => Math.sin(1.7 * i) + Math.cos(0.3 * i * i)), [m, d]);
}

/** Coding length of one block of rows, as they are. */
function lengthOf(rows: Tensor, distortion = DISTORTION): number {
  return codingLength(tf.expandDims(rows, 0), { distortion }).dataSync()[0]!;
}

function assertClose(actual: number, expected: number, tolerance = 1e-6): void {
  assert.ok(Math.abs(actual - expected) <= tolerance * Math.abs(expected), `${actual} instead of ${expected}`);
}

/** A loss whose features and logits are given; a second view has its own features. */
function lossOf(
  method: Method,
  given: {
    z: Tensor;
    beta: number;
    scale?: Tensor;
    other?: Tensor;
    params?: Record<string, Tensor>;
    passes?: unknown[];
  },
): LossResult {
  const { z, beta, other } = given, [m, d] = z.shape as [number, number], logits = tf.zeros([m, 3]);
  return method.loss({
    model: MODEL,
    quantization: null,
    student: { params: given.params ?? {}, state: {} },
    teacher: null,
    memory: { scale: given.scale ?? tf.zeros([d]), "teacher/params/w": tf.scalar(1) },
    inputs: { mecBeta: tf.tensor1d([beta]) },
    views: other ? [z, other] : [z],
    labels: oneHot(tf.zeros([m], "int32"), 3),
    forward: ({ network, images, training, quantized }: ForwardOptions) => {
      given.passes?.push([Object.keys(network.params), training, quantized]);
      return { logits, features: images, updates: {} };
    },
  });
}

const MODEL = modelNamed("resnet8").build({ classes: 10, imageChannels: 3 }); // 64 features

testOnEngines("MEC with one expert is the plain coding length of the features", () => {
  tf.tidy(() => {
    const z = features(6, 8),
      { metrics } = lossOf(mec({ experts: 1 }), { z, beta: 0.1, scale: features(1, 8).flatten() });
    assertClose(metrics["codingLength"]!.dataSync()[0]!, lengthOf(normaliseRows(z)));
    assert.deepEqual(channelExperts(z, { scale: tf.zeros([8]), experts: 1 }).dataSync(), z.dataSync());
  });
});

testOnEngines("MEC with K experts is the mean over the blocks of channels sorted by scale", () => {
  tf.tidy(() => {
    const z = features(6, 8), scale = tf.tensor1d([1, 8, 2, 7, 3, 6, 4, 5]);
    const { metrics } = lossOf(mec({ experts: 2 }), { z, beta: 0.1, scale });
    // largest first: channels 1 3 5 7, then 6 4 2 0
    const lengths = [[1, 3, 5, 7], [6, 4, 2, 0]].map((channels) =>
      lengthOf(normaliseRows(tf.gather(z, tf.tensor1d(channels, "int32"), 1)))
    );
    assertClose(metrics["codingLength"]!.dataSync()[0]!, (lengths[0]! + lengths[1]!) / 2);
    assert.ok(Math.abs(lengths[0]! - lengths[1]!) > 1e-3);
  });
});

testOnEngines("MEC's loss is CE - beta L, and its scale a running mean of |z| with momentum 0.1", () => {
  tf.tidy(() => {
    const z = features(6, 8),
      scale = tf.range(1, 9),
      { loss, metrics, memory } = lossOf(mec(), { z, beta: 0.3, scale });
    const task = metrics["taskLoss"]!.dataSync()[0]!, length = metrics["codingLength"]!.dataSync()[0]!;
    assertClose(task, Math.log(3));
    assertClose(loss.dataSync()[0]!, Math.log(3) - 0.3 * length);
    const rows = z.arraySync() as number[][];
    memory!["scale"]!.dataSync().forEach((value, c) => {
      const mean = rows.reduce((sum, row) => sum + Math.abs(row[c]!), 0) / rows.length;
      assertClose(value, 0.9 * (c + 1) + 0.1 * mean);
    });
  });
});

Deno.test("stepInputs() of MEC warms beta up linearly over the first epochs", () => {
  const beta = (step: number, options: Record<string, unknown>) =>
    mec(options).stepInputs!({ seed: 0, step, stepsPerEpoch: 10, epochs: 20 }, MODEL)["mecBeta"]![0]!;
  const steps = [0, 4, 9, 10, 199];
  assert.deepEqual(steps.map((step) => beta(step, {})), [0.01, 0.05, 0.1, 0.1, 0.1].map(Math.fround));
  const longer = { beta: 1, warmupEpochs: 2.5 };
  assert.deepEqual(steps.map((step) => beta(step, longer)), [0.04, 0.2, 0.4, 0.44, 1].map(Math.fround));
  assert.equal(beta(0, { beta: 0.5, warmupEpochs: 0 }), 0.5);
});

testOnEngines("MEC's memory starts with a scale of 0 for each feature", () => {
  const memory = mec().initialMemory!(MODEL, { params: {}, state: {} });
  assert.deepEqual(Object.keys(memory), ["scale"]);
  assert.deepEqual(Array.from(memory["scale"]!.dataSync()), new Array(64).fill(0));
  tf.dispose(memory);
});

testOnEngines("MEC over samples learns a gate and subtracts the experts' imbalance", () => {
  tf.tidy(() => {
    const method = mec({ over: "samples", experts: 2, balance: 0.5 }), z = features(6, 64);
    const own = method.ownParameters!(MODEL, 5), again = method.ownParameters!(MODEL, 5);
    assert.deepEqual(Object.keys(own), ["gate/weight"]);
    const gate = own["gate/weight"]!, values = gate.dataSync();
    assert.deepEqual(gate.shape, [64, 2]);
    assert.deepEqual(values, again["gate/weight"]!.dataSync());
    assert.ok(
      values.every((value) => Math.abs(value) <= 1 / 8) && Math.max(...values) > 0.1 && Math.min(...values) < -0.1,
    );
    assert.notDeepEqual(values, method.ownParameters!(MODEL, 6)["gate/weight"]!.dataSync());
    assert.deepEqual(method.initialMemory!(MODEL, { params: {}, state: {} }), {});

    const steep = { "method/gate/weight": tf.mul(gate, 40) };
    const { loss, metrics, memory } = lossOf(method, { z, beta: 0.3, params: steep });
    const length = metrics["codingLength"]!.dataSync()[0]!, imbalance = metrics["expertImbalance"]!.dataSync()[0]!;
    assert.ok(imbalance > 1e-3);
    assertClose(loss.dataSync()[0]!, Math.log(3) - 0.3 * (length - 0.5 * imbalance));
    assert.equal(memory, undefined);
  });
});

testOnEngines("MEC with two views codes the student's first view with the teacher's second", () => {
  tf.tidy(() => {
    const z = features(6, 8), other = tf.reverse(z, 0), passes: unknown[] = [];
    const method = mec({ views: 2, experts: 1, distortion: 2 });
    const { loss, metrics } = lossOf(method, { z, other, beta: 0.3, params: { v: tf.scalar(0) }, passes });
    assert.deepEqual(passes, [[["v"], true, true], [["w"], true, true]]);
    const [first, second] = [normaliseRows(z), normaliseRows(other)].map((rows) => tf.expandDims(rows, 0));
    const expected = codingLength(first!, { other: second!, determinant: "taylor4", distortion: 2 }).dataSync()[0]!;
    assertClose(metrics["codingLength"]!.dataSync()[0]!, expected);
    assertClose(loss.dataSync()[0]!, Math.log(3) - 0.3 * expected);
    // equal views agree more than shuffled ones
    const same = lossOf(method, { z, other: z, beta: 0.3, params: {} }).metrics["codingLength"]!.dataSync()[0]!;
    assert.ok(same > expected + 0.01, `${same} and ${expected}`);
  });
});

testOnEngines("MEC's teacher starts as the student, follows it by the factor and leaves the gate alone", () => {
  tf.tidy(() => {
    const method = mec({ views: 2, over: "samples" });
    const student = { params: { "a/weight": tf.tensor1d([2, 4]) }, state: { "a/mean": tf.scalar(1) } };
    const memory = method.initialMemory!(MODEL, student);
    assert.deepEqual(Object.keys(memory), ["teacher/params/a/weight", "teacher/state/a/mean"]);
    const params = { "a/weight": tf.tensor1d([4, 8]), "method/gate/weight": tf.zeros([64, 4]) };
    const inputs = { mecTeacher: tf.tensor1d([0.75]) };
    const next = method.afterUpdate!({ memory, student: { params, state: student.state }, inputs });
    assert.deepEqual(Object.keys(next).sort(), Object.keys(memory).sort());
    assert.deepEqual(Array.from(next["teacher/params/a/weight"]!.dataSync()), [2.5, 5]);
  });
});

Deno.test("stepInputs() of MEC with two views warms lambda up and closes the teacher's factor", () => {
  const at = (step: number, options: Record<string, unknown> = { views: 2 }) =>
    mec(options).stepInputs!({ seed: 0, step, stepsPerEpoch: 10, epochs: 20 }, MODEL);
  // 1/lambda from 8 times its value over 20 of 200 steps; eps_d is 1
  const distortions = [0, 10, 20, 199].map((step) => at(step)["mecDistortion"]![0]!);
  assert.deepEqual(distortions, [8, 4.5, 1, 1]);
  assert.equal(at(0, { views: 2, distortion: 1 / 32 })["mecDistortion"]![0], 8 / 32);
  const factors = [0, 100, 200].map((step) => at(step)["mecTeacher"]![0]!);
  assert.deepEqual(factors, [0.996, 0.998, 1].map(Math.fround));
  assert.deepEqual(Object.keys(at(0, {})), ["mecBeta"]);
  assert.deepEqual(Object.keys(at(0, { determinant: "taylor4", lambdaWarmup: 0.1 })), ["mecBeta", "mecDistortion"]);
});

testOnEngines("MEC's weight term adds the mean coding length of the layers' weights", () => {
  tf.tidy(() => {
    const z = features(6, 64), params: Record<string, Tensor> = {};
    for (const layer of MODEL.layers) params[`${layer.path}/weight`] = features(3, layer.outChannels);
    const { loss, metrics } = lossOf(mec({ weightTerm: 2 }), { z, beta: 0.3, params });
    const lengths = MODEL.layers.map(({ outChannels }) =>
      lengthOf(normaliseRows(tf.transpose(features(3, outChannels))))
    );
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    assertClose(metrics["weightCodingLength"]!.dataSync()[0]!, mean, 1e-5);
    assertClose(loss.dataSync()[0]!, Math.log(3) - 0.3 * (metrics["codingLength"]!.dataSync()[0]! + 2 * mean), 1e-5);
  });
});

Deno.test("MEC refuses the exact determinant of two views", () => {
  assert.throws(
    () => mec({ views: 2, determinant: "exact" }),
    new InputError(
      'Cannot use method mec with two views and determinant "exact" as the determinant of two views may be negative: ' +
        'choose "taylor2" or "taylor4"',
    ),
  );
});

Deno.test("MEC refuses experts that do not divide the features, and options out of range", () => {
  assert.throws(
    () => mec({ experts: 3 }).initialMemory!(MODEL, { params: {}, state: {} }),
    new InputError(
      "Cannot split 64 features of resnet8 among experts as their number must divide it: current value is 3",
    ),
  );
  for (
    const [options, name] of [[{ distortion: 0 }, "distortion"], [{ experts: 1.5 }, "experts"], [
      { beta: -1 },
      "beta",
    ]] as const
  ) {
    assert.throws(() => mec(options), (error) => {
      assert.ok(error instanceof InputError);
      assert.ok(error.message.startsWith(`Cannot use the options ${JSON.stringify(options)} of method mec: ${name} `));
      return true;
    });
  }
});
