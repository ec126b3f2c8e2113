import { failedRecord, type Failure, reasonOf, startedNow } from "./failure.ts";
import { NO_LIMITS, type RunLimits, watchLimits } from "./limits.ts";
import type { ChildMessage } from "./messages.ts";
import type { PlannedRun } from "../plan/plan.ts";
import { type ChildEnd, startChild } from "./process.ts";
import type { RunRecord } from "../record/record.ts";
import { readRecord } from "../store/store.ts";

/** What the run of a pool is told. */
export interface AttemptOptions {
  readonly out: string;
  /** Program and arguments of a run's process. */
  readonly command: readonly string[];
  readonly limits?: RunLimits;
  /** How often a run that failed is tried again, each time from its checkpoint. */
  readonly retries?: number;
  readonly graceMs?: number;
  readonly onMessage: (message: ChildMessage) => void;
  /** A process has begun. */
  readonly onStart?: (pid: number) => void;
  /** An attempt failed and another one begins. */
  readonly onRetry?: (reason: string) => void;
}

/** A run that is being computed. */
export interface RunningRun {
  /** Asks it to checkpoint and stop. */
  stop(): void;
  /** Ends it at once. */
  kill(): void;
  /** Ends it at once and writes no record, as another scheduler has the run by now. */
  abandon(): void;
  /** Its record; null: it was stopped and can go on. Rejects with an InputError if the folder cannot be written. */
  readonly ended: Promise<RunRecord | null>;
}

/** The process ends with this code on bad input, which a second attempt would meet again. */
const BAD_INPUT = 2;

/**
 * Computes a run in processes of its own until it has a record or is stopped.
 *
 * Only a crash or an error is tried again: a run that diverged would do so again, and so would one that took too much
 * time or memory, or whose input is bad.
 *
 * @throws {InputError} If the run's folder cannot be written.
 */
export function startRun(run: PlannedRun, options: AttemptOptions): RunningRun {
  const { out, command, limits = NO_LIMITS, retries = 0, onMessage } = options;
  const started = startedNow();
  let stopped = false;
  let abandoned = false;
  let child = start();

  function start() {
    const next = startChild(run, { out, command, onMessage });
    options.onStart?.(next.pid);
    return next;
  }

  /** One process, to its end; null: it left a record, or was stopped. */
  async function attempt(): Promise<(Failure & { readonly again: boolean }) | null> {
    const watch = watchLimits(child, limits, options);
    let end: ChildEnd;
    try {
      end = await child.ended;
    } finally {
      watch.close();
    }
    if (abandoned || readRecord(out, run.id) !== null) return null;
    const failure = { log: end.lastLines, peakMemoryMiB: watch.peakMemoryMiB };
    if (watch.exceeded !== null) return { ...failure, ...watch.exceeded, again: false };
    const said = end.message?.type === "done" && end.message.status === "stopped";
    // A process that the stop caught before it could listen says nothing: it has lost nothing either.
    if (said || (stopped && end.message === null)) {
      stopped = true;
      return null;
    }
    return { ...failure, status: "failed", reason: reasonOf(end), again: end.code !== BAD_INPUT };
  }

  async function untilRecord(): Promise<RunRecord | null> {
    for (let left = retries;; left--) {
      const failure = await attempt();
      if (abandoned) return null;
      if (failure === null) return readRecord(out, run.id);
      if (left === 0 || !failure.again || stopped) return failedRecord(run, { failure, started, out });
      options.onRetry?.(failure.reason);
      child = start();
    }
  }

  function stop(): void {
    stopped = true;
    child.stop();
  }
  function kill(): void {
    stopped = true;
    child.kill();
  }
  function abandon(): void {
    abandoned = true;
    child.kill();
  }
  return { stop, kill, abandon, ended: untilRecord() };
}
