import { orNull } from "../errors.ts";
import { createMethod } from "../methods/mod.ts";
import { weightShape } from "../nn/initialise.ts";
import { modelNamed } from "../nn/mod.ts";
import { layerValues, multiplyAccumulates } from "../nn/multiply_accumulates.ts";
import type { Layer, Model } from "../nn/types.ts";
import type { RunSpec } from "../record/spec.ts";
import { imagesPerEpoch } from "./estimate.ts";
import type { SizesOf } from "./fit.ts";

const BYTES_PER_VALUE = 4;
/** Parameters, their momentum, and as much again for a method that keeps an average of the network. */
const COPIES = 3;
/** Mean and variance of a batch norm, beside its gamma and beta. */
const VALUES_PER_CHANNEL = 4;

function built({ model }: RunSpec): Model {
  return modelNamed(model).build({ classes: 10, imageChannels: 3 });
}

function weightCount(layer: Layer): number {
  return weightShape(layer).reduce((product, size) => product * size, 1);
}

/** Computes the size of a checkpoint of a run, at most, in MiB; quantizers' own few values are left out. */
export function checkpointMiB(spec: RunSpec): number {
  const { layers, norms } = built(spec);
  const values = [...layers.map(weightCount), ...norms.map(({ channels }) => VALUES_PER_CHANNEL * channels)];
  return COPIES * BYTES_PER_VALUE * values.reduce((sum, size) => sum + size, 0) / 2 ** 20;
}

/** A gradient by the weights and one by the inputs, each as much work as a forward pass. */
const BACKWARD = 2;

/**
 * Counts the forward passes that a training step is worth for each labelled image: the student forward and backward, the
 * teacher forward, and a second view. If there is an averaged copy of the network, it sees that view, forward only.
 */
export function trainingPasses({ method }: Pick<RunSpec, "method">): number {
  const { views, usesTeacher, initialMemory, ascend, unlabelledRatio = 0 } = createMethod(method);
  const student = (1 + BACKWARD) * (ascend ? 2 : 1);
  const secondView = views === 1 ? 0 : initialMemory ? 1 : student;
  return (student + secondView + (usesTeacher ? 1 : 0)) * (1 + unlabelledRatio);
}

/**
 * Counts the images that a run trains on, each as often as it sees it, and the passes that each is worth; null: not known,
 * or the options of its method are no longer.
 */
export function trainingCost(spec: RunSpec, sizesOf: SizesOf): { images: number; passes: number } | null {
  const images = imagesPerEpoch(spec, sizesOf);
  return images === null ? null : orNull(() => ({ images: images * spec.recipe.epochs, passes: trainingPasses(spec) }));
}

/**
 * Multiply-accumulates that take as long as all passes over one value of a layer's output (batch norm, activation,
 * quantizer), and as all passes over one weight (quantizer, gradient, update). Fitted to steps of six networks on one core.
 */
const PER_VALUE = 300, PER_WEIGHT = 2000;

/** Computes the work of training on one image, its share of the weights included: multiply-accumulates of all passes. */
export function trainingWork(spec: RunSpec, [height, width]: readonly [number, number, number]): number {
  const model = built(spec), image = { height, width };
  const sum = (count: (layer: Layer) => number) => model.layers.reduce((total, layer) => total + count(layer), 0);
  const values = sum((layer) => layerValues(layer, image)), weights = sum(weightCount) / spec.recipe.batchSize;
  const forward = multiplyAccumulates(model, image) + PER_VALUE * values + PER_WEIGHT * weights;
  return forward * trainingPasses(spec);
}
