import { DelayedError, type Job, WaitingError } from "bullmq";
import { InputError, messageOf } from "../errors.ts";
import { failedRecord, type Failure, reasonOf, startedNow } from "../pool/failure.ts";
import { type LimitWatch, NO_LIMITS, type RunLimits, watchLimits } from "../pool/limits.ts";
import type { Locks } from "../store/locks.ts";
import { describeRun, isFinal, type PlannedRun } from "../plan/plan.ts";
import { type ChildEnd, type RunningChild, startChild } from "../pool/process.ts";
import { describeEnd } from "../pool/progress.ts";
import type { RunRecord } from "../record/record.ts";
import { readRecord } from "../store/store.ts";
import { type Artefacts, TEACHER_FILES } from "./artefacts.ts";
import { MOST_LOST_WORKERS, parseRunJob } from "./jobs.ts";
import { type QueueTimes, throttled } from "./times.ts";

/** A run that a worker computes. */
export interface ActiveRun {
  readonly child: RunningChild;
  readonly watch: LimitWatch;
  renewedAtMs: number;
  /** Whether another worker may have the run by now. */
  lost: boolean;
}

/** What computing a job needs of its worker. */
export interface ComputerOptions {
  readonly out: string;
  /** Program and arguments of a run's process. */
  readonly command: readonly string[];
  readonly prepare?: (run: PlannedRun) => Promise<void>;
  readonly limits?: RunLimits;
  readonly say: (line: string) => void;
  readonly times: QueueTimes;
  readonly artefacts: Artefacts;
  readonly locks: Locks;
  /** By job id. */
  readonly active: Map<string, ActiveRun>;
  /** Aborted when the worker is to stop. */
  readonly stopping: AbortSignal;
  /** Stops the worker, as what it computes with cannot be used. */
  readonly giveUp: (error: InputError) => void;
}

/** What a worker does with the job of a run. */
export interface Computer {
  /** Computes it to its record, or gives it back. @returns Its status. */
  compute(job: Job, token: string): Promise<string>;
  /** Writes the record of a run that BullMQ itself gave up. */
  recordFailure(job: Job | undefined, error: Error): Promise<void>;
}

/** Makes the part of a worker that computes runs, one process each. */
export function createComputer(options: ComputerOptions): Computer {
  const { out, say, times, artefacts, locks, active, stopping } = options;

  async function giveBack(job: Job, token: string): Promise<never> {
    await job.moveToWait(token);
    throw new WaitingError();
  }

  async function compute(job: Job, token: string): Promise<string> {
    const run = parseRunJob(job.data, job.id!);
    await orGiveUp(() => artefacts.pull([run.id]));
    const before = readRecord(out, run.id);
    if (before !== null && isFinal(before)) return before.status;
    await orGiveUp(async () => {
      if (run.spec.teacher !== null) await artefacts.pull([run.spec.teacher], TEACHER_FILES);
      await options.prepare?.(run);
    });
    if (stopping.aborted) return await giveBack(job, token);
    const holder = await orGiveUp(() => locks.take(run.id));
    if (holder === null) return await giveBack(job, token);
    if (holder !== "taken") {
      // A scheduler beside the queue computes it: its record is looked for again.
      await job.moveToDelayed(Date.now() + times.releaseDelayMs, token);
      throw new DelayedError();
    }
    try {
      return await computeLocked(run, job, token);
    } finally {
      locks.release(run.id);
    }
  }

  async function computeLocked(run: PlannedRun, job: Job, token: string): Promise<string> {
    const started = startedNow();
    const state = await orGiveUp(() => start(run, job));
    if (state === null) return await giveBack(job, token);
    const end = await endOf(run, state).finally(() => active.delete(job.id!));
    const own = readRecord(out, run.id);
    if (own !== null && end !== null) return told(run, own);
    const { exceeded, peakMemoryMiB } = state.watch;
    const stopped = end?.message?.type === "done" && end.message.status === "stopped" && exceeded === null;
    if (end === null || stopped || state.lost || stopping.aborted) {
      say(`${describeRun(run.spec)}: ${describeEnd(null)}, back in the queue`);
      // Where another worker has the run by now, the server refuses, and nothing is changed.
      return await giveBack(job, token);
    }
    const failure: Failure = {
      ...(exceeded ?? { status: "failed", reason: reasonOf(end) }),
      log: end.lastLines,
      peakMemoryMiB,
    };
    // A limit would be broken again.
    if (exceeded !== null || job.attemptsMade + 1 >= (job.opts.attempts ?? 1)) {
      return told(run, await pushed(failedRecord(run, { failure, started, out })));
    }
    say(`${describeRun(run.spec)}: failed, tried again: ${failure.reason}`);
    throw new Error(failure.reason);
  }

  /** Waits for the end of a run's process; what it leaves is stored meanwhile and at the end. */
  async function endOf(run: PlannedRun, state: ActiveRun): Promise<ChildEnd | null> {
    let pushing = Promise.resolve();
    function push(): void {
      pushing = pushing.then(() => artefacts.push(run.id)).catch((error) => say(messageOf(error)));
    }
    const timer = setInterval(push, times.pushMs);
    const end = await orGiveUp(() => state.child.ended).finally(() => {
      clearInterval(timer);
      state.watch.close();
    });
    await pushing;
    // Another worker may be further by now.
    if (state.lost) return end;
    // What is in no store is not done: the run goes back to the queue.
    return await orGiveUp(() => artefacts.push(run.id).then(() => end));
  }

  async function pushed(record: RunRecord): Promise<RunRecord> {
    await orGiveUp(() => artefacts.push(record.id));
    return record;
  }

  function told(run: PlannedRun, record: RunRecord): string {
    say(`${describeRun(run.spec)}: ${describeEnd(record)}`);
    return record.status;
  }

  /** A folder or a data set that cannot be used is the worker's fault, not the run's: another worker may do better. */
  async function orGiveUp<Value>(work: () => Value | Promise<Value>): Promise<Value | null> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      options.giveUp(error);
      return null;
    }
  }

  function start(run: PlannedRun, job: Job): ActiveRun {
    const onMessage = throttled((message) => {
      job.updateProgress(message).catch(() => {});
    }, times.progressMs);
    const child = startChild(run, { out, command: options.command, onMessage });
    locks.note(run.id, child.pid);
    const watch = watchLimits(child, options.limits ?? NO_LIMITS);
    const state = { child, watch, renewedAtMs: performance.now(), lost: false };
    active.set(job.id!, state);
    say(`${describeRun(run.spec)}: started`);
    return state;
  }

  /** The record of a run that BullMQ itself gave up: its workers were lost, or its data is no run. */
  async function recordFailure(job: Job | undefined, error: Error): Promise<void> {
    if (job?.name !== "run" || job.finishedOn === undefined) return;
    try {
      const run = parseRunJob(job.data, job.id!);
      if (readRecord(out, run.id) !== null) return;
      const reason = /stalled more than/.test(error.message)
        ? `Its worker was lost ${MOST_LOST_WORKERS + 1} times while it ran`
        : error.message;
      const failure = { status: "failed", reason } as const;
      told(run, await pushed(failedRecord(run, { failure, started: startedNow(), out })));
    } catch (problem) {
      say(`Job ${job.id} failed: ${messageOf(problem)}`);
    }
  }
  return { compute, recordFailure };
}
