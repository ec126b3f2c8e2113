import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { drawBatch, inPass, viewOf } from "../data/batches.ts";
import type { Dataset } from "../data/types.ts";
import type { Method } from "../methods/types.ts";
import type { Model } from "../nn/types.ts";
import type { RunSpec } from "../record/spec.ts";
import { type Leaves, mapTree } from "../tree.ts";
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

/** Values that tensors are made of. */
export type TensorValues = Float32Array | Int32Array;

/** Plain inputs of one step, by name as in `StepInputs`. */
export interface StepValues {
  /** Bytes of images that were made here, [batch, h, w, c]. */
  readonly images: Leaves<Int32Array>;
  /** Places in the training images of those that were not, [batch]. Views of the same images share one array. */
  readonly places: Leaves<Int32Array>;
  /** [batch, 3]. */
  readonly crops: Leaves<Int32Array>;
  readonly labels: Int32Array;
  readonly inputs: Leaves<TensorValues>;
  readonly learningRate: number;
}

/**
 * Batch, method inputs and learning rate of one step: recomputed from the step alone.
 * @param leaveImages True: images are not copied where their places and crops say everything.
 */
export function stepValues(source: StepSource, step: number, leaveImages: boolean): StepValues {
  const { spec, dataset, model, method } = source, { batchSize, augmentation } = spec.recipe;
  const images: Record<string, Int32Array> = {}, places: typeof images = {}, crops: typeof images = {};
  const strongViews = method.strongViews ?? [];
  /** Draws the images whose names begin with `kind`; returns their labels. */
  function draw(kind: string, indices: Uint32Array, size: number, orderPurpose: "order" | "unlabelled_order") {
    const at = inPass({
      ...{ split: dataset.train, imageShape: dataset.imageShape, seed: spec.seed, step, augmentation },
      ...{ views: method.views, strongViews, leaveCrops: true, indices, batchSize: size, orderPurpose },
    });
    const drawn = drawBatch(at);
    drawn.crops.forEach((crop, view) => {
      const name = `${kind}${view}`;
      if (leaveImages && !strongViews.includes(view)) places[name] = drawn.indices;
      else images[name] = viewOf(at, drawn.indices, view);
      if (crop !== null) crops[name] = crop;
    });
    return drawn.labels;
  }
  const labels = draw("view", source.indices, batchSize, "order"), ratio = method.unlabelledRatio ?? 0;
  if (ratio > 0) draw("unlabelled", source.unlabelled, ratio * batchSize, "unlabelled_order");
  const at = { seed: spec.seed, step, stepsPerEpoch: source.stepsPerEpoch, epochs: spec.recipe.epochs };
  const inputs = method.stepInputs?.(at, model) ?? {};
  return { images, places, crops, labels, inputs, learningRate: rateAt(source, step) };
}

/** The inputs of one step as tensors; the caller disposes them. */
export function stepInputs(
  source: StepSource,
  step: number,
  carried: Pick<StepInputs, "training" | "teacher">,
): StepInputs {
  const { images, crops, labels, inputs, learningRate } = stepValues(source, step, false);
  const ints = (leaves: Leaves<Int32Array>, shape: readonly number[]) =>
    mapTree<Int32Array, Tensor>(
      leaves,
      (values) => tf.tensor(values, [values.length / sizeOf(shape), ...shape], "int32"),
    ) as Leaves<Tensor>;
  return {
    ...carried,
    images: ints(images, source.dataset.imageShape),
    crops: ints(crops, [3]),
    labels: tf.tensor1d(labels, "int32"),
    inputs: mapTree<TensorValues, Tensor>(
      inputs,
      (values) => tf.tensor1d(values, values instanceof Int32Array ? "int32" : "float32"),
    ) as Leaves<Tensor>,
    learningRate: tf.scalar(learningRate),
  };
}

/** The number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}
