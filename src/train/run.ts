/** One run, from its spec to its last epoch: resumable at every checkpoint, and then equal to the unbroken one bit for bit. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { InputError } from "../errors.ts";
import { runId } from "../record/spec.ts";
import { together, type TrainOutcome, type TrainRequest } from "../record/trainer.ts";
import { writeCheckpoint } from "../checkpoint/checkpoint.ts";
import { Evaluator } from "./evaluation.ts";
import { type Frame, frameOf } from "./frame.ts";
import { keepEpoch } from "../checkpoint/kept_epochs.ts";
import { networkSha256 } from "../checkpoint/network_digest.ts";
import { advanced, type Position } from "./position.ts";
import { resume } from "./resume.ts";
import { readTeacherNetwork, startTensors } from "./start.ts";
import { type StepInputs, type StepOutputs, trainingStep } from "./step.ts";
import { stepInputs } from "./step_inputs.ts";
import { closeEpoch, collapse, outcome, report } from "./telling.ts";
import { checkpointTensors, toTensors, trainingData } from "./tensors.ts";

/** How often a run lets signals in; a step itself cannot be interrupted. */
const LISTEN_EVERY_MS = 200;

/** Trains, resuming from the folder's checkpoint if there is one. */
export async function trainRun(request: TrainRequest): Promise<TrainOutcome> {
  const { spec, dataset, engine } = request;
  const frame = frameOf(request), { model, method, quantization, indices, stepsPerEpoch } = frame;
  const evaluator = new Evaluator(engine, model, { quantization, scale: dataset });
  const step = engine.compile(trainingStep({ ...spec.recipe, model, quantization, method, scale: dataset }));
  const checkpointPath = `${request.folder}/checkpoint.safetensors`;
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
      const endOfEpoch = started % stepsPerEpoch === 0;
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
      if (endOfEpoch) position = closeEpoch(frame, position, { training, evaluator });
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

/** The position as a checkpoint holds it: with what this process has spent beside that of earlier ones. */
function withSpent(frame: Frame, position: Position): Position {
  const since = frame.request.spent?.();
  return since ? { ...position, spent: together(position.spent, since) } : position;
}
