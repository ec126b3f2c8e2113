import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../../src/engine/ops.ts";
import { codingLength, normaliseRows } from "../../src/methods/coding_length.ts";
import { crossEntropy, klDivergence } from "../../src/methods/losses.ts";
import { channelExperts } from "../../src/methods/mec_experts.ts";
import { channelDistance } from "../../src/methods/standardisation.ts";
import { goldenJson, relativeDistance } from "../support/golden.ts";
import { testOnEngines } from "../support/engines.ts";

type Listed = { shape: number[]; values: number[] };
type Golden =
  & {
    crossEntropy: { logits: Listed; labels: number[]; value: number; gradient: Listed };
    klDivergence: { logits: Listed; target: Listed; value: number; gradient: Listed };
    channelDistance: { student: Listed; teacher: Listed; value: number; gradient: Listed };
  }
  & Record<
    "codingLengthTall" | "codingLengthWide" | "codingLengthExperts",
    { features: Listed; scale: number[]; experts: number; distortion: number; value: number; gradient: Listed }
  >;
const GOLDEN = goldenJson<Golden>("losses.json");

function tensor({ shape, values }: Listed): Tensor {
  return tf.tensor(values, shape, "float32");
}

/** Compares a loss and its gradient with PyTorch's; 1e-5 is what float32 keeps of sums of this length. */
function assertLoss(loss: (x: Tensor) => Tensor, at: Listed, expected: { value: number; gradient: Listed }): void {
  const { value, grad } = tf.valueAndGrad((x: Tensor) => loss(x) as tf.Scalar)(tensor(at));
  assert.ok(
    Math.abs(value.dataSync()[0]! / expected.value - 1) < 1e-5,
    `${value.dataSync()[0]} is not ${expected.value}`,
  );
  const distance = relativeDistance(grad.dataSync(), expected.gradient.values);
  assert.ok(distance < 1e-5, `the gradient is off by ${distance}`);
}

testOnEngines("crossEntropy() equals PyTorch float64", () => {
  const golden = GOLDEN.crossEntropy;
  const labels = oneHot(tf.tensor1d(golden.labels, "int32"), 10);
  assertLoss((logits) => crossEntropy(logits, labels), golden.logits, golden);
});

testOnEngines("klDivergence() equals PyTorch float64", () => {
  const golden = GOLDEN.klDivergence, target = tensor(golden.target);
  assertLoss((logits) => klDivergence(logits, target), golden.logits, golden);
});

testOnEngines("klDivergence() of equal logits is 0, with gradient 0", () => {
  const golden = GOLDEN.klDivergence, target = tensor(golden.target);
  const { value, grad } = tf.valueAndGrad((x: Tensor) => klDivergence(x, target) as tf.Scalar)(target);
  assert.ok(Math.abs(value.dataSync()[0]!) < 1e-6);
  assert.ok(Math.max(...grad.dataSync().map(Math.abs)) < 1e-6);
});

testOnEngines("channelDistance() equals PyTorch float64", () => {
  const golden = GOLDEN.channelDistance, teacher = tensor(golden.teacher);
  assertLoss((student) => channelDistance(student, teacher), golden.student, golden);
});

for (const name of ["codingLengthTall", "codingLengthWide", "codingLengthExperts"] as const) {
  testOnEngines(`codingLength() equals the sum over eigenvalues in PyTorch float64: ${name}`, () => {
    const golden = GOLDEN[name], { experts, distortion } = golden, scale = tf.tensor1d(golden.scale);
    assertLoss(
      (features) => tf.mean(codingLength(normaliseRows(channelExperts(features, { scale, experts })), { distortion })),
      golden.features,
      golden,
    );
  });
}

testOnEngines("channelExperts() puts the channels of largest scale into the first expert", () => {
  const features = tf.tensor2d([[1, 2, 3, 4]]), scale = tf.tensor1d([0.1, 5, 0.2, 4]);
  const blocks = channelExperts(features, { scale, experts: 2 });
  assert.deepEqual(blocks.shape, [2, 1, 2]);
  assert.deepEqual([...blocks.dataSync()], [2, 4, 3, 1]);
});
