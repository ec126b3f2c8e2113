/** The network of a run, ready to be measured. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { splitTraining } from "../data/splits.ts";
import type { Dataset } from "../data/types.ts";
import type { Engine } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import { createMethod } from "../methods/mod.ts";
import type { NetworkTensors } from "../methods/types.ts";
import { modelNamed } from "../nn/mod.ts";
import type { RunRecord } from "../record/record.ts";
import type { RunSpec } from "../record/spec.ts";
import { readCheckpoint } from "../checkpoint/checkpoint.ts";
import { mismatchOf } from "../checkpoint/mismatch.ts";
import { networkSha256 } from "../checkpoint/network_digest.ts";
import type { Position } from "../train/position.ts";
import { quantizationOf } from "../train/quantization.ts";
import { trainingTensors } from "../train/tensors.ts";
import { identityQuantization } from "./probed.ts";
import type { Subject } from "./types.ts";

/** What a run's spec says of the network that it left. */
export function subjectOf(spec: RunSpec, services: { engine: Engine; dataset: Dataset }): Subject {
  const { dataset } = services;
  const model = modelNamed(spec.model).build({ classes: dataset.classes, imageChannels: dataset.imageShape[2] });
  return {
    ...services,
    model,
    quantization: quantizationOf(model, spec.quantization) ?? identityQuantization(model),
    trainingIndices: splitTraining(dataset.train, spec.dataset).training,
    testIndices: Uint32Array.from({ length: spec.dataset.testExamples ?? dataset.test.count }, (_, i) => i),
  };
}

/** A network's tensors, and how to free them. */
export interface OpenNetwork {
  /** The one that an evaluation sees, which for some methods is an average. */
  readonly network: NetworkTensors;
  /** The one that training updated. */
  readonly trained: NetworkTensors;
  /** Of its checkpoint, as in the run's record. */
  readonly sha256: string;
  dispose(): void;
}

/**
 * The network that a checkpoint holds.
 * @param epoch After which the checkpoint was kept; left out: the last.
 * @throws {InputError} If there is no such file, or it is damaged, or not of the training that the record tells of.
 */
export async function openNetwork(path: string, record: RunRecord, epoch?: number): Promise<OpenNetwork> {
  const { id, spec } = record, remedy = "restore that file, or train that run again";
  const checkpoint = await readCheckpoint<Position>(path, remedy);
  if (!checkpoint) {
    throw new InputError(`Cannot measure run ${id} as its checkpoint ${path} is not there: ${remedy}`);
  }
  const why = mismatchOf(checkpoint, { id, record, ...(epoch === undefined ? {} : { epoch }) });
  if (why !== null) throw new InputError(`Cannot measure run ${id} as the checkpoint ${path} is ${why}: ${remedy}`);
  const training = trainingTensors(checkpoint.tensors);
  const { params, state } = createMethod(spec.method).evaluated?.(training, training.memory) ?? training;
  return {
    network: { params, state },
    trained: { params: training.params, state: training.state },
    sha256: networkSha256(checkpoint.tensors),
    dispose: () => tf.dispose(training as unknown as Tensor[]),
  };
}
