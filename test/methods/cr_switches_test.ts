/** CR's switches, each away from its default; the default itself is in cr_test.ts, the losses in consistency_test.ts. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../../src/engine/ops.ts";
import { cosineFactor } from "../../src/methods/averaging.ts";
import { cosineDistance, crossEntropy, klDivergence, squaredDistance } from "../../src/methods/losses.ts";
import { createMethod } from "../../src/methods/mod.ts";
import type { ForwardOptions, LossInputs, Method, NetworkTensors } from "../../src/methods/types.ts";
import type { Model } from "../../src/nn/types.ts";
import { testOnEngines } from "../support/engines.ts";

const MODEL = { name: "linear", classes: 3, layers: [], norms: [] } as unknown as Model;
const WEAK = [[1, 2], [-1, 0.5], [0.3, -2], [2, 1]], OTHER = [[0.5, 1], [-2, 1], [1, 1], [-0.3, 0.2]];

function cr(options: Record<string, unknown> = {}): Method {
  return createMethod({ name: "cr", options });
}

/** Weights w, and a running mean that inference adds to the logits; a batch's own statistics are not modelled. */
function network(seed: number): NetworkTensors {
  const wave = (shape: number[], size: number) =>
    tf.tensor(Float32Array.from({ length: size }, (_, i) => Math.sin(1.7 * i + seed)), shape);
  return { params: { "dense/weight": wave([2, 3], 6) }, state: { "norm/mean": wave([3], 3) } };
}

function forward({ network, images }: ForwardOptions) {
  const features = tf.add(images, 0), w = network.params["dense/weight"] as tf.Tensor2D;
  const logits = tf.add(tf.matMul(features as tf.Tensor2D, w), network.state["norm/mean"]!);
  return { logits, features, updates: {} };
}

interface Ground {
  readonly student?: NetworkTensors;
  readonly weight?: number;
  readonly unlabelled?: Tensor[];
  readonly forward?: LossInputs["forward"];
}

/** The loss on two views of four images, the teacher of another seed. */
function lossOf(options: Record<string, unknown>, ground: Ground = {}) {
  const { student = network(1), weight = 0.7, unlabelled = [] } = ground;
  const method = cr(options), memory = method.initialMemory!(MODEL, network(2));
  const given: LossInputs = {
    model: MODEL,
    quantization: null,
    student,
    teacher: null,
    memory,
    inputs: { crWeight: tf.tensor1d([weight]), crAlpha: tf.tensor1d([0.5]) },
    views: [tf.tensor2d(WEAK), tf.tensor2d(OTHER)],
    unlabelled,
    labels: oneHot(tf.tensor1d([0, 1, 2, 1], "int32"), 3),
    forward: ground.forward ?? forward,
  };
  return { ...method.loss(given), given };
}

function assertClose(actual: number, expected: number, tolerance = 1e-6): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} instead of ${expected}`);
}

Deno.test("cosineFactor() is BYOL's: its start at step 0, half-way in the middle, 1 at the end", () => {
  assert.equal(cosineFactor(0, { start: 0.99, steps: 100 }), 0.99);
  assertClose(cosineFactor(50, { start: 0.99, steps: 100 }), 0.995, 1e-12);
  assertClose(cosineFactor(25, { start: 0.9, steps: 100 }), 1 - 0.1 * (Math.SQRT1_2 + 1) / 2, 1e-12);
  assert.equal(cosineFactor(100, { start: 0.99, steps: 100 }), 1);
});

Deno.test("stepInputs() of CR follows each ramp and each schedule of alpha", () => {
  const at = (options: Record<string, unknown>, step: number) => {
    const { crWeight, crAlpha } = cr(options).stepInputs!({ seed: 0, step, stepsPerEpoch: 100, epochs: 20 }, MODEL);
    return { weight: crWeight![0]!, alpha: crAlpha![0]! };
  };
  // linear over 40 % of 2,000 steps
  const linear = { ramp: "linear", weight: 2 };
  assert.deepEqual([0, 200, 400, 800, 1999].map((step) => at(linear, step).weight), [0, 0.5, 1, 2, 2]);
  assert.deepEqual([0, 1999].map((step) => at({ ramp: "constant", weight: 3 }, step).weight), [3, 3]);
  assertClose(at({ ramp: "sigmoid" }, 0).weight, Math.exp(-5));
  const cosine = { alphaSchedule: "cosine", alpha: 0.99 };
  assertClose(at(cosine, 0).alpha, 0.99);
  assertClose(at(cosine, 1000).alpha, 0.995);
});

Deno.test("CR makes the view strong that `views` says, and none by default", () => {
  assert.deepEqual(
    ["weak_weak", "weak_strong", "strong_weak"].map((views) => cr({ views }).strongViews),
    [[], [1], [0]],
  );
  assert.deepEqual(cr().strongViews, []);
  assert.equal(cr().unlabelledRatio, 0);
});

const DISTANCES = {
  kl: (s: ReturnType<typeof forward>, t: ReturnType<typeof forward>) => klDivergence(s.logits, t.logits),
  mse: (s: ReturnType<typeof forward>, t: ReturnType<typeof forward>) => squaredDistance(s.logits, t.logits),
  cosine: (s: ReturnType<typeof forward>, t: ReturnType<typeof forward>) => cosineDistance(s.features, t.features),
};

for (const consistency of ["kl", "mse", "cosine"] as const) {
  testOnEngines(
    `CR's loss with consistency ${consistency} is CE plus the weighted distance of its own view pair`,
    () => {
      tf.tidy(() => {
        const { loss, metrics } = lossOf({ consistency });
        const own = { training: true, quantized: true };
        const student = forward({ network: network(1), images: tf.tensor2d(WEAK), ...own });
        const teacher = forward({ network: network(2), images: tf.tensor2d(OTHER), ...own });
        const distance = DISTANCES[consistency](student, teacher).dataSync()[0]!;
        assert.ok(distance > 1e-3);
        assertClose(metrics["consistencyLoss"]!.dataSync()[0]!, distance);
        assertClose(loss.dataSync()[0]!, metrics["taskLoss"]!.dataSync()[0]! + 0.7 * distance);
      });
    },
  );
}

