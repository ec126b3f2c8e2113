/** Trees of tensors to plain data and back, as a checkpoint holds them. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { TensorData } from "../nn/initialise.ts";
import { joinLeaves, type Leaves, leavesUnder } from "../tree.ts";
import type { TrainingTensors } from "./step.ts";

const KINDS = ["params", "velocity", "state", "memory"] as const;

/** Leaves as tensors of the current engine; the caller disposes them. */
export function toTensors(leaves: Readonly<Record<string, TensorData>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(leaves).map(([path, { shape, values }]) => [path, tf.tensor(values, [...shape], "float32")]),
  );
}

/** The values of leaves. */
export function toData(leaves: Leaves<Tensor>): Record<string, TensorData> {
  return Object.fromEntries(
    Object.entries(leaves).map(([path, tensor]) => [
      path,
      { shape: tensor.shape, values: tensor.dataSync() as Float32Array },
    ]),
  );
}

/** The values of all of a run's tensors, under `params/`, `velocity/`, `state/` and `memory/`. */
export function trainingData(training: TrainingTensors): Record<string, TensorData> {
  return joinLeaves(Object.fromEntries(KINDS.map((kind) => [kind, toData(training[kind])])));
}

/** Inverse of `trainingData`. */
export function trainingTensors(data: Readonly<Record<string, TensorData>>): TrainingTensors {
  const [params, velocity, state, memory] = KINDS.map((kind) => toTensors(leavesUnder(data, `${kind}/`)));
  return { params: params!, velocity: velocity!, state: state!, memory: memory! };
}

/** Zeros like `leaves`. */
export function zerosLike(leaves: Leaves<Tensor>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(leaves).map(([path, tensor]) => [path, tf.zeros(tensor.shape)]));
}
