/** The inside of a run's process: reads the spec, trains, and leaves a record or a checkpoint. */
import process from "node:process";
import type { Dataset } from "../data/types.ts";
import type { Engine, EngineName, Precision } from "../engine/types.ts";
import { InputError, messageOf } from "../errors.ts";
import { joinEnvironments } from "../record/environment.ts";
import { epochSchema, RECORD_SCHEMA, type RunRecord } from "../record/record.ts";
import { describeRun, parseRunSpec, runId, type RunSpec } from "../record/spec.ts";
import { LostRunError, type Spent, together, type Trainer, type TrainOutcome } from "../record/trainer.ts";
import { readJsonIfThere } from "../store/files.ts";
import { requireLock } from "../store/locks.ts";
import {
  appendEvent,
  checkpointFile,
  hasCheckpoint,
  openRun,
  readRecord,
  runFolder,
  writeRecord,
} from "../store/store.ts";
import { captureEnvironment, hostFacts, RUN_LOCK } from "./environment.ts";
import { STOP_SIGNALS } from "./interrupts.ts";
import { type ChildMessage, LAST_LINES, throttled } from "./process.ts";

const PROGRESS_EVERY_MS = 500;

/** Services of a run's process from outside. */
export interface ChildServices extends Pick<RunServices, "train" | "openEngine" | "log"> {
  readonly loadDataset: (name: string, log: (line: string) => void) => Promise<Dataset>;
  /** Writes to stdout at once; throws, as `log` does, when nobody reads any more. */
  readonly write: (text: string) => void;
}

/**
 * Runs the whole process of a run: reads the spec, listens for the stop, trains, and reports its end on stdout.
 * @returns The exit code: 0 ended, stopped or lost to another scheduler, 1 an error, 2 bad input.
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
    const value = readJsonIfThere(
      path,
      `Cannot read the run spec ${path} as it is no JSON: run the same command again`,
    );
    if (value === null) throw new InputError(`Cannot read the run spec ${path} as there is no such file`);
    const spec = parseRunSpec(value, path), id = runId(spec), lock = Deno.env.get(RUN_LOCK);
    await runOne(spec, out, {
      ...services,
      log,
      loadDataset: (name) => services.loadDataset(name, log),
      emit,
      shouldStop: () => stopping,
      ...(lock === undefined ? {} : { beforeWrite: () => requireLock(out, id, lock) }),
      lastLines: () => [...lastLines],
    });
    return 0;
  } catch (error) {
    if (error instanceof LostRunError) {
      log(error.message);
      emit({ type: "done", status: "stopped" });
      return 0;
    }
    log(error instanceof Error && !(error instanceof InputError) ? error.stack ?? error.message : messageOf(error));
    emit({ type: "failed", reason: messageOf(error) });
    return error instanceof InputError ? 2 : 1;
  } finally {
    for (const signal of STOP_SIGNALS) Deno.removeSignalListener(signal, stop);
  }
}

/** Services of a run from outside. */
export interface RunServices {
  readonly train: Trainer;
  readonly openEngine: (name: EngineName, precision: Precision) => Promise<Engine>;
  readonly loadDataset: (name: string) => Promise<Dataset>;
  readonly emit: (message: ChildMessage) => void;
  /** Logs what happens, for people, in log.txt. */
  readonly log: (line: string) => void;
  readonly shouldStop: () => boolean;
  /** Called before each write to the run's folder. @throws {LostRunError} If another scheduler has the run by now. */
  readonly beforeWrite?: () => void;
  /** Returns the last lines that were logged. */
  readonly lastLines?: () => string[];
}

/**
 * Computes one run inside its own process and leaves its record, or a checkpoint if it was asked to stop.
 * @returns The record; null: stopped.
 * @throws {InputError} If the teacher's checkpoint is missing, or the data, the engine or the folder cannot be used.
 * @throws {LostRunError} If another scheduler has the run by now.
 */
export async function runOne(spec: RunSpec, out: string, services: RunServices): Promise<RunRecord | null> {
  const { emit, log, shouldStop, beforeWrite = () => {} } = services;
  const id = runId(spec);
  const startedAt = new Date();
  const spent = spending();
  beforeWrite();
  const folder = openRun(out, spec);
  log(`${startedAt.toISOString()} ${describeRun(spec)}, run ${id}`);
  const engine = await services.openEngine(spec.engine, spec.precision ?? "float32");
  log(`Engine: ${engine.description}`);
  const { problem } = hostFacts(), environment = captureEnvironment(engine);
  if (problem !== null) log(`The commit of this checkout is unknown: ${problem}`);
  const teacher = spec.teacher === null ? null : readRecord(out, spec.teacher);
  const dataset = await services.loadDataset(spec.dataset.name);
  const outcome = finiteOutcome(
    await services.train({
      spec,
      dataset,
      engine,
      teacherCheckpoint: teacherCheckpoint(spec, out),
      teacherRecord: teacher,
      folder,
      spent,
      environment,
      beforeWrite,
      onProgress: throttled((progress) => {
        emit({ type: "progress", ...progress, loss: Number.isFinite(progress.loss) ? progress.loss : null });
      }, { everyMs: PROGRESS_EVERY_MS }),
      onEpoch: (epoch) => {
        beforeWrite();
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
    ...{ schema: RECORD_SCHEMA, id, spec, status: outcome.status, reason: outcome.reason },
    ...(outcome.status === "done" || services.lastLines === undefined ? {} : { log: services.lastLines() }),
    metrics: outcome.metrics,
    curve: [...outcome.curve],
    startedAt: startedAt.toISOString(),
    ...together(outcome.spentBefore, spent()),
    imagesPerSecond: outcome.imagesPerSecond,
    peakMemoryMiB: process.resourceUsage().maxRSS / 1024,
    ...joinEnvironments(
      environment,
      outcome.environmentsBefore ?? [],
      teacher === null ? [] : [teacher.environment, ...teacher.otherEnvironments ?? []],
    ),
    dataSha256: dataset.sha256,
    evaluatedExamples: evaluatedExamples(spec, dataset),
    ...(outcome.networkSha256 === null ? {} : { networkSha256: outcome.networkSha256 }),
    ...(outcome.teacherSha256 === null ? {} : { teacherSha256: outcome.teacherSha256 }),
  };
  const written = writeRecord(out, record, beforeWrite);
  emit({ type: "done", status: outcome.status });
  return written;
}

/** Counts the images that each epoch is evaluated on. */
function evaluatedExamples({ dataset: { evaluateOn, heldOut, testExamples } }: RunSpec, dataset: Dataset): number {
  return evaluateOn === "heldOut" ? heldOut : testExamples ?? dataset.test.count;
}

/** Measures the time that this process spends from now on. */
function spending(): () => Spent {
  // A clock that is set back must not make a run last less than no time.
  const began = performance.now();
  return () => {
    const cpu = process.cpuUsage();
    return { wallSeconds: (performance.now() - began) / 1000, cpuSeconds: (cpu.user + cpu.system) / 1e6 };
  };
}

/** Turns a run whose evaluation is not a number into a diverged one: records hold numbers only. */
function finiteOutcome(outcome: TrainOutcome): TrainOutcome {
  const curve = outcome.curve.filter((epoch) => epochSchema.safeParse(epoch).success);
  const odd = outcome.curve.find((epoch) => !curve.includes(epoch));
  if (odd === undefined) return outcome;
  const reason = outcome.status === "done" ? `a number of epoch ${odd.epoch} is not finite` : outcome.reason;
  const status = outcome.status === "done" ? "diverged" : outcome.status;
  return { ...outcome, status, reason, metrics: null, curve, networkSha256: null };
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
