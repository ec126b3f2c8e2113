import process from "node:process";
import type { Dataset } from "../data/types.ts";
import type { Engine, EngineName } from "../engine/types.ts";
import { InputError, messageOf } from "../errors.ts";
import { captureEnvironment } from "./environment.ts";
import { readTextIfThere } from "../store/files.ts";
import { STOP_SIGNALS } from "./interrupts.ts";
import type { ChildMessage } from "./messages.ts";
import { describeRun } from "../plan/plan.ts";
import { epochSchema, type RunRecord } from "../record/record.ts";
import { parseRunSpec, runId, type RunSpec } from "../record/spec.ts";
import {
  appendEvent,
  checkpointFile,
  hasCheckpoint,
  openRun,
  readRecord,
  runFolder,
  writeRecord,
} from "../store/store.ts";
import { type Spent, together, type Trainer, type TrainOutcome } from "../record/trainer.ts";

const PROGRESS_EVERY_MS = 500;
/** How much of its log the record of a run that is not done keeps. */
const LAST_LINES = 20;

/** What the process of a run is made of. */
export interface ChildServices extends Pick<RunServices, "train" | "openEngine" | "log"> {
  readonly loadDataset: (name: string, log: (line: string) => void) => Promise<Dataset>;
  /** Writes to stdout at once; throws, as `log` does, when nobody reads any more. */
  readonly write: (text: string) => void;
}

/**
 * The whole of a run's process: reads the spec, listens for the stop, runs, and tells its end on stdout.
 * @returns The exit code: 0 ended or stopped, 1 an error, 2 bad input.
 */
export async function runChild(
  flags: { readonly spec?: string; readonly out?: string },
  services: ChildServices,
): Promise<number> {
  let stopping = false;
  function stop(): void {
    stopping = true;
  }
  // A terminal's Ctrl-C reaches this process too, besides the pool's own signal: both only ask for the stop.
  for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, stop);
  function emit(message: ChildMessage): void {
    try {
      services.write(JSON.stringify(message) + "\n");
    } catch {
      // The pool is gone: leave a checkpoint for the next one.
      stopping = true;
    }
  }
  const lastLines: string[] = [];
  function log(line: string): void {
    lastLines.push(...line.split("\n"));
    lastLines.splice(0, lastLines.length - LAST_LINES);
    try {
      services.log(line);
    } catch {
      stopping = true;
    }
  }
  try {
    const { spec: path, out } = flags;
    if (path === undefined || out === undefined) throw new InputError("Cannot run without --spec FILE and --out DIR");
    const spec = parseRunSpec(parseJson(readTextIfThere(path), path), path);
    await runOne(spec, out, {
      ...services,
      log,
      loadDataset: (name) => services.loadDataset(name, log),
      emit,
      shouldStop: () => stopping,
      lastLines: () => [...lastLines],
    });
    return 0;
  } catch (error) {
    log(error instanceof Error && !(error instanceof InputError) ? error.stack ?? error.message : messageOf(error));
    emit({ type: "failed", reason: messageOf(error) });
    return error instanceof InputError ? 2 : 1;
  } finally {
    for (const signal of STOP_SIGNALS) Deno.removeSignalListener(signal, stop);
  }
}

function parseJson(text: string | null, path: string): unknown {
  if (text === null) throw new InputError(`Cannot read the run spec ${path} as there is no such file`);
  try {
    return JSON.parse(text);
  } catch {
    throw new InputError(`Cannot read the run spec ${path} as it is no JSON: delete its folder and run it again`);
  }
}

/** What a run needs from outside. */
export interface RunServices {
  readonly train: Trainer;
  readonly openEngine: (name: EngineName) => Promise<Engine>;
  readonly loadDataset: (name: string) => Promise<Dataset>;
  readonly emit: (message: ChildMessage) => void;
  /** Says what happens, for people: it ends up in log.txt. */
  readonly log: (line: string) => void;
  readonly shouldStop: () => boolean;
  /** The last lines that were logged. */
  readonly lastLines?: () => string[];
}

/**
 * Computes one run inside its own process and leaves its record, or a checkpoint if it was asked to stop.
 * @returns The record; null: stopped.
 * @throws {InputError} If the teacher's checkpoint is missing, or the data, the engine or the folder cannot be used.
 */
