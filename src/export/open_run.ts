import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { networkSha256 } from "../checkpoint/checkpoint.ts";
import { openNetwork } from "../checkpoint/open_network.ts";
import type { Dataset } from "../data/types.ts";
import { createMethod } from "../methods/mod.ts";
import type { NetworkTensors } from "../methods/types.ts";
import type { Model, ModelQuantization } from "../nn/types.ts";
import type { RunRecord } from "../record/record.ts";
import { networkOf } from "../train/quantization.ts";
import { trainingTensors } from "../train/tensors.ts";

/** The network of a finished run, as its last evaluation saw it. */
export interface OpenRun {
  readonly model: Model;
  /** Null: full precision. */
  readonly quantization: ModelQuantization | null;
  /** For some methods an average. */
  readonly network: NetworkTensors;
  /** Digest of its checkpoint, as in the run's record. */
  readonly sha256: string;
  dispose(): void;
}

/** @throws {InputError} If the checkpoint is missing, damaged, of another training than the record's, or of other data. */
export async function openRun(checkpoint: string, record: RunRecord, dataset: Dataset): Promise<OpenRun> {
  const { tensors } = await openNetwork(checkpoint, {
    id: record.id,
    record,
    dataSha256: dataset.sha256,
    purpose: `Cannot export run ${record.id}`,
    instead: "train that run again",
  });
  const trained = trainingTensors(tensors);
  const { params, state } = createMethod(record.spec.method).evaluated?.(trained, trained.memory) ?? trained;
  return {
    ...networkOf(record.spec, dataset),
    network: { params, state },
    sha256: networkSha256(tensors),
    dispose: () => tf.dispose(trained as unknown as Tensor[]),
  };
}
