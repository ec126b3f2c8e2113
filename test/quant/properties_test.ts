/** What holds of every quantizer, on drawn tensors: levels, monotonicity, idempotence, finite gradients. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import fc from "../support/npm/fast_check.ts";
import { leastBits, LIMITED, requireBitsFor } from "../../src/catalog/least_bits.ts";
import { mobilenetV2Narrow } from "../../src/nn/mobilenet_v2.ts";
import { resnet8 } from "../../src/nn/resnet.ts";
import type { Model } from "../../src/nn/types.ts";
import { requireFit } from "../../src/plan/fit.ts";
import { QUANTIZERS } from "../../src/quant/mod.ts";
import { PARAMETERS_IN_STEPS } from "../../src/quant/parameters.ts";
import type { ActivationQuantizer, QuantizerStart, WeightQuantizer } from "../../src/quant/types.ts";
import { stream } from "../../src/random/stream.ts";
import type { RunSpec } from "../../src/record/spec.ts";
import { weightStatistics } from "../../src/train/calibration.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import { testOnEngines } from "../support/engines.ts";
import { tinySpec } from "../support/runs.ts";

const RESNET8 = resnet8.build({ classes: 10, imageChannels: 3 });
const MOBILENET = mobilenetV2Narrow.build({ classes: 10, imageChannels: 3 });

function specOf(quantizer: string, change: Partial<NonNullable<RunSpec["quantization"]>>): RunSpec["quantization"] {
  return { ...tinySpec("qat").quantization!, quantizer, ...change };
}

/** x̂ of an activation, as the layers compute it. */
function activated(quantizer: ActivationQuantizer, x: Tensor, own: Record<string, Tensor>): Tensor {
  const { values, scale } = quantizer.quantizeScaled(tf.mul(x, quantizer.inverseStep(own, x.size)), own);
  return scale ? tf.mul(values, scale) : values;
}

/** The start values as tensors; an activation's are scalars. */
function ownOf({ params, constants }: QuantizerStart, kind: "weight" | "activation"): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries({ ...params, ...constants }).map((
      [name, values],
    ) => [name, kind === "weight" ? tf.tensor1d(values) : tf.scalar(values[0]!)]),
  );
}

/** What calibration would see of `values`, behind a relu where the activation is unsigned. */
function startOf(quantizer: ActivationQuantizer, values: readonly number[], signed: boolean): QuantizerStart {
  const seen = signed ? values : values.map((value) => Math.max(value, 0));
  const meanAbsolute = seen.reduce((sum, value) => sum + Math.abs(value), 0) / seen.length;
  const sample = quantizer.startsFromValues ? { values: Float32Array.from(seen) } : {};
  return quantizer.start({
    min: [Math.min(...seen)],
    max: [Math.max(...seen)],
    meanAbsolute: [meanAbsolute],
    ...sample,
  });
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  const largest = Math.max(...Array.from(expected, Math.abs));
  for (let i = 0; i < expected.length; i++) {
    assert.ok(Math.abs(actual[i]! - expected[i]!) <= 1e-5 * largest, `${actual[i]} is not ${expected[i]}`);
  }
}

/** Distinct values, those within float32's rounding of each other counted once. */
function distinct(values: ArrayLike<number>): number {
  const sorted = Array.from(values).sort((a, b) => a - b), span = sorted.at(-1)! - sorted[0]!;
  return sorted.filter((value, i) => i === 0 || value - sorted[i - 1]! > 1e-5 * span).length;
}

const anyFloat = fc.float({ noNaN: true, min: Math.fround(-1e6), max: Math.fround(1e6) });
const anyValues = fc.array(anyFloat, { minLength: 2, maxLength: 64 });
const anyBits = fc.integer({ min: 1, max: 8 });
const RUNS = { numRuns: 25, seed: 1 };

/** Whether w enters a weight by its size relative to the layer alone: then quantizing twice is not quantizing once. */
const RENORMALISES = ["dorefa", "pact"];

