import * as tf from "@tensorflow/tfjs-core";
import { endlessBatchAt } from "../data/batches.ts";
import type { Dataset } from "../data/types.ts";
import type { Method } from "../methods/types.ts";
import type { Model } from "../nn/types.ts";
import type { RunSpec } from "../record/spec.ts";
import type { StepInputs } from "./step.ts";

/** Everything that the inputs of a step depend on, beside the step. */
export interface StepSource {
  readonly spec: RunSpec;
  readonly dataset: Dataset;
  readonly model: Model;
  readonly method: Method;
  /** Indices of the training images that have a label. */
  readonly indices: Uint32Array;
  /** Indices of the others, whose label is not used. */
  readonly unlabelled: Uint32Array;
  readonly stepsPerEpoch: number;
}

/** A learning rate over a run. */
export interface ScheduleOptions {
  /** Peak. */
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
}

/**
 * Linear from rate / warmupSteps to the peak over the warm-up, then peak (1 + cos(pi x)) / 2 to 0, x from 0 to 1 over the
 * rest (Loshchilov and Hutter, ICLR 2017, without restarts).
 *
 * @param step From 0.
 */
export function learningRateAt(step: number, { learningRate, warmupSteps, totalSteps }: ScheduleOptions): number {
  if (step < warmupSteps) return learningRate * (step + 1) / warmupSteps;
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  return learningRate * 0.5 * (1 + Math.cos(Math.PI * progress));
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
  const { batchSize, augmentation } = spec.recipe, ratio = method.unlabelledRatio ?? 0;
  const common = {
    split: dataset.train,
    imageShape: dataset.imageShape,
    seed: spec.seed,
    step,
    augmentation,
    views: method.views,
    strongViews: method.strongViews ?? [],
    leaveCrops: true,
  };
  const batch = endlessBatchAt({ ...common, indices: source.indices, batchSize });
  const others = ratio === 0 ? { views: [], crops: [] } : endlessBatchAt({
    ...common,
    indices: source.unlabelled,
    batchSize: ratio * batchSize,
    orderPurpose: "unlabelled_order",
  });
  const plain = method.stepInputs?.({
    seed: spec.seed,
    step,
    stepsPerEpoch: source.stepsPerEpoch,
    epochs: spec.recipe.epochs,
  }, model) ?? {};
  const images = (kind: string, views: readonly Int32Array[]) =>
    views.map((view, i) =>
      [`${kind}${i}`, tf.tensor(view, [view.length / size, ...dataset.imageShape], "int32")] as const
    );
  const cropsOf = (kind: string, crops: readonly (Int32Array | null)[]) =>
    crops.flatMap((crop, i) => crop === null ? [] : [[`${kind}${i}`, tf.tensor(crop, [crop.length / 3, 3], "int32")]]);
  const size = dataset.imageShape.reduce((product, dim) => product * dim, 1);
  return {
    ...carried,
    images: Object.fromEntries([...images("view", batch.views), ...images("unlabelled", others.views)]),
    crops: Object.fromEntries([...cropsOf("view", batch.crops), ...cropsOf("unlabelled", others.crops)]),
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
