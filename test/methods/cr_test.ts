import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../../src/engine/ops.ts";
import { averagingFactor } from "../../src/methods/averaging.ts";
import { rampedWeight } from "../../src/methods/cr.ts";
import { createMethod } from "../../src/methods/mod.ts";
import type { ForwardOptions, Method, NetworkTensors, StepPosition } from "../../src/methods/types.ts";
import type { Model } from "../../src/nn/types.ts";
import { testOnEngines } from "../support/engines.ts";

/** Logits are images times w, plus the mean that batch normalisation would keep. */
function forward({ network, images }: ForwardOptions) {
  const w = network.params["dense/weight"] as tf.Tensor2D;
  const logits = tf.add(tf.matMul(images as tf.Tensor2D, w), network.state["norm/mean"]!);
  return { logits, features: images, updates: {} };
}

const MODEL = { name: "linear", classes: 3, layers: [], norms: [] } as unknown as Model;

function network(seed: number): NetworkTensors {
  const wave = (shape: number[]) =>
    tf.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(1.7 * i + seed)), shape);
  return {
    params: { "dense/weight": wave([2, 3]), "dense/input_quantizer/step_size": tf.scalar(0.1 * seed) },
    state: { "norm/mean": wave([3]) },
  };
}

const IMAGES = [[1, 2], [-1, 0.5], [0.3, -2], [2, 1]];

function cr(options: Record<string, unknown> = {}): Method {
  return createMethod({ name: "cr", options });
}

function position(step: number, changes: Partial<StepPosition> = {}): StepPosition {
  return { seed: 0, step, stepsPerEpoch: 100, epochs: 20, ...changes };
}

function inputs(weight: number, alpha = 0.5): Record<string, Tensor> {
  return { crWeight: tf.tensor1d([weight]), crAlpha: tf.tensor1d([alpha]) };
}

function lossOf(options: { student: NetworkTensors; memory: Record<string, Tensor>; weight: number; labels?: Tensor }) {
  const views = [tf.tensor2d(IMAGES), tf.tensor2d(IMAGES)];
  const labels = options.labels ?? oneHot(tf.tensor1d([0, 1, 2, 1], "int32"), 3);
  const { student, memory, weight } = options;
  const given = { model: MODEL, quantization: null, teacher: null, student, memory, views, labels, forward };
  return cr().loss({ ...given, inputs: inputs(weight) });
}

/** softmax of each row in float64. */
function softmax(logits: number[][]): number[][] {
  return logits.map((row) => {
    const exps = row.map(Math.exp), sum = exps.reduce((a, b) => a + b);
    return exps.map((value) => value / sum);
  });
}

function logitsOf({ params, state }: NetworkTensors): number[][] {
  const w = params["dense/weight"]!.arraySync() as number[][], mean = state["norm/mean"]!.arraySync() as number[];
  return IMAGES.map((x) => mean.map((m, c) => m + x[0]! * w[0]![c]! + x[1]! * w[1]![c]!));
}