for (const quantizer of QUANTIZERS) {
  testOnEngines(
    `${quantizer.name} activation: at most 2^b levels, monotone, and idempotent at fixed parameters, signed or not`,
    () => {
      fc.assert(
        fc.property(anyValues, anyBits, fc.boolean(), (values, bits, signed) => {
          tf.tidy(() => {
            const made = quantizer.activation({ bits, signed });
            const own = ownOf(startOf(made, values, signed), "activation");
            const sorted = tf.tensor1d([...values].sort((a, b) => a - b)), once = activated(made, sorted, own);
            const y = once.dataSync();
            assert.ok(distinct(y) <= 2 ** bits, `${distinct(y)} levels with ${bits} bits`);
            for (let i = 1; i < y.length; i++) assert.ok(y[i]! >= y[i - 1]!);
            // behind a relu a level below 0, which LSQ+ may have, would be cut at 0 the second time
            if (signed || Math.min(...y) >= 0) assertClose(activated(made, once, own).dataSync(), y);
          });
        }),
        RUNS,
      );
    },
  );

  testOnEngines(
    `${quantizer.name} weight: at most 2^b integers a channel, monotone in each channel, idempotent at fixed parameters`,
    () => {
      const pairs = fc.array(fc.tuple(anyFloat, anyFloat), { minLength: 2, maxLength: 32 });
      fc.assert(
        fc.property(pairs, anyBits, (rows, bits) => {
          tf.tidy(() => {
            // two channels, each in rising order
            const columns = [0, 1].map((i) => rows.map((row) => row[i]!).sort((a, b) => a - b));
            const weight = tf.transpose(tf.tensor2d(columns)), made = quantizer.weight({ bits, signed: true });
            const own = ownOf(made.start(weightStatistics(weight.dataSync() as Float32Array, 2)), "weight");
            const once = made.apply(weight, own), y = once.dataSync(), levels = made.levels(weight, own).dataSync();
            for (const channel of [0, 1]) {
              const of = (values: ArrayLike<number>) => Array.from(values).filter((_, i) => i % 2 === channel);
              const integers = of(levels), rounded = of(y);
              assert.ok(integers.every(Number.isInteger));
              assert.ok(Math.max(...integers) - Math.min(...integers) < 2 ** bits);
              for (let i = 1; i < rounded.length; i++) assert.ok(rounded[i]! >= rounded[i - 1]!);
            }
            if (!RENORMALISES.includes(quantizer.name)) assertClose(made.apply(once, own).dataSync(), y);
          });
        }),
        RUNS,
      );
    },
  );
}

/** The least mean (x - x̂)² over grids {-s, s}: s = mean |x|. */
function bestSigns(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;
  return values.reduce((sum, value) => sum + (Math.abs(value) - mean) ** 2, 0) / values.length;
}

/** Mean (x - x̂)² at the start, and how many values become 0. */
function startError(made: WeightQuantizer, values: readonly number[]): { error: number; zeros: number } {
  return tf.tidy(() => {
    const weight = tf.tensor2d(values.map((value) => [value]));
    const own = ownOf(made.start(weightStatistics(weight.dataSync() as Float32Array, 1)), "weight");
    const rounded = Array.from(made.apply(weight, own).dataSync());
    const error = rounded.reduce((sum, value, i) => sum + (value - values[i]!) ** 2, 0) / values.length;
    return { error, zeros: rounded.filter((value) => value === 0).length };
  });
}

/** Weights as they are met: normal, uniform, of two sizes, skewed. */
function drawnWeights(): number[][] {
  const draws = stream({ seed: 1, purpose: "synthetic" }), normal = Array.from({ length: 90 }, () => draws.normal());
  return [
    [-1, -0.6, -0.2, 0.2, 0.6, 1],
    normal,
    Array.from({ length: 90 }, (_, i) => (i - 44.5) / 45),
    normal.map((x, i) => i % 9 ? 0.1 * x : x),
    normal.map((x) => 0.5 * x + 0.3),
    normal.map((x) => 1e-3 * x),
  ];
}

/** Names of the quantizers with a grid of 1 bit for such a tensor. */
function able(kind: "weight" | "signedActivation"): string {
  return LIMITED.filter((name) => leastBits(name, kind) === 1).join(", ");
}

