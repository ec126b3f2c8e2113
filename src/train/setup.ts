/** Everything that stays constant during a run, checked before anything is computed, and the tensors of its first step. */
import { dirname } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { type Checkpoint, networkSha256, type Origin } from "../checkpoint/checkpoint.ts";
import { openNetwork } from "../checkpoint/open_network.ts";
import { stepsPerEpoch } from "../data/batches.ts";
import { chooseLabelled, type LabelledSplit, splitTraining } from "../data/splits.ts";
import type { Dataset } from "../data/types.ts";
import type { Engine } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import { createMethod } from "../methods/mod.ts";
import { OWN_PARAMETERS } from "../methods/types.ts";
import { initialise, type NetworkData } from "../nn/initialise.ts";
import type { Model, ModelQuantization } from "../nn/types.ts";
import { stream } from "../random/stream.ts";
import { runId } from "../record/spec.ts";
import type { TrainRequest } from "../record/trainer.ts";
import { leavesUnder } from "../tree.ts";
import { inputStatistics, withQuantizers } from "./calibration.ts";
import { networkOf, requireRevision, testIndices } from "./quantization.ts";
import type { TrainingTensors } from "./step.ts";
import type { StepSource } from "./step_inputs.ts";
import { toTensors, zerosLike } from "./tensors.ts";

/** Everything that stays constant during a run. */
export interface Setup extends StepSource {
  readonly request: TrainRequest;
  /** Null: full precision. */
  readonly quantization: ModelQuantization | null;
  /** The images whose accuracy counts: of the test set, or held out of the training set. */
  readonly evaluated: { readonly split: Dataset["test"]; readonly indices: Uint32Array };
  /** Number of steps of the whole run. */
  readonly steps: number;
  /** Network that the run starts from; null: initial values. */
  readonly teacher: NetworkData | null;
  readonly origin: Origin;
}

/** @throws {InputError} If method, quantizer, images and teacher of the spec do not fit together. */
export async function setUp(request: TrainRequest): Promise<Setup> {
  const { spec, dataset } = request;
  const method = createMethod(spec.method);
  requireRevision(spec.quantization);
  const { model, quantization } = networkOf(spec, dataset);
  if (method.quantized !== (quantization !== null)) {
    throw new InputError(
      `Cannot run method ${method.name} ${quantization ? "with" : "without"} a quantizer: ` +
        `${method.quantized ? "give the run bits and a quantizer" : "full precision takes none"}`,
    );
  }
  const { training, heldOut } = splitTraining(dataset.train, spec.dataset);
  const { labelled: indices, unlabelled } = labelledParts(request, training);
  if ((method.unlabelledRatio ?? 0) > 0 && unlabelled.length === 0) {
    throw new InputError(
      `Cannot run method ${method.name} with unlabelled images as every training image has its label: give the data set ` +
        "a labelledFraction, or the method unlabelledRatio 0",
    );
  }
  const checkpoint = request.teacherCheckpoint === null ? null : await openTeacher(request.teacherCheckpoint, {
    ...request,
    model,
  });
  if (method.usesTeacher && checkpoint === null) {
    throw new InputError(`Cannot run method ${method.name} without a teacher run`);
  }
  // an epoch has the steps of all training images, whatever part of them has labels: equal fractions, equal budgets
  const perEpoch = stepsPerEpoch(training.length, spec.recipe.batchSize);
  return {
    request,
    spec,
    dataset,
    model,
    method,
    quantization,
    indices,
    unlabelled,
    evaluated: spec.dataset.evaluateOn === "heldOut"
      ? { split: dataset.train, indices: heldOut }
      : { split: dataset.test, indices: testIndices(spec.dataset, dataset) },
    stepsPerEpoch: perEpoch,
    steps: perEpoch * spec.recipe.epochs,
    teacher: checkpoint && {
      params: leavesUnder(checkpoint.tensors, "params/"),
      state: leavesUnder(checkpoint.tensors, "state/"),
    },
    origin: {
      runId: runId(spec),
      dataSha256: dataset.sha256,
      ...(checkpoint === null ? {} : { teacherSha256: networkSha256(checkpoint.tensors) }),
    },
  };
}