testOnEngines("CR's teacher is asked as teacherForward and teacherNorm say, always with its averaged weights", () => {
  const asked = (options: Record<string, unknown>) =>
    tf.tidy(() => {
      const student = network(1), passes: ForwardOptions[] = [];
      const { given } = lossOf(options, { student, forward: (how) => (passes.push(how), forward(how)) });
      const { network: net, training, quantized } = passes[1]!;
      assert.equal(passes[0]!.network, student);
      assert.deepEqual([passes[0]!.training, passes[0]!.quantized], [true, true]);
      assert.equal(net.params["dense/weight"], given.memory["teacher/params/dense/weight"]);
      const averaged = net.state["norm/mean"] === given.memory["teacher/state/norm/mean"];
      return [averaged ? "averaged" : net.state === student.state ? "student" : "?", training, quantized];
    });
  assert.deepEqual(asked({}), ["averaged", false, true]);
  assert.deepEqual(asked({ teacherForward: "full_precision" }), ["averaged", false, false]);
  assert.deepEqual(asked({ teacherNorm: "batch" }), ["averaged", true, true]);
  assert.deepEqual(asked({ teacherNorm: "student" }), ["student", false, true]);
});

testOnEngines("CR's cross-entropy is of the labelled images alone, its consistency of all, in one batch", () => {
  tf.tidy(() => {
    const more = [tf.tensor2d([[3, 1], [0, 1]]), tf.tensor2d([[2, 2], [1, 0]])], batches: number[] = [];
    const { loss, logits, metrics } = lossOf({ unlabelledRatio: 1 }, {
      unlabelled: more,
      forward: (how) => (batches.push(how.images.shape[0]!), forward(how)),
    });
    const how = { training: true, quantized: true };
    const student = forward({ network: network(1), images: tf.concat([tf.tensor2d(WEAK), more[0]!]), ...how });
    const teacher = forward({ network: network(2), images: tf.concat([tf.tensor2d(OTHER), more[1]!]), ...how });
    const own = forward({ network: network(1), images: tf.tensor2d(WEAK), ...how }).logits;
    assert.deepEqual(batches, [6, 6]);
    assert.deepEqual(logits.shape, [4, 3]);
    const task = crossEntropy(own, oneHot(tf.tensor1d([0, 1, 2, 1], "int32"), 3)).dataSync()[0]!;
    const consistency = klDivergence(student.logits, teacher.logits).dataSync()[0]!;
    assertClose(metrics["taskLoss"]!.dataSync()[0]!, task);
    assertClose(metrics["consistencyLoss"]!.dataSync()[0]!, consistency);
    assertClose(loss.dataSync()[0]!, task + 0.7 * consistency);
    assert.notEqual(metrics["consistencyLoss"]!.dataSync()[0]!, lossOf({}).metrics["consistencyLoss"]!.dataSync()[0]!);
  });
});

testOnEngines("an unlabelled image moves CR's student by its consistency alone, none by its label", () => {
  tf.tidy(() => {
    const more = [tf.tensor2d([[3, 1]]), tf.tensor2d([[2, 2]])];
    const gradient = (weight: number, unlabelled: Tensor[]) =>
      tf.grad((w: Tensor) => {
        const student = { ...network(1), params: { "dense/weight": w } };
        return lossOf({}, { student, weight, unlabelled }).loss as tf.Scalar;
      })(network(1).params["dense/weight"]!).dataSync();
    gradient(0, more).forEach((value, i) => assertClose(value, gradient(0, [])[i]!));
    assert.ok(gradient(1, more).some((value, i) => Math.abs(value - gradient(1, [])[i]!) > 1e-3));
  });
});

for (const options of [{}, { consistency: "mse", teacherNorm: "batch" }, { consistency: "cosine" }]) {
  testOnEngines(
    `CR's gradient with unlabelled images is the same compiled and eager, ${JSON.stringify(options)}`,
    (engine) => {
      const w = network(1).params["dense/weight"]!;
      const program = ({ w, a, b }: { w: Tensor; a: Tensor; b: Tensor }) => ({
        gradient: tf.grad((x: Tensor) => {
          const student = { ...network(1), params: { "dense/weight": x } };
          return lossOf(options, { student, unlabelled: [a, b] }).loss as tf.Scalar;
        })(w),
      });
      const given = { w, a: tf.tensor2d([[3, 1], [0, 1]]), b: tf.tensor2d([[2, 2], [1, 0]]) };
      const compiled = engine.compile(program), eager = program(given).gradient.dataSync();
      const result = compiled(given).gradient.dataSync();
      assert.ok(eager.some((value) => Math.abs(value) > 1e-2));
      result.forEach((value, i) => assertClose(value, eager[i]!));
      compiled.dispose();
    },
  );
}

Deno.test("CR refuses switches that it does not have, by name", () => {
  for (
    const [options, said] of [
      [{ consistency: "l1" }, /consistency .*"kl"\|"mse"\|"cosine"$/],
      [{ ramp: 1 }, /ramp .*"sigmoid"\|"linear"\|"constant"$/],
      [{ views: "strong_strong" }, /views .*"weak_weak"\|"weak_strong"\|"strong_weak"$/],
      [{ unlabelledRatio: 0.5 }, /unlabelledRatio /],
    ] as const
  ) {
    assert.throws(() => cr(options), said);
  }
});