for (const quantizer of QUANTIZERS) {
  const least = leastBits(quantizer.name, "weight");

  testOnEngines(`${quantizer.name} weight: no start makes all values 0, and one of 1 bit errs little`, () => {
    for (const values of drawnWeights()) {
      for (let bits = least; bits <= 8; bits++) {
        const { error, zeros } = startError(quantizer.weight({ bits, signed: true }), values);
        assert.ok(zeros < values.length, `${bits} bits make all of ${values.slice(0, 4)} ... zero`);
        if (bits === 1) assert.ok(error <= 2 * bestSigns(values) + 1e-12, `${error} of ${bestSigns(values)}`);
      }
    }
  });

  testOnEngines(`${quantizer.name} activation of both signs keeps both at its least bits`, () => {
    const made = quantizer.activation({ bits: leastBits(quantizer.name, "signedActivation"), signed: true });
    for (const values of drawnWeights().slice(0, 3)) {
      tf.tidy(() => {
        const own = ownOf(startOf(made, values, true), "activation");
        const rounded = Array.from(activated(made, tf.tensor1d(values), own).dataSync());
        assert.ok(Math.min(...rounded) < 0 && Math.max(...rounded) > 0, `${rounded.slice(0, 6)}`);
      });
    }
  });

  if (least > 1) {
    testOnEngines(`${quantizer.name} weight of 1 bit would be far worse than signs, and is refused`, () => {
      const made = quantizer.weight({ bits: 1, signed: true });
      assert.ok(drawnWeights().some((values) => startError(made, values).error > 2 * bestSigns(values)));
      assert.throws(() => quantizationOf(RESNET8, specOf(quantizer.name, { weightBits: 1 })), {
        name: "InputError",
        message:
          `Cannot quantize weights of layer "stage1/block0/conv1" to 1 bit with quantizer ${quantizer.name} as its ` +
          `paper has no such grid around 0: take at least ${least} bits, or quantizer ${able("weight")}`,
      });
    });
  }
}

Deno.test("an activation of both signs and 1 bit is refused where the grid has one side, by layer and when planned", () => {
  const refused = (quantizer: string, model: Model, change: Partial<NonNullable<RunSpec["quantization"]>>) => {
    try {
      quantizationOf(model, specOf(quantizer, change));
      return null;
    } catch (error) {
      return (error as Error).message.replace(/ as its paper.*: take/, ": take");
    }
  };
  const advice = `take at least 2 bits, or quantizer ${able("signedActivation")}`;
  const inner = { activationBits: 1 }, first = { firstLastBits: 1, weightBits: 2 };
  for (const { name } of QUANTIZERS) {
    const hasGrid = leastBits(name, "signedActivation") === 1;
    assert.equal(refused(name, RESNET8, inner), null, name); // behind a relu
    assert.equal(
      refused(name, MOBILENET, inner),
      hasGrid
        ? null
        : 'Cannot quantize activations of both signs of layer "stage2/block0/expand" to 1 bit with quantizer ' +
          `${name}: ${advice}`,
    );
    const spec = { ...tinySpec("qat"), quantization: specOf(name, first) };
    assert.throws(() => requireFit([{ id: "", spec }], () => null), {
      name: "InputError",
      message: /^Cannot quantize /,
    });
  }
  assert.match(refused("pact", RESNET8, first)!, /both signs of layer "stem\/conv" to 1 bit with quantizer pact: take/);
});

Deno.test("a quantizer without a line of least_bits.ts is refused 1 bit, with the file's name, and takes 2", () => {
  for (const kind of ["weight", "signedActivation"] as const) {
    requireBitsFor("unlisted", { kind, bits: 2, where: "resnet8" });
    assert.throws(() => requireBitsFor("unlisted", { kind, bits: 1, where: "resnet8" }), {
      name: "InputError",
      message:
        `Cannot quantize ${kind === "weight" ? "weights" : "activations of both signs"} of resnet8 to 1 bit with ` +
        "quantizer unlisted as src/catalog/least_bits.ts has no line for it: take at least 2 bits, or quantizer " +
        able(kind),
    });
  }
});

