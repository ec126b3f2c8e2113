/** One run, from its spec to its last epoch: resumable at every checkpoint, and then equal to the unbroken one bit for bit. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { stepsPerEpoch } from "../data/batches.ts";
import { chooseLabelled, type LabelledSplit } from "../data/labelled.ts";
import { splitTraining } from "../data/splits.ts";
import type { Dataset } from "../data/types.ts";
import { InputError } from "../errors.ts";
import { createMethod } from "../methods/mod.ts";
import { modelNamed } from "../nn/mod.ts";
import type { Epoch } from "../runs/record.ts";
import { runId } from "../runs/spec.ts";
import { together, type TrainOutcome, type TrainRequest } from "../runs/trainer.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import { Evaluator } from "./evaluation.ts";
import { keepEpoch } from "./kept_epochs.ts";
import { networkSha256 } from "./network_digest.ts";
import { quantizationOf, requireRevision } from "./quantization.ts";
import { advanced, collapsed, crossEntropyOf, type Position } from "./position.ts";
import { resume } from "./resume.ts";
import { readTeacherNetwork, startTensors } from "./start.ts";
import { type StepInputs, type StepOutputs, trainingStep, type TrainingTensors } from "./step.ts";
import { rateAt, stepInputs, type StepSource } from "./step_inputs.ts";
import { checkpointTensors, toTensors, trainingData } from "./tensors.ts";

/** How often a run lets signals in; a step itself cannot be interrupted. */
const LISTEN_EVERY_MS = 200;

/** Everything of a run that does not change while it runs. */
interface Frame extends StepSource {
  readonly request: TrainRequest;
  readonly evaluated: { split: Dataset["test"]; indices: Uint32Array };
  readonly evaluator: Evaluator;
  readonly steps: number;
}

/** Trains, resuming from the folder's checkpoint if there is one. */
export async function trainRun(request: TrainRequest): Promise<TrainOutcome> {
  const { spec, dataset, engine } = request;
  const model = modelNamed(spec.model).build({ classes: dataset.classes, imageChannels: dataset.imageShape[2] });
  const method = createMethod(spec.method);
  requireRevision(spec.quantization);
  const quantization = quantizationOf(model, spec.quantization);
  if (method.quantized !== (quantization !== null)) {
    throw new InputError(
      `Cannot run method ${method.name} ${quantization ? "with" : "without"} a quantizer: ` +
        `${method.quantized ? "give the run bits and a quantizer" : "full precision takes none"}`,
    );
  }
  const { training: images, heldOut } = splitTraining(dataset.train, spec.dataset);
  // an epoch has the steps of all training images, whatever part of them has labels: equal fractions, equal budgets
  const perEpoch = stepsPerEpoch(images.length, spec.recipe.batchSize);
  const { labelled: indices, unlabelled } = labelledParts(request, images);
  if ((method.unlabelledRatio ?? 0) > 0 && unlabelled.length === 0) {
    throw new InputError(
      `Cannot run method ${method.name} with unlabelled images as every training image has its label: give the data set ` +
        "a labelledFraction, or the method unlabelledRatio 0",
    );
  }
  const evaluator = new Evaluator(engine, model, { quantization, scale: dataset });
  const step = engine.compile(trainingStep({ ...spec.recipe, model, quantization, method, scale: dataset }));
  const checkpointPath = `${request.folder}/checkpoint.safetensors`;
  const frame: Frame = {
    request,
    spec,
    dataset,
    model,
    method,
    indices,
    unlabelled,
    evaluated: spec.dataset.evaluateOn === "heldOut"
      ? { split: dataset.train, indices: heldOut }
      : { split: dataset.test, indices: firstIndices(spec.dataset.testExamples ?? dataset.test.count) },
    evaluator,
    stepsPerEpoch: perEpoch,
    steps: perEpoch * spec.recipe.epochs,
  };
  const start = request.teacherCheckpoint === null
    ? null
    : await readTeacherNetwork(request.teacherCheckpoint, { ...request, model });
  const teacherSha256 = start && networkSha256(checkpointTensors(start));
  const origin = {
    runId: runId(spec),
    dataSha256: dataset.sha256,
    ...(teacherSha256 === null ? {} : { teacherSha256 }),
  };
  const resumed = await resume(checkpointPath, origin, request.onNote);
  let training = resumed ? resumed.training : startTensors(engine, {
    spec,
    model,
    method,
    quantization,
    dataset,
    indices,
    teacher: start,
  });
  let teacher: StepInputs["teacher"] = { params: {}, state: {} };
  if (method.usesTeacher) {
    if (start === null) throw new InputError(`Cannot run method ${method.name} without a teacher run`);
    teacher = { params: toTensors(start.params), state: toTensors(start.state) };
  }
  const beginning = { step: 0, sums: {}, curve: [], trainSeconds: 0 };
  let position: Position = { ...(resumed?.position ?? beginning), ...origin, steps: frame.steps };
  const every = request.checkpointEverySteps ?? 250;
  let heard = performance.now();
  /** Metrics of steps that were started, oldest first. */
  const unread: StepOutputs["metrics"][] = [];
  try {
    // the process may have been killed between the checkpoint and the record
    const ended = collapse(frame, position);
    if (ended) return ended;
    /** Since when time is of no step yet: of a step is all but evaluating, saving and listening. */
    let began = performance.now();
    for (let started = position.step; started < frame.steps;) {
      const inputs = stepInputs(frame, started++, { training, teacher });
      const outputs = step(inputs);
      const { training: before, teacher: _, ...own } = inputs;
      tf.dispose([before, own] as unknown as Tensor[]);
      training = outputs.training;
      unread.push(outputs.metrics);
      const endOfEpoch = started % perEpoch === 0;
      const stop = started < frame.steps && (request.shouldStop?.() ?? false);
      const save = endOfEpoch || stop || started % every === 0;
      // reading waits for the device: one step is left unread, so that a GPU has work while the next batch is made
      while (unread.length > (save ? 0 : 1)) {
        const metrics = read(unread.shift()!), now = performance.now();
        position = advanced(position, metrics, (now - began) / 1000);
        began = now;
        report(frame, position, metrics["loss"]!);
        if (!Number.isFinite(metrics["loss"]!)) {
          return outcome(frame, position, {
            status: "diverged",
            reason: `the training loss is ${metrics["loss"]} at step ${position.step} of ${frame.steps}`,
          });
        }
      }
      if (endOfEpoch) position = closeEpoch(frame, position, training);
      if (endOfEpoch && request.keepEpochs) {
        await keepEpoch(request.folder, { training, position: withSpent(frame, position) });
      }
      if (save) {
        await writeCheckpoint(checkpointPath, {
          tensors: trainingData(training),
          position: withSpent(frame, position),
        });
        began = performance.now(); // every step's time has been counted
      }
      const end = endOfEpoch ? collapse(frame, position) : null;
      if (end) return end;
      if (stop) return outcome(frame, position, { status: "stopped", reason: null });
      const now = performance.now();
      if (now - heard > LISTEN_EVERY_MS) {
        await new Promise((resolve) => setTimeout(resolve)); // let timers and signals in
        heard = performance.now();
        began += heard - now;
      }
    }
    const sha256 = networkSha256(trainingData(training));
    return { ...outcome(frame, position, { status: "done", reason: null }), networkSha256: sha256, teacherSha256 };
  } finally {
    tf.dispose([training, teacher, unread] as unknown as Tensor[]);
    step.dispose();
    evaluator.dispose();
  }
}

