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
import { type Advance, makeStepper } from "./stepper.ts";
import { trainingData, trainingTensors } from "./tensors.ts";

/** A step cannot be interrupted: between steps, signals are let in this often. */
const LISTEN_EVERY_MS = 200;

/** Trains, resuming from the folder's checkpoint if there is one. */
export async function trainRun(request: TrainRequest): Promise<TrainOutcome> {
  const { dataset, engine } = request, setup = await setUp(request);
  const { model, quantization, origin, stepsPerEpoch, steps } = setup;
  const checkpointPath = `${request.folder}/checkpoint.safetensors`, every = request.checkpointEverySteps ?? 250;
  const resumed = await openOwnCheckpoint(checkpointPath, origin, request.onNote);
  let training = resumed ? trainingTensors(resumed.tensors) : startTensors(engine, setup);
  const beginning = { step: 0, sums: {}, curve: [], trainSeconds: 0 };
  let position: Position = { ...(resumed?.position ?? beginning), ...origin, steps };
  /** Quantized layers that stay float32 where others are computed in TF32. */
  const float32 = new Set<string>();
  const evaluator = new Evaluator(engine, model, { quantization, scale: dataset });
  const next = (from: number, size: number) => (Math.floor(from / size) + 1) * size;
  const stepper = makeStepper(engine, setup, {
    stepsPerCall: request.stepsPerCall,
    float32: (layer) => float32.add(layer),
    until: (from) => Math.min(next(from, every), next(from, stepsPerEpoch)),
  });
  const diverged = (reason: string) => outcomeOf(setup, position, { status: "diverged", reason });
  /** Calls that were made, oldest first. */
  const unread: Advance[] = [];
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
      const advance = await stepper.advance(training, started);
      if (float32.size > 0) {
        request.onNote?.(`Layers that TF32 would round, computed in float32: ${[...float32].join(", ")}`);
      }
      float32.clear();
      training = advance.training;
      started += advance.count;
      unread.push(advance);
      const endOfEpoch = started % stepsPerEpoch === 0;
      const stop = started < steps && (request.shouldStop?.() ?? false);
      const save = endOfEpoch || stop || started % every === 0;
      while (unread.length > (save ? 0 : stepper.unread)) {
        const read = metricsOf(unread.shift()!), now = performance.now(), seconds = (now - began) / 1000 / read.length;
        began = now;
        let loss = 0;
        for (const metrics of read) {
          position = advanced(position, metrics, seconds);
          loss = metrics["loss"]!;
          if (!Number.isFinite(loss)) break;
        }
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
    tf.dispose([training, unread.map(({ metrics }) => metrics)] as unknown as Tensor[]);
    stepper.dispose();
    evaluator.dispose();
  }
}

/** The values of each step's metrics; the tensors are freed. */
function metricsOf({ count, metrics }: Advance): Record<string, number>[] {
  const values = Object.entries(metrics).map(([name, tensor]) => [name, tensor.dataSync()] as const);
  tf.dispose(metrics);
  return Array.from({ length: count }, (_, i) => Object.fromEntries(values.map(([name, all]) => [name, all[i]!])));
}

/** The position for a checkpoint: with time and environment of this process added to those of earlier ones. */
function withProcess({ request: { spent, environment } }: Setup, position: Position): Position {
  return {
    ...position,
    ...(spent ? { spent: together(position.spent, spent()) } : {}),
    ...(environment ? { environments: distinctEnvironments([...position.environments ?? [], environment]) } : {}),
  };
}
