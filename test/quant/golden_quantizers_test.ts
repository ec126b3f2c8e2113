import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { quantizerNamed, QUANTIZERS } from "../../src/quant/mod.ts";
import type { QuantizerStart, TensorStatistics } from "../../src/quant/types.ts";
import { weightStatistics } from "../../src/train/calibration.ts";
import { testOnEngines } from "../support/engines.ts";
import { goldenJson, relativeDistance } from "../support/golden.ts";

type Listed = { shape: number[]; values: number[] };
type Case = {
  quantizer: string;
  kind: "activation" | "weight";
  bits: number;
  signed: boolean;
  x: Listed;
  upstream: Listed;
  start: Record<string, Listed>;
  own: Record<string, Listed>;
  output: Listed;
  gradients: Record<string, Listed>;
};
const GOLDEN = goldenJson<{ quantizers: Case[] }>("quantizers.json").quantizers;
// the other start of LSQ+ has the same forward pass and gradients; without a sample of the values both start from the range
const CASES = GOLDEN.concat(
  GOLDEN.filter(({ quantizer }) => quantizer === "lsq_plus").map((golden) => ({
    ...golden,
    quantizer: "lsq_plus_range",
  })),
);

function tensor({ shape, values }: Listed): Tensor {
  return tf.tensor(values, shape, "float32");
}

/** What calibration sees of an activation: behind the relu, where it is unsigned. */
function inputStatistics({ x, signed }: Case): TensorStatistics {
  const seen = signed ? x.values : x.values.map((value) => Math.max(value, 0));
  const meanAbsolute = seen.reduce((sum, value) => sum + Math.abs(value), 0) / seen.length;
  return { min: [Math.min(...seen)], max: [Math.max(...seen)], meanAbsolute: [meanAbsolute] };
}

/** x̂ as a function of x and the quantizer's own tensors, as the layers compute it. */
function quantize(golden: Case, x: Tensor, own: Record<string, Tensor>): Tensor {
  const { quantizer, kind, bits, signed } = golden, made = quantizerNamed(quantizer);
  if (kind === "weight") return made.weight({ bits, signed: true }).apply(x, own);
  const activation = made.activation({ bits, signed });
  const { values, scale } = activation.quantizeScaled(tf.mul(x, activation.inverseStep(own, x.size)), own);
  return scale ? tf.mul(values, scale) : values;
}

function startOf(golden: Case): QuantizerStart {
  const { quantizer, kind, bits, signed, x } = golden, made = quantizerNamed(quantizer);
  return kind === "activation"
    ? made.activation({ bits, signed }).start(inputStatistics(golden))
    : made.weight({ bits, signed: true }).start(weightStatistics(Float32Array.from(x.values), x.shape.at(-1)!));
}

function assertNear(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  const distance = relativeDistance(actual, expected);
  assert.ok(distance < tolerance, `${name} is off by ${distance}`);
}

for (const golden of CASES) {
  const title = `${golden.quantizer} ${golden.kind}, ${golden.bits} bit${golden.signed ? ", signed" : ""}`;

  Deno.test(`${title}: start values equal PyTorch float64`, () => {
    const { params, constants } = startOf(golden), start = { ...params, ...constants };
    assert.deepEqual(Object.keys(start).sort(), Object.keys(golden.start).sort());
    for (const [name, { values }] of Object.entries(golden.start)) assertNear(name, start[name]!, values, 1e-6);
  });

  // 1e-5: what float32 keeps of sums over 240 elements; golden inputs keep 1e-3 of a step from every edge
  testOnEngines(`${title}: output and all gradients equal PyTorch float64, compiled and eager`, (engine) => {
    const names = Object.keys(golden.gradients).filter((name) => name !== "x");
    const program = (inputs: { x: Tensor; upstream: Tensor; own: Record<string, Tensor> }) => {
      const learned = names.map((name) => inputs.own[name]!);
      const apply = (x: Tensor, ...tensors: Tensor[]) =>
        quantize(golden, x, { ...inputs.own, ...Object.fromEntries(names.map((name, i) => [name, tensors[i]!])) });
      const output = apply(inputs.x, ...learned);
      const [dx, ...rest] = tf.grads((x: Tensor, ...tensors: Tensor[]) =>
        tf.sum(tf.mul(apply(x, ...tensors), inputs.upstream))
      )([inputs.x, ...learned]);
      return { output, x: dx!, ...Object.fromEntries(names.map((name, i) => [name, rest[i]!])) };
    };
    const inputs = {
      x: tensor(golden.x),
      upstream: tensor(golden.upstream),
      own: Object.fromEntries(Object.entries(golden.own).map(([name, listed]) => [name, tensor(listed)])),
    };
    const compiled = engine.compile(program);
    for (const run of [compiled, program]) {
      const results: Record<string, Tensor> = run(inputs);
      assertNear("the output", results["output"]!.dataSync(), golden.output.values, 1e-6);
      for (const [name, { shape, values }] of Object.entries(golden.gradients)) {
        assert.deepEqual(results[name]!.shape, shape);
        assertNear(`the gradient of ${name}`, results[name]!.dataSync(), values, 1e-5);
      }
    }
    compiled.dispose();
  });
}

Deno.test("every quantizer has golden values of its weights and of signed and unsigned activations", () => {
  const found = new Set(CASES.map(({ quantizer, kind, signed }) => `${quantizer} ${kind} ${signed}`));
  for (const { name } of QUANTIZERS) {
    for (const [kind, signed] of [["activation", false], ["activation", true], ["weight", true]] as const) {
      assert.ok(
        found.has(`${name} ${kind} ${signed}`),
        `quantizer ${name} has no golden values of ${kind}s, signed ${signed}: add it to ` +
          "test/golden/make_golden_quantizers.py",
      );
    }
  }
});