function assertClose(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} instead of ${expected}`);
}

Deno.test("rampedWeight() is Mean Teacher's ramp: exp(-5), exp(-5/4), 1", () => {
  for (const [epoch, expected] of [[0, 0.0067379], [2.5, 0.2865048], [5, 1], [7, 1]] as const) {
    assertClose(rampedWeight(epoch, { weight: 1, rampEpochs: 5 }), expected, 5e-8);
    assertClose(rampedWeight(epoch, { weight: 3, rampEpochs: 5 }), 3 * expected, 2e-7);
  }
  assert.equal(rampedWeight(0, { weight: 2, rampEpochs: 0 }), 2);
});

Deno.test("averagingFactor() is 1/2 in the first step and bound by alpha from t = 999 on", () => {
  assert.equal(averagingFactor(1, 0.999), 0.5);
  assert.equal(averagingFactor(2, 0.999), 1 - 1 / 3);
  assert.equal(averagingFactor(998, 0.999), 1 - 1 / 999);
  assert.ok(averagingFactor(998, 0.999) < 0.999);
  assert.equal(averagingFactor(999, 0.999), 0.999);
  assert.equal(averagingFactor(5000, 0.999), 0.999);
  assert.equal(averagingFactor(5000, 0), 0);
});

Deno.test("stepInputs() of CR counts epochs with fractions; a ramp takes at most half the run", () => {
  const at = (step: number, changes?: Partial<StepPosition>) => {
    const { crWeight, crAlpha } = cr().stepInputs!(position(step, changes), MODEL);
    return [crWeight![0]!, crAlpha![0]!];
  };
  assertClose(at(0)[0]!, 0.0067379, 5e-8);
  assertClose(at(250)[0]!, 0.2865048, 5e-8); // 2.5 of 5 epochs
  assert.equal(at(500)[0], 1);
  // 4 epochs: the ramp takes 2
  assertClose(at(100, { epochs: 4 })[0]!, 0.2865048, 5e-8);
  assert.equal(at(200, { epochs: 4 })[0], 1);
  assert.deepEqual([at(0)[1], at(998)[1], at(1999)[1]], [0.5, Math.fround(0.999), Math.fround(0.999)]);
});

testOnEngines("CR's teacher starts as a copy of the student that does not follow it", () => {
  const student = network(1), memory = cr().initialMemory!(MODEL, student);
  const expected = Array.from(student.params["dense/weight"]!.dataSync());
  assert.deepEqual(Object.keys(memory).sort(), [
    "teacher/params/dense/input_quantizer/step_size",
    "teacher/params/dense/weight",
    "teacher/state/norm/mean",
  ]);
  tf.dispose(Object.values(student.params));
  assert.deepEqual(Array.from(memory["teacher/params/dense/weight"]!.dataSync()), expected);
  tf.dispose([...Object.values(memory), ...Object.values(student.state)]);
});

testOnEngines("CR's teacher stays at alpha 1, is the student at alpha 0, and lies between in between", () => {
  tf.tidy(() => {
    const student = network(1), memory = cr().initialMemory!(MODEL, network(2));
    const own = { ...student.params, ...student.state };
    for (const alpha of [1, 0, 0.75]) {
      const updated = cr().afterUpdate!({ memory, student, inputs: inputs(1, alpha) });
      assert.deepEqual(Object.keys(updated).sort(), Object.keys(memory).sort());
      for (const [path, tensor] of Object.entries(updated)) {
        const before = memory[path]!, target = own[path.replace(/^teacher\/(params|state)\//, "")]!.dataSync();
        assert.deepEqual(tensor.shape, before.shape);
        const expected = before.dataSync().map((value, i) => alpha * value + (1 - alpha) * target[i]!);
        if (alpha !== 0.75) assert.deepEqual(tensor.dataSync(), expected, `${path} at ${alpha}`);
        else tensor.dataSync().forEach((value, i) => assertClose(value, expected[i]!, 1e-6));
      }
    }
  });
});

testOnEngines("CR's teacher keeps zero points to the bit, whatever the averaging factor", () => {
  tf.tidy(() => {
    const zeros = tf.range(0, 256), student = { params: {}, state: { "conv/weight_quantizer/zero_point": zeros } };
    let memory = cr().initialMemory!(MODEL, student);
    for (const t of [1, 2, 3, 6, 10, 57, 333, 998, 999, 5000]) {
      memory = cr().afterUpdate!({ memory, student, inputs: inputs(1, averagingFactor(t, 0.999)) });
      const kept = memory["teacher/state/conv/weight_quantizer/zero_point"]!;
      assert.deepEqual(kept.dataSync(), zeros.dataSync(), `t = ${t}`);
    }
  });
});

testOnEngines("CR's consistency gradient in the logits is w (p_s - p_t) / B", () => {
  tf.tidy(() => {
    const weight = 0.7, student = network(1), memory = cr().initialMemory!(MODEL, network(2));
    // every logit gets its own parameter; without labels there is no cross-entropy
    const gradient = tf.grad((logits: Tensor) => {
      const views = [tf.tensor2d(IMAGES), tf.tensor2d(IMAGES)], labels = tf.zeros([4, 3]);
      const split = (options: ForwardOptions) =>
        options.network === student ? { logits, features: logits, updates: {} } : forward(options);
      const given = { model: MODEL, quantization: null, teacher: null, student, memory, views, labels };
      return cr().loss({ ...given, inputs: inputs(weight), forward: split }).loss;
    })(tf.tensor2d(logitsOf(student)));
    const ours = softmax(logitsOf(student)), theirs = softmax(logitsOf(network(2)));
    (gradient.arraySync() as number[][]).forEach((row, i) =>
      row.forEach((value, c) => assertClose(value, weight * (ours[i]![c]! - theirs[i]![c]!) / IMAGES.length, 1e-6))
    );
  });
});

testOnEngines("CR's loss is CE + w KL(teacher || student), in float64 closed form", () => {
  tf.tidy(() => {
    const student = network(1), memory = cr().initialMemory!(MODEL, network(2));
    const { loss, metrics } = lossOf({ student, memory, weight: 0.7 });
    const ours = softmax(logitsOf(student)), theirs = softmax(logitsOf(network(2)));
    const task = [0, 1, 2, 1].reduce((sum, label, i) => sum - Math.log(ours[i]![label]!) / 4, 0);
    const terms = theirs.flatMap((row, i) => row.map((p, c) => p * Math.log(p / ours[i]![c]!) / 4));
    const consistency = terms.reduce((a, b) => a + b);
    assert.ok(consistency > 0.05);
    assertClose(metrics["taskLoss"]!.dataSync()[0]!, task, 1e-6);
    assertClose(metrics["consistencyLoss"]!.dataSync()[0]!, consistency, 1e-6);
    assertClose(loss.dataSync()[0]!, task + 0.7 * consistency, 2e-6);
  });
});

testOnEngines("CR's loss with equal teacher and equal views is pure cross-entropy", () => {
  tf.tidy(() => {
    const student = network(1), memory = cr().initialMemory!(MODEL, student);
    const { loss, metrics } = lossOf({ student, memory, weight: 100 });
    assertClose(metrics["consistencyLoss"]!.dataSync()[0]!, 0, 1e-7);
    assertClose(loss.dataSync()[0]!, metrics["taskLoss"]!.dataSync()[0]!, 1e-5);
  });
});

testOnEngines(
  "CR trains the student on the first view and asks the averaged teacher, at inference, about the second",
  () => {
    tf.tidy(() => {
      const student = network(1), memory = cr().initialMemory!(MODEL, network(2)), passes: unknown[] = [];
      const views: Tensor[] = [tf.tensor2d(IMAGES), tf.neg(tf.tensor2d(IMAGES))], labels = tf.zeros([4, 3]);
      const spy = (options: ForwardOptions) => {
        const { network, images, training, quantized } = options;
        passes.push([network === student, views.indexOf(images), training, quantized]);
        if (network !== student) assert.equal(network.params["dense/weight"], memory["teacher/params/dense/weight"]);
        return forward(options);
      };
      const given = { model: MODEL, quantization: null, teacher: null, student, memory, views, labels };
      cr().loss({ ...given, inputs: inputs(1), forward: spy });
      assert.deepEqual(passes, [[true, 0, true, true], [false, 1, false, true]]);
    });
  },
);

Deno.test("CR refuses options out of range, by name", () => {
  assert.throws(
    () => cr({ alpha: 1.5 }),
    /^InputError: Cannot use the options \{"alpha":1\.5\} of method cr: alpha .*<=1$/,
  );
  assert.throws(
    () => cr({ rump: 1 }),
    /^InputError: Cannot use method cr's option "rump" as it is not known.*: choose one of .*\balpha\b/,
  );
});