function labelledParts({ spec, dataset }: TrainRequest, indices: Uint32Array): LabelledSplit {
  const fraction = spec.dataset.labelledFraction;
  if (fraction === undefined) return { labelled: indices, unlabelled: new Uint32Array() };
  return chooseLabelled(dataset.train, { indices, classes: dataset.classes, fraction, seed: spec.seed });
}

/** A run that is to start from a teacher. */
export interface TeacherRequest extends Pick<TrainRequest, "spec" | "teacherRecord" | "dataset"> {
  readonly model: Model;
}

/**
 * The checkpoint of the finished run that a run starts from.
 * @throws {InputError} If `openNetwork` refuses it, or it is of another model.
 */
export async function openTeacher(path: string, request: TeacherRequest): Promise<Checkpoint> {
  const { teacherRecord = null, dataset, model } = request, id = request.spec.teacher ?? "none";
  // without its checkpoint alone the teacher would still count as done
  const instead = `delete the folder ${dirname(path)} to train the teacher again`;
  const purpose = `Cannot start from teacher ${id}`;
  const checkpoint = await openNetwork(path, {
    id,
    record: teacherRecord,
    dataSha256: dataset.sha256,
    purpose,
    instead,
  });
  const missing = model.layers.find((layer) => !checkpoint.tensors[`params/${layer.path}/weight`]);
  if (missing === undefined) return checkpoint;
  throw new InputError(
    `${purpose} as the checkpoint "${path}" has no weight for layer "${missing.path}" of ${model.name}: ` +
      `restore that file, or ${instead}`,
  );
}

/** All tensors of a run before its first step. */
export function startTensors(
  engine: Engine,
  setup: Pick<Setup, "spec" | "model" | "method" | "quantization" | "dataset" | "indices" | "teacher">,
): TrainingTensors {
  const { spec, model, method, quantization } = setup;
  let network = setup.teacher ?? initialise(model, spec.seed);
  if (quantization) network = calibrated(engine, network, { ...setup, quantization });
  const own = Object.entries(method.ownParameters?.(model, spec.seed) ?? {});
  const ofNetwork = toTensors(network.params), state = toTensors(network.state);
  const memory = method.initialMemory?.(model, { params: ofNetwork, state }) ?? {};
  const params = { ...ofNetwork, ...Object.fromEntries(own.map(([path, tensor]) => [OWN_PARAMETERS + path, tensor])) };
  return { params, velocity: zerosLike(params), state, memory };
}

function calibrated(
  engine: Engine,
  network: NetworkData,
  setup: Pick<Setup, "spec" | "model" | "dataset" | "indices"> & { readonly quantization: ModelQuantization },
): NetworkData {
  const { spec, dataset, model, indices, quantization } = setup;
  const count = Math.min(spec.quantization!.calibrationExamples, indices.length);
  const order = stream({ seed: spec.seed, purpose: "calibration" }).permutation(indices.length);
  const size = dataset.imageShape.reduce((product, dim) => product * dim, 1);
  const bytes = new Int32Array(count * size);
  for (let i = 0; i < count; i++) {
    const image = indices[order[i]!]!;
    bytes.set(dataset.train.images.subarray(image * size, (image + 1) * size), i * size);
  }
  const images = tf.tensor(bytes, [count, ...dataset.imageShape], "int32");
  const tensors = { params: toTensors(network.params), state: toTensors(network.state) };
  const inputs = inputStatistics(engine, model, { network: tensors, images, scale: dataset, quantization });
  tf.dispose([images, tensors.params, tensors.state] as unknown as Tensor[]);
  return withQuantizers(network, model, { quantization, inputs });
}
