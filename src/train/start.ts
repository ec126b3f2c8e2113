/** How a run begins: from initial values, from its full-precision teacher, or from its own checkpoint. */
import { dirname } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import type { Dataset } from "../data/types.ts";
import type { Engine } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import { type Method, OWN_PARAMETERS } from "../methods/types.ts";
import { initialise, type NetworkData } from "../nn/initialise.ts";
import type { Model, ModelQuantization } from "../nn/types.ts";
import { stream } from "../random/stream.ts";
import type { RunSpec } from "../record/spec.ts";
import type { TrainRequest } from "../record/trainer.ts";
import { leavesUnder } from "../tree.ts";
import { inputStatistics, withQuantizers } from "./calibration.ts";
import { readCheckpoint } from "../checkpoint/checkpoint.ts";
import { mismatchOf } from "../checkpoint/mismatch.ts";
import type { Position } from "./position.ts";
import type { TrainingTensors } from "./step.ts";
import { toTensors, zerosLike } from "./tensors.ts";

/** What a run starts from. */
export interface StartOptions {
  readonly spec: RunSpec;
  readonly model: Model;
  readonly method: Method;
  readonly quantization: ModelQuantization | null;
  readonly dataset: Dataset;
  /** Indices of the training images. */
  readonly indices: Uint32Array;
  /** What the run starts from; null: initial values. */
  readonly teacher: NetworkData | null;
}

/** A run that is to start, and where its teacher's network is. */
export interface TeacherRequest extends Pick<TrainRequest, "spec" | "teacherRecord"> {
  readonly model: Model;
}

/**
 * The network of the finished run that a run starts from.
 * @throws {InputError} If the file is not there, damaged, of another run or model, of another training than the teacher's
 * record tells of, or of a run that is not finished.
 */
export async function readTeacherNetwork(
  path: string,
  { spec, teacherRecord, model }: TeacherRequest,
): Promise<NetworkData> {
  // without its checkpoint alone the teacher would still count as done
  const remedy = `restore that file, or delete the folder ${dirname(path)} to train the teacher again`;
  const checkpoint = await readCheckpoint<Position>(path, remedy);
  if (!checkpoint) throw new InputError(`Cannot start from the checkpoint "${path}" as it is not there: ${remedy}`);
  const why = mismatchOf(checkpoint, { id: spec.teacher ?? "none", record: teacherRecord ?? null });
  if (why !== null) {
    throw new InputError(
      `Cannot start from the checkpoint "${path}" of teacher ${spec.teacher ?? "none"} as it is ${why}: ${remedy}`,
    );
  }
  const params = leavesUnder(checkpoint.tensors, "params/"), state = leavesUnder(checkpoint.tensors, "state/");
  const missing = model.layers.find((layer) => !params[`${layer.path}/weight`]);
  if (missing) {
    throw new InputError(
      `Cannot start from the checkpoint "${path}" as it has no weight for layer "${missing.path}" of ${model.name}: ` +
        remedy,
    );
  }
  return { params, state };
}

/** All tensors of a run before its first step. */
export function startTensors(engine: Engine, options: StartOptions): TrainingTensors {
  const { spec, model, method, quantization } = options;
  let network = options.teacher ?? initialise(model, spec.seed);
  if (quantization) network = calibrated(engine, network, { ...options, quantization });
  const own = Object.entries(method.ownParameters?.(model, spec.seed) ?? {});
  const ofNetwork = toTensors(network.params), state = toTensors(network.state);
  const memory = method.initialMemory?.(model, { params: ofNetwork, state }) ?? {};
  const params = { ...ofNetwork, ...Object.fromEntries(own.map(([path, tensor]) => [OWN_PARAMETERS + path, tensor])) };
  return { params, velocity: zerosLike(params), state, memory };
}

function calibrated(
  engine: Engine,
  network: NetworkData,
  options: StartOptions & { quantization: ModelQuantization },
): NetworkData {
  const { spec, dataset, model } = options;
  const count = Math.min(spec.quantization!.calibrationExamples, options.indices.length);
  const order = stream({ seed: spec.seed, purpose: "calibration" }).permutation(options.indices.length);
  const size = dataset.imageShape.reduce((product, dim) => product * dim, 1);
  const bytes = new Int32Array(count * size);
  for (let i = 0; i < count; i++) {
    const image = options.indices[order[i]!]!;
    bytes.set(dataset.train.images.subarray(image * size, (image + 1) * size), i * size);
  }
  const images = tf.tensor(bytes, [count, ...dataset.imageShape], "int32");
  const tensors = { params: toTensors(network.params), state: toTensors(network.state) };
  const { quantization } = options;
  const inputs = inputStatistics(engine, model, { network: tensors, images, scale: dataset, quantization });
  tf.dispose([images, tensors.params, tensors.state] as unknown as tf.Tensor[]);
  return withQuantizers(network, model, { quantization, inputs });
}
