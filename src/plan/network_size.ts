import { createMethod } from "../methods/mod.ts";
import { weightShape } from "../nn/initialise.ts";
import { modelNamed } from "../nn/mod.ts";
import type { RunSpec } from "../record/spec.ts";

const BYTES_PER_VALUE = 4;
/** Parameters, their momentum, and as much again for a method that keeps an average of the network. */
const COPIES = 3;
/** Mean and variance of a batch norm, beside its gamma and beta. */
const VALUES_PER_CHANNEL = 4;

function weightsOf(spec: RunSpec): { readonly layers: number; readonly norms: number } {
  const model = modelNamed(spec.model).build({ classes: 10, imageChannels: 3 });
  const sizes = model.layers.map((layer) => weightShape(layer).reduce((product, size) => product * size, 1));
  return {
    layers: sizes.reduce((sum, size) => sum + size, 0),
    norms: model.norms.reduce((sum, { channels }) => sum + VALUES_PER_CHANNEL * channels, 0),
  };
}

/** Computes the size of a checkpoint of a run, at most, in MiB; quantizers' own few values are left out. */
export function checkpointMiB(spec: RunSpec): number {
  const { layers, norms } = weightsOf(spec);
  return COPIES * BYTES_PER_VALUE * (layers + norms) / 2 ** 20;
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

/** Computes the work of training on one image, in a unit that compares networks and methods on one data set. */
export function trainingWork(spec: RunSpec): number {
  return weightsOf(spec).layers * trainingPasses(spec);
}