/** All gradients of sum(x̂ · upstream), by name. */
function gradients(
  apply: (x: Tensor, own: Record<string, Tensor>) => Tensor,
  x: Tensor,
  { params, constants }: Record<"params" | "constants", Record<string, Tensor>>,
): Record<string, Float32Array> {
  const names = Object.keys(params);
  const upstream = tf.tensor(Float32Array.from({ length: x.size }, (_, i) => i % 2 === 0 ? 1 : -0.5), x.shape);
  const found = tf.grads((x: Tensor, ...learned: Tensor[]) => {
    const own = { ...constants, ...Object.fromEntries(names.map((name, i) => [name, learned[i]!])) };
    return tf.sum(tf.mul(apply(x, own), upstream));
  })([x, ...Object.values(params)]);
  return Object.fromEntries(["x", ...names].map((name, i) => [name, found[i]!.dataSync() as Float32Array]));
}

/** Names of what is not finite. */
function notFinite(found: Record<string, Float32Array>): string[] {
  return Object.keys(found).filter((name) => !found[name]!.every(Number.isFinite));
}

function split(start: QuantizerStart, kind: "weight" | "activation") {
  return {
    params: ownOf({ params: start.params, constants: {} }, kind),
    constants: ownOf({ params: {}, constants: start.constants }, kind),
  };
}

function weightGradients(made: WeightQuantizer, weight: Tensor): Record<string, Float32Array> {
  const start = made.start(weightStatistics(weight.dataSync() as Float32Array, weight.shape.at(-1)!));
  return gradients((w, own) => made.apply(w, own), weight, split(start, "weight"));
}

for (const quantizer of QUANTIZERS) {
  testOnEngines(`${quantizer.name} has finite gradients on zeros, one constant channel, and from 1e-38 to 1e38`, () => {
    for (const value of [0, 1e-38, 1e-30, 1e-18, 1e-6, 1, 1e6, 1e18, 1e30, 1e38]) {
      for (const bits of [1, 2, 4, 8]) {
        tf.tidy(() => {
          const where = `value ${value}, ${bits} bits`;
          const rows = [value, -value, 0.3 * value, -0.7 * value, 0, 0.1 * value];
          const weight = tf.tensor2d(rows.map((x) => [x, value])); // the second channel is constant
          assert.deepEqual(notFinite(weightGradients(quantizer.weight({ bits, signed: true }), weight)), [], where);
          for (const signed of [true, false]) {
            const made = quantizer.activation({ bits, signed }), start = startOf(made, rows, signed);
            const found = gradients(
              (x, own) => activated(made, x, own),
              tf.tensor1d(rows),
              split(start, "activation"),
            );
            assert.deepEqual(notFinite(found), [], `${where}, signed ${signed}`);
          }
        });
      }
    }
  });

  testOnEngines(
    `${quantizer.name} gives its own parameters the same gradients at any scale up to 2^58, in steps those times the scale`,
    () => {
      // ∂x̂/∂s and ∂x̂/∂β do not change when x, s and β grow together; a zero point stays and ∂x̂/∂z grows with s;
      // the fixed grid of DoReFa has no parameter
      const rows = [1, -1, 0.3, -0.7, 0.05, 0.1], made = quantizer.activation({ bits: 4, signed: true });
      const at = (scale: number) =>
        tf.tidy(() => {
          const values = rows.map((x) => x * scale);
          const start = startOf(quantizer.activation({ bits: 4, signed: true }), rows, true);
          const grown = Object.fromEntries(
            Object.entries(start.params).map(([name, list]) => {
              return [name, PARAMETERS_IN_STEPS.includes(name) ? list : list.map((x) => 0.65 * x * scale)];
            }),
          );
          return gradients(
            (x, own) => activated(made, x, own),
            tf.tensor1d(values),
            split({ ...start, params: grown }, "activation"),
          );
        });
      const { x: _, ...expected } = at(1);
      // powers of two, so that every float only moves its exponent; above, the sum of du x overflows and counts as 0
      for (const scale of [2 ** -10, 2 ** 20, 2 ** 58]) {
        const found = at(scale);
        for (const [name, values] of Object.entries(expected)) {
          const growth = PARAMETERS_IN_STEPS.includes(name) ? scale : 1;
          const difference = Math.abs(found[name]![0]! / growth - values[0]!);
          assert.ok(
            difference <= 1e-6 + 1e-5 * Math.abs(values[0]!),
            `${name} at ${scale}: ${found[name]} / ${growth} for ${values}; a parameter in units of the step size ` +
              "belongs in PARAMETERS_IN_STEPS (src/quant/parameters.ts)",
          );
        }
      }
    },
  );
}
