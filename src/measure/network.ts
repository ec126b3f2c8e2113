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
import { runId, type RunSpec } from "../runs/spec.ts";
import { readCheckpoint } from "../train/checkpoint.ts";
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
  readonly network: NetworkTensors;
  dispose(): void;
}

/**
 * The network that a checkpoint holds: the one that an evaluation sees, which for some methods is an average.
 * @throws {InputError} If there is no such file, or it is damaged, or of another run.
 */
export async function openNetwork(path: string, spec: RunSpec): Promise<OpenNetwork> {
  const checkpoint = await readCheckpoint<Position>(path);
  if (!checkpoint) {
    throw new InputError(
      `Cannot measure run ${runId(spec)} as its checkpoint ${path} is not there: delete its folder and run it again`,
    );
  }
  if (checkpoint.position.runId !== runId(spec)) {
    throw new InputError(
      `Cannot measure run ${runId(spec)} as the checkpoint ${path} is of run ${checkpoint.position.runId}: ` +
        "delete its folder and run it again",
    );
  }
  const training = trainingTensors(checkpoint.tensors);
  const { params, state } = createMethod(spec.method).evaluated?.(training, training.memory) ?? training;
  return { network: { params, state }, dispose: () => tf.dispose(training as unknown as Tensor[]) };
}