export async function runOne(spec: RunSpec, out: string, services: RunServices): Promise<RunRecord | null> {
  const { emit, log, shouldStop } = services;
  const id = runId(spec);
  const startedAt = new Date();
  const spent = spending();
  const folder = openRun(out, spec);
  log(`${startedAt.toISOString()} ${describeRun(spec)}, run ${id}`);
  const engine = await services.openEngine(spec.engine);
  log(`Engine: ${engine.description}`);
  const dataset = await services.loadDataset(spec.dataset.name);
  const outcome = finiteOutcome(
    await services.train({
      spec,
      dataset,
      engine,
      teacherCheckpoint: teacherCheckpoint(spec, out),
      teacherRecord: spec.teacher === null ? null : readRecord(out, spec.teacher),
      folder,
      spent,
      onProgress: throttled((progress) => {
        emit({ type: "progress", ...progress, loss: Number.isFinite(progress.loss) ? progress.loss : null });
      }),
      onEpoch: (epoch) => {
        appendEvent(out, id, epoch);
        emit({ type: "epoch", epoch });
      },
      onNote: log,
      shouldStop,
    }),
  );
  if (outcome.status === "stopped") {
    log("Stopped as asked");
    emit({ type: "done", status: "stopped" });
    return null;
  }
  log(`Ended as ${outcome.status}${outcome.reason === null ? "" : `: ${outcome.reason}`}`);
  const record: RunRecord = {
    schema: 1,
    id,
    spec,
    status: outcome.status,
    reason: outcome.reason,
    ...(outcome.status === "done" || services.lastLines === undefined ? {} : { log: services.lastLines() }),
    metrics: outcome.metrics,
    curve: [...outcome.curve],
    startedAt: startedAt.toISOString(),
    ...together(outcome.spentBefore, spent()),
    imagesPerSecond: outcome.imagesPerSecond,
    peakMemoryMiB: process.resourceUsage().maxRSS / 1024,
    environment: captureEnvironment(engine),
    dataSha256: dataset.sha256,
    ...(outcome.networkSha256 === null ? {} : { networkSha256: outcome.networkSha256 }),
    ...(outcome.teacherSha256 === null ? {} : { teacherSha256: outcome.teacherSha256 }),
  };
  writeRecord(out, record);
  emit({ type: "done", status: outcome.status });
  return record;
}

/** Tells what this process has spent since now. */
function spending(): () => Spent {
  // A clock that is set back must not make a run last less than no time.
  const began = performance.now();
  return () => {
    const cpu = process.cpuUsage();
    return { wallSeconds: (performance.now() - began) / 1000, cpuSeconds: (cpu.user + cpu.system) / 1e6 };
  };
}

/** A run whose evaluation is not a number has diverged, whatever its trainer says: records hold numbers only. */
function finiteOutcome(outcome: TrainOutcome): TrainOutcome {
  const curve = outcome.curve.filter((epoch) => epochSchema.safeParse(epoch).success);
  const odd = outcome.curve.find((epoch) => !curve.includes(epoch));
  if (odd === undefined) return outcome;
  const reason = outcome.status === "done" ? `a number of epoch ${odd.epoch} is not finite` : outcome.reason;
  const status = outcome.status === "done" ? "diverged" : outcome.status;
  return { ...outcome, status, reason, metrics: null, curve };
}

function teacherCheckpoint(spec: RunSpec, out: string): string | null {
  if (spec.teacher === null) return null;
  const path = checkpointFile(out, spec.teacher);
  if (!hasCheckpoint(out, spec.teacher)) {
    throw new InputError(
      `Cannot start ${describeRun(spec)} as its teacher's checkpoint is missing: restore ${path}, ` +
        `or delete the folder ${runFolder(out, spec.teacher)} to train the teacher again`,
    );
  }
  return path;
}

/** Passes on at most two calls a second, the first at once. */
function throttled<Value>(call: (value: Value) => void): (value: Value) => void {
  let last = -Infinity;
  return (value) => {
    const now = performance.now();
    if (now - last < PROGRESS_EVERY_MS) return;
    last = now;
    call(value);
  };
}
