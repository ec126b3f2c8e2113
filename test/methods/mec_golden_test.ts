import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Determinant } from "../../src/methods/coding_length.ts";
import { channelsLength, samplesLength } from "../../src/methods/mec_experts.ts";
import { weightsLength } from "../../src/methods/mec_weights.ts";
import { ModelBuilder } from "../../src/nn/builder.ts";
import { paths } from "../../src/nn/layers.ts";
import type { Layer, Model } from "../../src/nn/types.ts";
import { testOnEngines } from "../support/engines.ts";
import { goldenJson, relativeDistance } from "../support/golden.ts";

type Listed = { shape: number[]; values: number[] };
type Case = {
  over: "channels" | "samples";
  views: 1 | 2;
  determinant: Determinant;
  distortion: number;
  experts: number;
  features: Listed;
  other: Listed | null;
  value: number;
  gradient: Listed;
  scale?: Listed;
  gate?: Listed;
  gateGradient?: Listed;
  imbalance?: number;
};
type Weights = {
  distortion: number;
  value: number;
  layers: { kind: Layer["kind"]; weight: Listed; gradient: Listed }[];
};
const GOLDEN = goldenJson<{ features: Case[]; weights: Weights }>("coding_lengths.json");

/** What float32 keeps of these sums. */
const TOLERANCE = 2e-5;

function tensor({ shape, values }: Listed): Tensor {
  return tf.tensor(values, shape, "float32");
}

function assertNear(name: string, actual: Tensor, expected: readonly number[]): void {
  const distance = relativeDistance(actual.dataSync(), expected);
  assert.ok(distance < TOLERANCE, `${name} is off by ${distance}`);
}

/** The coding length, what is differentiated, and its gradients. */
function measured(golden: Case, inputs: Record<string, Tensor>): Record<string, Tensor> {
  const { over, determinant, distortion, experts } = golden, other = inputs["other"] ?? null;
  if (over === "channels") {
    const length = (features: Tensor) =>
      channelsLength({ features, other }, { scale: inputs["scale"]!, experts, determinant, distortion });
    const { value, grad } = tf.valueAndGrad((features: Tensor) => length(features) as tf.Scalar)(inputs["features"]!);
    return { value, gradient: grad };
  }
  const parts = (features: Tensor, gate: Tensor) =>
    samplesLength({ features, other }, { gate, determinant, distortion });
  const [gradient, gateGradient] = tf.grads((features: Tensor, gate: Tensor) => {
    const { length, imbalance } = parts(features, gate);
    return tf.sub(length, tf.mul(imbalance, 0.5));
  })([inputs["features"]!, inputs["gate"]!]);
  const { length, imbalance } = parts(inputs["features"]!, inputs["gate"]!);
  return { value: length, imbalance, gradient: gradient!, gateGradient: gateGradient! };
}

for (const golden of GOLDEN.features) {
  const { over, views, determinant, features: { shape } } = golden;
  const title = `${shape.join(" x ")}, experts over ${over}, ${views} view${views > 1 ? "s" : ""}, ${determinant}`;
  testOnEngines(`MEC's coding length and its gradients equal PyTorch float64: ${title}`, (engine) => {
    const inputs = {
      features: tensor(golden.features),
      ...(golden.other ? { other: tensor(golden.other) } : {}),
      ...(golden.scale ? { scale: tensor(golden.scale) } : {}),
      ...(golden.gate ? { gate: tensor(golden.gate) } : {}),
    };
    const program = (tensors: Record<string, Tensor>) => measured(golden, tensors), compiled = engine.compile(program);
    for (const run of [compiled, program]) {
      const found: Record<string, Tensor> = run(inputs);
      assertNear("the length", found["value"]!, [golden.value]);
      assertNear("its gradient", found["gradient"]!, golden.gradient.values);
      if (golden.gateGradient) {
        assertNear("the imbalance", found["imbalance"]!, [golden.imbalance!]);
        assertNear("the gate's gradient", found["gateGradient"]!, golden.gateGradient.values);
      }
    }
    compiled.dispose();
  });
}

testOnEngines("MEC's coding length of weights and its gradients equal PyTorch float64 for every kind of layer", () => {
  const { layers, distortion, value } = GOLDEN.weights, builder = new ModelBuilder();
  const made = layers.map(({ kind, weight: { shape } }, i) => {
    const [inChannels, outChannels] = kind === "depthwise" ? [shape[2]!, shape[2]!] : [shape.at(-2)!, shape.at(-1)!];
    return builder.layer(`layer${i}`, { kind, inChannels, outChannels, inputSigned: false });
  });
  const model = { layers: builder.layers } as unknown as Model;
  const length = (...weights: Tensor[]) =>
    weightsLength(model, {
      params: Object.fromEntries(made.map((layer, i) => [paths.weight(layer), weights[i]!])),
      distortion,
    });
  const weights = layers.map(({ weight }) => tensor(weight));
  assertNear("the length", length(...weights), [value]);
  const gradients = tf.grads(length)(weights);
  layers.forEach(({ kind, gradient }, i) => {
    assert.deepEqual(gradients[i]!.shape, gradient.shape);
    assertNear(`the gradient of the ${kind} weight`, gradients[i]!, gradient.values);
  });
});

Deno.test("every form of MEC's coding length has golden values, wider and taller than its batch", () => {
  const found = new Set(
    GOLDEN.features.map(({ over, views, determinant, features: { shape } }) =>
      `${over} ${views} ${determinant} ${shape[0]! > shape[1]!}`
    ),
  );
  assert.equal(found.size, 2 * 2 * (3 + 2)); // two divisions, two shapes; two views have no exact determinant
});
