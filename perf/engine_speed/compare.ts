/** A training step on engine wasm and by plain ops of tfjs on the same backend, in turns. */
import "@tensorflow/tfjs-backend-wasm"; // for its side effect: it registers tfjs's kernels
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { openWasmEngine } from "../../src/engine/wasm/engine.ts";
import { createMethod } from "../../src/methods/mod.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import type { RunSpec } from "../../src/record/spec.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import { startTensors } from "../../src/train/setup.ts";
import { type StepInputs, type StepOutputs, trainingStep } from "../../src/train/step.ts";
import { stepInputs } from "../../src/train/step_inputs.ts";
import type { Dataset } from "../../src/data/types.ts";
import { FIRST_LAST_BITS } from "../../src/plan/grid_specs.ts";
import { processSeconds } from "../peers/processes.ts";
import { median } from "../peers/result.ts";
import { kernelsOfTfjs, PLAIN, registerPlainBackend } from "./plain_kernels.ts";

/** Options of the measurement. */
export interface SpeedOptions {
  readonly dataset: Dataset;
  readonly model: string;
  /** Bits of LSQ's weights and inputs; null: full precision. */
  readonly bits: number | null;
  readonly batch: number;
  /** Steps of each side, after one that does not count. */
  readonly rounds: number;
}

/** Results of the measurement; seconds are processor time. */
export interface Speed {
  readonly model: string;
  readonly batch: number;
  readonly rounds: number;
  readonly secondsPerStep: { readonly ours: number; readonly plain: number };
  /** Plain ops over ours: the median of the rounds' ratios, the lowest and the highest. */
  readonly ratio: { readonly median: number; readonly lowest: number; readonly highest: number };
  /**
   * Losses of the first step. Both sides have the same but for float error, which flips some roundings at random weights.
   */
  readonly losses: { readonly ours: number; readonly plain: number };
  /** Between the updates of the first step: the norm of the difference over that of plain ops. */
  readonly updateDistance: number;
}

function specOf({ model, bits, batch }: SpeedOptions): RunSpec {
  return {
    schema: 1,
    protocol: "smoke",
    arm: "speed",
    method: { name: bits === null ? "fp" : "qat", options: {} },
    model,
    dataset: { name: "synthetic", trainExamples: null, heldOut: 0, testExamples: null, evaluateOn: "test" },
    quantization: bits === null ? null : {
      quantizer: "lsq",
      weightBits: bits,
      activationBits: bits,
      firstLastBits: FIRST_LAST_BITS,
      calibrationExamples: batch,
    },
    recipe: {
      version: 1,
      epochs: 1,
      batchSize: batch,
      learningRate: 0.01,
      momentum: 0.9,
      weightDecay: 5e-4,
      warmupEpochs: 0,
      augmentation: "none",
    },
    seed: 0,
    engine: "wasm",
    teacher: null,
  };
}

/** Measures both sides, each from the same start in every round. */
export async function compareWasm(options: SpeedOptions): Promise<Speed> {
  const { dataset, batch, rounds } = options, own = kernelsOfTfjs(), engine = await openWasmEngine();
  await registerPlainBackend(own);
  const spec = specOf(options), method = createMethod(spec.method);
  const model = modelNamed(spec.model).build({ classes: dataset.classes, imageChannels: dataset.imageShape[2] });
  const quantization = quantizationOf(model, spec.quantization);
  const indices = Uint32Array.from({ length: dataset.train.count }, (_, i) => i);
  const start = { spec, model, method, quantization, dataset, indices, teacher: null };
  const training = startTensors(engine, start), none = { params: {}, state: {} };
  const stepsPerEpoch = Math.floor(indices.length / batch), unlabelled = new Uint32Array();
  const source = { spec, dataset, model, method, indices, unlabelled, stepsPerEpoch };
  const inputs = stepInputs(source, 0, { training, teacher: none });
  const program = trainingStep({ ...spec.recipe, model, quantization, method, scale: dataset });
  const compiled = engine.compile<StepInputs, StepOutputs>(program);
  const sides = {
    ours: () => compiled(inputs),
    plain: () => {
      void tf.setBackend(PLAIN); // synchronous, as the backend exists
      return tf.tidy(() => program(inputs) as unknown as tf.TensorContainer) as unknown as StepOutputs;
    },
  };
  const given = new Set(tensorsOf(inputs));
  function timed(side: keyof typeof sides): { seconds: number; loss: number; update: number[] } {
    const before = processSeconds(), outputs = sides[side](), loss = outputs.metrics["loss"]!.dataSync()[0]!;
    const seconds = processSeconds() - before;
    const { velocity } = outputs.training;
    const update = Object.keys(velocity).sort().flatMap((path) => Array.from(velocity[path]!.dataSync()));
    for (const tensor of tensorsOf(outputs)) if (!given.has(tensor)) tensor.dispose();
    return { seconds, loss, update };
  }
  const first = { ours: timed("ours"), plain: timed("plain") };
  const times = Array.from({ length: rounds }, () => ({ ours: timed("ours").seconds, plain: timed("plain").seconds }));
  const ratios = times.map(({ ours, plain }) => plain / ours);
  await tf.setBackend("wasm");
  for (const tensor of tensorsOf(inputs)) tensor.dispose();
  return {
    model: spec.model,
    batch,
    rounds,
    secondsPerStep: { ours: median(times.map(({ ours }) => ours)), plain: median(times.map(({ plain }) => plain)) },
    ratio: { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) },
    losses: { ours: first.ours.loss, plain: first.plain.loss },
    updateDistance: distance(first.ours.update, first.plain.update),
  };
}

function distance(actual: readonly number[], expected: readonly number[]): number {
  return norm(expected.map((value, i) => actual[i]! - value)) / norm(expected);
}

function norm(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

function tensorsOf(tree: unknown): Tensor[] {
  if (tree instanceof tf.Tensor) return [tree];
  return Object.values(tree as Record<string, unknown>).flatMap(tensorsOf);
}
