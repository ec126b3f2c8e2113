/** CR's three consistency losses: against PyTorch float64, and what must hold of each of them. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { cosineDistance, klDivergence, squaredDistance } from "../../src/methods/losses.ts";
import { testOnEngines } from "../support/engines.ts";
import { goldenJson, relativeDistance } from "../support/golden.ts";

type Listed = { shape: number[]; values: number[] };
type Case = { student: Listed; target: Listed; value: number; gradient: Listed };

const GOLDEN = goldenJson<Record<"kl" | "mse" | "cosine", Case>>("consistency.json");
const LOSSES = { kl: klDivergence, mse: squaredDistance, cosine: cosineDistance } as const;

function tensor({ shape, values }: Listed): Tensor {
  return tf.tensor(values, shape, "float32");
}

function valueAndGradient(name: keyof typeof LOSSES, student: Tensor, target: Tensor) {
  const { value, grad } = tf.valueAndGrad((x: Tensor) => LOSSES[name](x, target) as tf.Scalar)(student);
  return { value: value.dataSync()[0]!, gradient: grad.dataSync() };
}

for (const name of ["kl", "mse", "cosine"] as const) {
  testOnEngines(`consistency ${name} and its gradient equal PyTorch float64`, (engine) => {
    const golden = GOLDEN[name], student = tensor(golden.student), target = tensor(golden.target);
    const { value, gradient } = valueAndGradient(name, student, target);
    assert.ok(Math.abs(value / golden.value - 1) < 1e-5, `${value} is not ${golden.value}`);
    const distance = relativeDistance(gradient, golden.gradient.values);
    assert.ok(distance < 1e-5, `the gradient is off by ${distance}`);
    const compiled = engine.compile(({ student, target }: { student: Tensor; target: Tensor }) => ({
      value: LOSSES[name](student, target),
    }));
    const again = compiled({ student, target }).value.dataSync()[0]!;
    assert.ok(Math.abs(again / golden.value - 1) < 1e-5, `compiled: ${again} is not ${golden.value}`);
    compiled.dispose();
  });

  testOnEngines(`consistency ${name} of equal student and teacher is 0, with gradient 0`, () => {
    const target = tensor(GOLDEN[name].target), { value, gradient } = valueAndGradient(name, target, target);
    assert.ok(Math.abs(value) < 1e-6, `${value}`);
    assert.ok(gradient.every((each) => Math.abs(each) < 1e-6), `${gradient}`);
  });

  testOnEngines(
    `consistency ${name} stays finite, with finite gradients, on logits or features up to 1e4 and on zeros`,
    () => {
      const extreme = tf.tensor2d([[1e4, -1e4, 0], [0, 0, 0], [-1e4, -1e4, -1e4], [1e-20, 0, 0]]);
      for (const target of [extreme, tf.reverse(extreme, 1), tf.zerosLike(extreme)]) {
        const { value, gradient } = valueAndGradient(name, extreme, target);
        assert.ok(Number.isFinite(value) && gradient.every(Number.isFinite), `${value}: ${gradient}`);
      }
    },
  );
}
