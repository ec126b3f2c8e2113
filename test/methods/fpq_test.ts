import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../../src/engine/ops.ts";
import { createMethod } from "../../src/methods/mod.ts";
import { channelDistance } from "../../src/methods/standardisation.ts";
import type { ForwardOptions, LossInputs, Method, StepPosition } from "../../src/methods/types.ts";
import { ModelBuilder } from "../../src/nn/builder.ts";
import type { Model } from "../../src/nn/types.ts";
import { testOnEngines } from "../support/engines.ts";

/** A model of which only the layers count: two convolutions, a depthwise one, and a dense layer. */
function layeredModel(): Model {
  const builder = new ModelBuilder(), channels = { inChannels: 4, outChannels: 4, inputSigned: false };
  for (const path of ["first", "second"]) builder.layer(path, { ...channels, kernelSize: 3 });
  builder.layer("third", { ...channels, kind: "depthwise", kernelSize: 3 });
  builder.layer("classifier", { ...channels, kind: "dense" });
  const forward = () => assert.fail("the tests give their own forward pass");
  return { name: "layers", classes: 4, layers: builder.layers, norms: [], forward };
}

const MODEL = layeredModel();

function at(step: number, seed = 5): StepPosition {
  return { seed, step, stepsPerEpoch: 100, epochs: 20 };
}

function fpq(options: Record<string, unknown>): Method {
  return createMethod({ name: "fpq", options });
}

/** A loss on the layers' `values`: what SFP makes of them, by layer, in units of the step size. */
function perturbed(method: Method, position: StepPosition, values: Tensor): Map<string, Tensor> {
  const seen = new Map<string, Tensor>(), scale = tf.scalar(0.25), logits = tf.zeros([1, 4]);
  const inputs = Object.fromEntries(
    Object.entries(method.stepInputs!(position, MODEL)).map(([name, list]) => [name, tf.tensor1d(list, dtypeOf(list))]),
  );
  const forward = ({ hooks }: ForwardOptions) => {
    for (const layer of MODEL.layers) {
      const input = { values, scale }, after = hooks?.input?.(layer, input) ?? input;
      assert.equal(after.scale, scale, "the step size is untouched: the noise is in units of it");
      seen.set(layer.path, after.values);
    }
    return { logits, features: logits, updates: {} };
  };
  method.loss({ ...nothing(), inputs, views: [values], labels: oneHot(tf.tensor1d([0], "int32"), 4), forward });
  return seen;
}

function dtypeOf(list: Float32Array | Int32Array): "float32" | "int32" {
  return list instanceof Int32Array ? "int32" : "float32";
}

function nothing(): Omit<LossInputs, "views" | "labels" | "forward"> {
  const network = { params: {}, state: {} };
  return { model: MODEL, quantization: null, student: network, teacher: null, memory: {}, inputs: {} };
}

function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}

/** Correlation of two lists, in units of its standard deviation under independence, 1 / sqrt(n). */
function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [ma, mb] = [mean(a), mean(b)];
  let product = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; i++) {
    product += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return Math.sqrt(a.length) * product / Math.sqrt(aa * bb);
}

testOnEngines("SFP's noise is U[-1/2, 1/2) of a step: mean 0, variance 1/12, independent by layer and step", () => {
  tf.tidy(() => {
    const method = fpq({ probability: 1, csdWeight: 0 }), zeros = tf.zeros([16, 16, 16, 4]), n = zeros.size;
    const drawn = [0, 1].flatMap((step) => {
      const seen = perturbed(method, at(step), zeros);
      return ["first", "second", "third"].map((path) => Array.from(seen.get(path)!.dataSync()));
    });
    for (const noise of drawn) {
      assert.ok(Math.min(...noise) >= -0.5 && Math.max(...noise) < 0.5);
      assert.ok(Math.min(...noise) < -0.499 && Math.max(...noise) > 0.499);
      const standardError = Math.sqrt(1 / 12 / n);
      assert.ok(Math.abs(mean(noise)) < 4 * standardError, `mean ${mean(noise)}`);
      const variance = mean(noise.map((value) => value * value));
      assert.ok(Math.abs(12 * variance - 1) < 0.02, `variance ${variance}`);
    }
    for (let i = 0; i < drawn.length; i++) {
      for (let j = 0; j < i; j++) {
        const r = correlation(drawn[i]!, drawn[j]!);
        assert.ok(Math.abs(r) < 4, `noise ${i} and ${j} correlate by ${r} standard deviations`);
      }
    }
  });
});

testOnEngines("SFP leaves a layer that is not drawn, and the dense layer always, as they are to the bit", () => {
  tf.tidy(() => {
    const values = tf.tensor(Float32Array.from({ length: 90 }, (_, i) => Math.sin(1.7 * i)), [1, 3, 3, 10]);
    const before = Array.from(values.dataSync()), method = fpq({ probability: 0.5, csdWeight: 0 });
    const kinds = { on: 0, off: 0 };
    for (let step = 0; step < 12; step++) {
      const active = method.stepInputs!(at(step), MODEL)["sfpActive"]!, seen = perturbed(method, at(step), values);
      MODEL.layers.forEach(({ path, kind }, i) => {
        const after = Array.from(seen.get(path)!.dataSync());
        const on = kind !== "dense" && active[i] === 1;
        on ? assert.notDeepEqual(after, before) : assert.deepEqual(after, before, `${path} at step ${step}`);
        if (kind !== "dense") kinds[on ? "on" : "off"]++;
        else assert.equal(seen.get(path), values);
      });
    }
    assert.ok(kinds.on > 5 && kinds.off > 5, JSON.stringify(kinds));
  });
});