/** The values of a step's metrics; the tensors are freed. */
function read(metrics: StepOutputs["metrics"]): Record<string, number> {
  const values = Object.fromEntries(Object.entries(metrics).map(([name, scalar]) => [name, scalar.dataSync()[0]!]));
  tf.dispose(metrics);
  return values;
}

function labelledParts({ spec, dataset }: TrainRequest, indices: Uint32Array): LabelledSplit {
  const fraction = spec.dataset.labelledFraction;
  if (fraction === undefined) return { labelled: indices, unlabelled: new Uint32Array() };
  return chooseLabelled(dataset.train, { indices, classes: dataset.classes, fraction, seed: spec.seed });
}

function firstIndices(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => i);
}

/** The end of a run that learns nothing any more; null: it learns. */
function collapse(frame: Frame, position: Position): TrainOutcome | null {
  const { curve } = position;
  if (!collapsed(curve, frame.dataset.classes)) return null;
  const last = curve.at(-1)!;
  return outcome(frame, position, {
    status: "diverged",
    reason: `training collapsed to chance: loss ${crossEntropyOf(last).toFixed(4)}, accuracy ` +
      `${last.trainTop1Percent.toFixed(2)} % in epoch ${curve.length}`,
  });
}

/** The position as a checkpoint holds it: with what this process has spent beside that of earlier ones. */
function withSpent(frame: Frame, position: Position): Position {
  const since = frame.request.spent?.();
  return since ? { ...position, spent: together(position.spent, since) } : position;
}

function report(frame: Frame, position: Position, loss: number): void {
  const { spec, onProgress } = frame.request;
  onProgress?.({
    epoch: Math.ceil(position.step / frame.stepsPerEpoch),
    epochs: spec.recipe.epochs,
    step: position.step,
    steps: frame.steps,
    loss,
    imagesPerSecond: imagesPerSecond(frame, position),
  });
}

function imagesPerSecond(frame: Frame, position: Position): number {
  return position.step * frame.request.spec.recipe.batchSize / Math.max(position.trainSeconds, 1e-9);
}

/** Evaluates, and turns the epoch's sums into a point of the curve. */
function closeEpoch(frame: Frame, position: Position, training: TrainingTensors): Position {
  const { spec, dataset, onEpoch } = frame.request, steps = frame.stepsPerEpoch;
  const { loss, correct, ...own } = position.sums;
  const network = frame.method.evaluated?.(training, training.memory) ?? training;
  const evaluation = frame.evaluator.evaluate(network, frame.evaluated.split, {
    indices: frame.evaluated.indices,
    imageShape: dataset.imageShape,
  });
  const epoch: Epoch = {
    epoch: position.step / steps,
    learningRate: rateAt(frame, position.step - 1),
    trainLoss: loss! / steps,
    trainTop1Percent: 100 * correct! / (steps * spec.recipe.batchSize),
    testLoss: evaluation.loss,
    testTop1Percent: evaluation.top1Percent,
    metrics: Object.fromEntries(Object.entries(own).map(([name, sum]) => [name, sum / steps])),
  };
  onEpoch?.(epoch);
  return { ...position, sums: {}, curve: [...position.curve, epoch] };
}

function outcome(
  frame: Frame,
  position: Position,
  end: Pick<TrainOutcome, "status" | "reason">,
): TrainOutcome {
  const last = position.curve.at(-1);
  return {
    ...end,
    metrics: end.status === "done" && last
      ? { top1Percent: last.testTop1Percent, loss: last.testLoss, ...last.metrics }
      : null,
    curve: position.curve,
    imagesPerSecond: imagesPerSecond(frame, position),
    ...(position.spent ? { spentBefore: position.spent } : {}),
    networkSha256: null,
    teacherSha256: null,
  };
}
