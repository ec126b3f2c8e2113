/** One run, computed in processes of its own: how it ended, if it is tried again, and the record of its failure. */
import { RECORD_SCHEMA, type RunRecord } from "../record/record.ts";
import { describeRun, type PlannedRun } from "../record/spec.ts";
import { LostRunError } from "../record/trainer.ts";
import type { Locks } from "../store/locks.ts";
import { readEvents, readRecord, writeRecord } from "../store/store.ts";
import { environmentWithoutEngine } from "./environment.ts";
import { type LimitWatch, NO_LIMITS, type RunLimits, watchLimits } from "./limits.ts";
import type { Place } from "./places.ts";
import { type ChildEnd, type ChildMessage, startChild } from "./process.ts";

/** Start of a process, by the calendar and by a clock that is never set back. */
export interface Started {
  readonly at: Date;
  readonly ms: number;
}

/** Takes the present moment as a start. */
export function startedNow(): Started {
  return { at: new Date(), ms: performance.now() };
}

/** Failure of a run that could not write its own record. */
export interface Failure {
  readonly status: "failed" | "timeout";
  readonly reason: string;
  /** Last lines of its log. */
  readonly log?: readonly string[];
  readonly peakMemoryMiB?: number;
}

/** End of a run's process: it left a record, it can be resumed, or it failed. */
export type Ending =
  | { readonly kind: "over"; readonly record: RunRecord }
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly failure: Failure; readonly again: boolean };

/** Exit code of a process on bad input, which a second attempt would meet again. */
const BAD_INPUT = 2;
const LINES_OF_REASON = 5;

/**
 * Decides how the process of a run ended.
 *
 * Only a crash or an error is tried again: a run that diverged would do so again, and so would one that took too much
 * time or memory, or whose input is bad.
 * @param stopped True: it was asked to stop.
 * @param lost True: another scheduler has the run by now.
 */
export function endingOf(
  end: ChildEnd,
  { record, watch, stopped, lost }: {
    readonly record: RunRecord | null;
    readonly watch: LimitWatch;
    readonly stopped: boolean;
    readonly lost: boolean;
  },
): Ending {
  if (lost) return { kind: "stopped" };
  if (record !== null) return { kind: "over", record };
  const seen = { log: end.lastLines, peakMemoryMiB: watch.peakMemoryMiB };
  if (watch.exceeded !== null) return { kind: "failed", failure: { ...seen, ...watch.exceeded }, again: false };
  const said = end.message?.type === "done" && end.message.status === "stopped";
  // A process that the stop reached before it could listen says nothing: it has lost nothing either.
  if (said || (stopped && end.message === null)) return { kind: "stopped" };
  const failure = { ...seen, status: "failed", reason: reasonOf(end) } as const;
  return { kind: "failed", failure, again: end.code !== BAD_INPUT && !stopped };
}

/** Says why a process without a record ended. */
function reasonOf(end: ChildEnd): string {
  if (end.message?.type === "failed") return end.message.reason;
  const how = end.signal === null ? `with code ${end.code}` : `by ${end.signal}`;
  const lines = end.lastLines.slice(-LINES_OF_REASON);
  const log = lines.length === 0 ? "its log is empty" : `last lines of its log: ${lines.join(" | ")}`;
  return `The process ended ${how} and left no record; ${log}`;
}

/** Makes the failure of a student whose teacher is not done. */
export function orphanFailure({ id, spec, status, reason }: RunRecord): Failure {
  const how = `${describeRun(spec)}) ended as ${status}: ${reason ?? "no reason known"}`;
  return { status: "failed", reason: `Its teacher ${id} (${how}` };
}

/**
 * Writes and returns the record of a run that could not write its own.
 * @param beforeWrite Called just before; throws if this process has lost the run.
 * @throws {InputError} If the system refuses.
 */
export function failedRecord(
  run: PlannedRun,
  { failure, started = startedNow(), out, beforeWrite }: {
    readonly failure: Failure;
    readonly started?: Started;
    readonly out: string;
    readonly beforeWrite?: () => void;
  },
): RunRecord {
  const { status, reason, log = [], peakMemoryMiB = 0 } = failure;
  const record: RunRecord = {
    ...{ schema: RECORD_SCHEMA, id: run.id, spec: run.spec, status, reason },
    ...(log.length === 0 ? {} : { log: [...log] }),
    metrics: null,
    curve: readEvents(out, run.id),
    startedAt: started.at.toISOString(),
    wallSeconds: (performance.now() - started.ms) / 1000,
    cpuSeconds: 0,
    imagesPerSecond: 0,
    peakMemoryMiB,
    environment: environmentWithoutEngine(run.spec.engine),
    dataSha256: null,
  };
  return writeRecord(out, record, beforeWrite);
}

/** Options of `startRun`. */
export interface AttemptOptions {
  readonly out: string;
  /** Program and arguments of a run's process. */
  readonly command: readonly string[];
  /** Locks that hold the run: nothing is written once it is lost. */
  readonly locks: Locks;
  readonly place: Place;
  readonly limits?: RunLimits;
  /** Number of further attempts after a failure, each from the run's checkpoint. */
  readonly retries?: number;
  readonly graceMs?: number;
  readonly onMessage: (message: ChildMessage) => void;
  /** Called when an attempt failed and another one begins. */
  readonly onRetry?: (reason: string) => void;
}

/** Run that is being computed. */
export interface RunningRun {
  /** Asks it to write a checkpoint and stop. */
  stop(): void;
  /** Ends it at once. */
  kill(): void;
  /** Ends it at once and writes no record, as another scheduler has the run by now. */
  abandon(): void;
  /** Its record; null: it was stopped or lost. Rejects with an InputError if the folder cannot be written. */
  readonly ended: Promise<RunRecord | null>;
}

/**
 * Computes a run in processes of its own until it has a record, is stopped or is lost.
 * @throws {InputError} If the run's folder cannot be written.
 */
export function startRun(run: PlannedRun, options: AttemptOptions): RunningRun {
  const { out, command, locks, place, limits = NO_LIMITS, retries = 0, onMessage } = options;
  const started = startedNow();
  let stopped = false;
  let lost = false;
  let child = start();

  function start() {
    const next = startChild(run, { out, command, lock: locks.nonceOf(run.id), place, onMessage });
    locks.note(run.id, next.pid);
    return next;
  }

  /** Waits for the end of one process. */
  async function attempt(): Promise<Ending> {
    const watch = watchLimits(child, limits, options);
    const end = await child.ended.finally(() => watch.close());
    return endingOf(end, { record: readRecord(out, run.id), watch, stopped, lost });
  }

  async function untilRecord(): Promise<RunRecord | null> {
    const beforeWrite = (): void => locks.requireHeld(run.id);
    try {
      for (let left = retries;; left--) {
        const ending = await attempt();
        if (ending.kind !== "failed") return ending.kind === "over" ? ending.record : null;
        beforeWrite();
        if (left === 0 || !ending.again) return failedRecord(run, { ...ending, started, out, beforeWrite });
        options.onRetry?.(ending.failure.reason);
        child = start();
      }
    } catch (error) {
      if (error instanceof LostRunError) return null;
      throw error;
    }
  }

  return {
    stop(): void {
      stopped = true;
      child.stop();
    },
    kill(): void {
      stopped = true;
      child.kill();
    },
    abandon(): void {
      lost = true;
      child.kill();
    },
    ended: untilRecord(),
  };
}
