/** One run, from its spec to its last epoch: resumable at every checkpoint, and then equal to the unbroken one bit for bit. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { keepEpoch, networkSha256, oddTensorOf, type Position, writeCheckpoint } from "../checkpoint/checkpoint.ts";
import { openOwnCheckpoint } from "../checkpoint/open_network.ts";
import { distinctEnvironments } from "../record/environment.ts";
import { together, type TrainOutcome, type TrainRequest } from "../record/trainer.ts";
import { advanced, closeEpoch, collapse, oddNumberOf, outcomeOf, progressOf } from "./epoch.ts";
import { Evaluator } from "./evaluation.ts";
import { type Setup, setUp, startTensors } from "./setup.ts";
import { type StepInputs, type StepOutputs, trainingStep } from "./step.ts";
import { stepInputs } from "./step_inputs.ts";
import { toTensors, trainingData, trainingTensors } from "./tensors.ts";

/** A step cannot be interrupted: between steps, signals are let in this often. */
const LISTEN_EVERY_MS = 200;

/** Trains, resuming from the folder's checkpoint if there is one. */
export async function trainRun(request: TrainRequest): Promise<TrainOutcome> {
  const { spec, dataset, engine } = request, setup = await setUp(request);
  const { model, method, quantization, origin, stepsPerEpoch, steps } = setup;
  const checkpointPath = `${request.folder}/checkpoint.safetensors`, every = request.checkpointEverySteps ?? 250;
  const resumed = await openOwnCheckpoint(checkpointPath, origin, request.onNote);
  let training = resumed ? trainingTensors(resumed.tensors) : startTensors(engine, setup);
  const beginning = { step: 0, sums: {}, curve: [], trainSeconds: 0 };
  let position: Position = { ...(resumed?.position ?? beginning), ...origin, steps };
  const teacher = teacherTensors(setup);
  const evaluator = new Evaluator(engine, model, { quantization, scale: dataset });
  const step = engine.compile(trainingStep({ ...spec.recipe, model, quantization, method, scale: dataset }));
  const diverged = (reason: string) => outcomeOf(setup, position, { status: "diverged", reason });
  /** Metrics of steps that were started, oldest first. */
  const unread: StepOutputs["metrics"][] = [];
  try {
    // older code wrote checkpoints that are not finite
    const bad = resumed && oddTensorOf(resumed.tensors);
    if (bad) return diverged(`${bad} at step ${position.step} of ${steps}`);
    // the process may have been killed between the checkpoint and the record
    const ended = collapse(setup, position);
    if (ended) return ended;
    /** Start of the time not yet charged to a step: evaluating, saving and listening are never charged. */
    let began = performance.now(), heard = began;
    for (let started = position.step; started < steps;) {
      const inputs = stepInputs(setup, started++, { training, teacher });
      const outputs = step(inputs);
      const { training: before, teacher: _, ...own } = inputs;
      tf.dispose([before, own] as unknown as Tensor[]);
      training = outputs.training;
      unread.push(outputs.metrics);
      const endOfEpoch = started % stepsPerEpoch === 0;
      const stop = started < steps && (request.shouldStop?.() ?? false);
      const save = endOfEpoch || stop || started % every === 0;
      // reading waits for the device: one step is left unread, so that a GPU has work while the next batch is made
      while (unread.length > (save ? 0 : 1)) {
        const metrics = read(unread.shift()!), loss = metrics["loss"]!, now = performance.now();
        position = advanced(position, metrics, (now - began) / 1000);
        began = now;
        request.onProgress?.(progressOf(setup, position, loss));
        if (!Number.isFinite(loss)) {
          return diverged(`the training loss is ${loss} at step ${position.step} of ${steps}`);
        }
      }
      if (save) {
        const tensors = trainingData(training), odd = oddTensorOf(tensors);
        if (odd !== null) return diverged(`${odd} at step ${position.step} of ${steps}`);
        if (endOfEpoch) {
          const closed = closeEpoch(setup, position, { training, evaluator }), epoch = closed.curve.at(-1)!;
          const name = oddNumberOf(epoch);
          if (name !== undefined) return diverged(`${name} is not finite in epoch ${closed.curve.length}`);
          position = closed;
          request.onEpoch?.(epoch);
        }
        const checkpoint = { tensors, position: withProcess(setup, position) };
        if (endOfEpoch && request.keepEpochs) await keepEpoch(request.folder, checkpoint, request);
        await writeCheckpoint(checkpointPath, checkpoint, request);
        began = performance.now(); // every step's time has been counted
      }
      const end = endOfEpoch ? collapse(setup, position) : null;
      if (end) return end;
      if (stop) return outcomeOf(setup, position, { status: "stopped", reason: null });
      const now = performance.now();
      if (now - heard > LISTEN_EVERY_MS) {
        await new Promise((resolve) => setTimeout(resolve)); // let timers and signals in
        heard = performance.now();
        began += heard - now;
      }
    }
    return {
      ...outcomeOf(setup, position, { status: "done", reason: null }),
      networkSha256: networkSha256(trainingData(training)),
      teacherSha256: origin.teacherSha256 ?? null,
    };
  } finally {
    tf.dispose([training, teacher, unread] as unknown as Tensor[]);
    step.dispose();
    evaluator.dispose();
  }
}

/** The teacher's network for methods that use it in their steps; else empty. */
function teacherTensors({ method, teacher }: Setup): StepInputs["teacher"] {
  if (!method.usesTeacher || teacher === null) return { params: {}, state: {} };
  return { params: toTensors(teacher.params), state: toTensors(teacher.state) };
}

/** The values of a step's metrics; the tensors are freed. */
function read(metrics: StepOutputs["metrics"]): Record<string, number> {
  const values = Object.fromEntries(Object.entries(metrics).map(([name, scalar]) => [name, scalar.dataSync()[0]!]));
  tf.dispose(metrics);
  return values;
}

/** The position for a checkpoint: with time and environment of this process added to those of earlier ones. */
function withProcess({ request: { spent, environment } }: Setup, position: Position): Position {
  return {
    ...position,
    ...(spent ? { spent: together(position.spent, spent()) } : {}),
    ...(environment ? { environments: distinctEnvironments([...position.environments ?? [], environment]) } : {}),
  };
}