testOnEngines("SFP passes the gradient through to the values, whether drawn or not", () => {
  tf.tidy(() => {
    const method = fpq({ probability: 0.5, csdWeight: 0 }), x = tf.ones([1, 2, 2, 3]), weight = tf.range(1, 13);
    const dx = tf.grad((x: Tensor) => {
      const noisy = [...perturbed(method, at(1), x).values()];
      return tf.sum(tf.mul(tf.reshape(tf.addN(noisy), [12]), weight));
    })(x);
    assert.deepEqual(Array.from(dx.dataSync()), Array.from({ length: 12 }, (_, i) => 4 * (i + 1))); // four layers
  });
});

Deno.test("SFP draws each layer with probability p, independently of the others", () => {
  const steps = 2000, p = 0.1, method = fpq({});
  const active = MODEL.layers.map(() => [] as number[]);
  for (let step = 0; step < steps; step++) {
    const drawn = method.stepInputs!(at(step), MODEL)["sfpActive"]!;
    active.forEach((list, i) => list.push(drawn[i]!));
  }
  const deviation = Math.sqrt(p * (1 - p) / steps);
  for (const list of active) {
    assert.ok(list.every((value) => value === 0 || value === 1));
    assert.ok(Math.abs(mean(list) - p) < 4 * deviation, `share ${mean(list)}`);
  }
  for (let i = 0; i < active.length; i++) {
    for (let j = 0; j < i; j++) assert.ok(Math.abs(correlation(active[i]!, active[j]!)) < 4);
    // nor does a step tell the next
    assert.ok(Math.abs(correlation(active[i]!.slice(1), active[i]!.slice(0, -1))) < 4);
  }
});

Deno.test("stepInputs() of FPQ is a function of seed and step alone; at p = 0 and p = 1 it is certain", () => {
  const method = fpq({ probability: 0.5 }),
    of = (step: number, seed: number) => method.stepInputs!(at(step, seed), MODEL);
  assert.deepEqual(of(7, 3), of(7, 3));
  const positions = [[7, 3], [8, 3], [7, 4]] as const;
  assert.equal(new Set(positions.map(([step, seed]) => String(of(step, seed)["sfpNoise"]))).size, 3);
  assert.deepEqual(Object.keys(of(0, 0)).sort(), ["sfpActive", "sfpNoise"]);
  assert.deepEqual(fpq({ probability: 0 }).stepInputs!(at(0), MODEL), {});
  for (let step = 0; step < 50; step++) {
    assert.deepEqual([...fpq({ probability: 1 }).stepInputs!(at(step), MODEL)["sfpActive"]!], [1, 1, 1, 1]);
  }
});

testOnEngines("FPQ's loss is cross-entropy + weight CSD, CSD the mean over the layers' outputs", () => {
  tf.tidy(() => {
    const output = (seed: number) =>
      tf.tensor(Float32Array.from({ length: 72 }, (_, i) => Math.sin(1.7 * i + seed)), [2, 3, 3, 4]);
    const outputs = { student: [output(1), output(2)], teacher: [output(3), output(2)] };
    const student = { params: {}, state: {} }, teacher = { params: {}, state: {} }, passes: string[] = [];
    const logits = tf.zeros([2, 4]);
    const forward = ({ network, training, quantized, hooks }: ForwardOptions) => {
      const who = network === teacher ? "teacher" : "student";
      passes.push(`${who} ${training ? "training" : "inference"} ${quantized ? "quantized" : "full precision"}`);
      outputs[who].forEach((y, i) => hooks?.output?.(MODEL.layers[i]!, y));
      return { logits, features: logits, updates: {} };
    };
    const labels = oneHot(tf.tensor1d([0, 3], "int32"), 4);
    const { loss, metrics } = fpq({ probability: 0, csdWeight: 2.5 }).loss({
      ...nothing(),
      student,
      teacher,
      views: [logits],
      labels,
      forward,
    });
    assert.deepEqual(passes, ["student training quantized", "teacher inference full precision"]);
    // the second layer's outputs are equal: its distance is 0
    const csd = channelDistance(output(1), output(3)).dataSync()[0]! / 2;
    assert.ok(csd > 0.1);
    assert.ok(Math.abs(metrics["csdLoss"]!.dataSync()[0]! - csd) < 1e-6);
    assert.ok(Math.abs(loss.dataSync()[0]! - (Math.log(4) + 2.5 * csd)) < 1e-5);
  });
});

testOnEngines("CSD is 0 for equal outputs, and blind to a channel's scale and shift", () => {
  tf.tidy(() => {
    const values = (seed: number) =>
      tf.tensor(Float32Array.from({ length: 216 }, (_, i) => Math.sin(1.7 * i + seed)), [4, 3, 6, 3]);
    const student = values(1), teacher = values(2), distance = channelDistance(student, teacher).dataSync()[0]!;
    assert.equal(channelDistance(student, student).dataSync()[0], 0);
    assert.ok(distance > 0.1);
    // epsilon = 1e-5 beside a variance of 1/2: a scale of 1/3 to 9 changes 1 / sqrt(var + epsilon) by at most 1e-4
    const scale = tf.tensor1d([1 / 3, 2, 9]), shift = tf.tensor1d([-5, 0.5, 20]);
    const moved = (x: Tensor) => tf.add(tf.mul(x, scale), shift);
    assert.ok(channelDistance(student, moved(student)).dataSync()[0]! < 1e-7);
    for (const [a, b] of [[moved(student), teacher], [student, moved(teacher)]] as const) {
      assert.ok(Math.abs(channelDistance(a, b).dataSync()[0]! / distance - 1) < 2e-4);
    }
    // a sign is no scale: it flips the standardised values, so the distance is 4 times their mean square, 1
    assert.ok(Math.abs(channelDistance(student, tf.neg(student)).dataSync()[0]! - 4) < 1e-3);
  });
});
