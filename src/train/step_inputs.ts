import * as tf from "@tensorflow/tfjs-core";
import { batchAt } from "../data/batches.ts";
import type { Dataset } from "../data/types.ts";
import type { Method } from "../methods/types.ts";
import type { Model } from "../nn/types.ts";
import type { RunSpec } from "../runs/spec.ts";
import { learningRateAt } from "./schedule.ts";
import type { StepInputs } from "./step.ts";

/** What the inputs of a step are a function of, beside the step. */
export interface StepSource {
  readonly spec: RunSpec;
  readonly dataset: Dataset;
  readonly model: Model;
  readonly method: Method;
  /** Indices of the training images. */
  readonly indices: Uint32Array;
  readonly stepsPerEpoch: number;
}

/** The learning rate of a step. */
export function rateAt({ spec, stepsPerEpoch }: Pick<StepSource, "spec" | "stepsPerEpoch">, step: number): number {
  return learningRateAt(step, {
    learningRate: spec.recipe.learningRate,
    warmupSteps: Math.round(spec.recipe.warmupEpochs * stepsPerEpoch),
    totalSteps: stepsPerEpoch * spec.recipe.epochs,
  });
}

/** Batch, method inputs and learning rate of one step: recomputed from the step alone. The caller disposes them. */
export function stepInputs(
  source: StepSource,
  step: number,
  carried: Pick<StepInputs, "training" | "teacher">,
): StepInputs {
  const { spec, dataset, model, method } = source;
  const batch = batchAt({
    split: dataset.train,
    imageShape: dataset.imageShape,
    indices: source.indices,
    seed: spec.seed,
    epoch: Math.floor(step / source.stepsPerEpoch),
    step: step % source.stepsPerEpoch,
    batchSize: spec.recipe.batchSize,
    augmentation: spec.recipe.augmentation,
    views: method.views,
  });
  const plain = method.stepInputs?.({
    seed: spec.seed,
    step,
    stepsPerEpoch: source.stepsPerEpoch,
    epochs: spec.recipe.epochs,
  }, model) ?? {};
  const shape = [spec.recipe.batchSize, ...dataset.imageShape];
  return {
    ...carried,
    images: Object.fromEntries(batch.views.map((view, i) => [`view${i}`, tf.tensor(view, shape, "int32")])),
    labels: tf.tensor1d(batch.labels, "int32"),
    inputs: Object.fromEntries(
      Object.entries(plain).map(([name, values]) => [
        name,
        tf.tensor1d(values, values instanceof Int32Array ? "int32" : "float32"),
      ]),
    ),
    learningRate: tf.scalar(rateAt(source, step)),
  };
}
