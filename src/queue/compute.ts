/** Handling of a run's job by a worker: computes it, gives it back, or leaves it to other workers. */
import { DelayedError, type Job, WaitingError } from "bullmq";
import { InputError, messageOf } from "../errors.ts";
import { endingOf, failedRecord, type Failure, type Started, startedNow } from "../pool/attempt.ts";
import { type LimitWatch, NO_LIMITS, type RunLimits, watchLimits } from "../pool/limits.ts";
import type { Place, Places } from "../pool/places.ts";
import { type ChildEnd, type ChildMessage, type RunningChild, startChild, throttled } from "../pool/process.ts";
import type { PoolEvent } from "../pool/pool.ts";
import { describeEnd } from "../pool/progress.ts";
import { isFinal, type RunRecord } from "../record/record.ts";
import { describeRun, type PlannedRun } from "../record/spec.ts";
import { LostRunError } from "../record/trainer.ts";
import type { Locks } from "../store/locks.ts";
import { readRecord } from "../store/store.ts";
import { type Artefacts, TEACHER_FILES } from "./artefacts.ts";
import { MOST_LOST_WORKERS, MOST_STARTS, parseRunJob } from "./jobs.ts";
import type { QueueTimes } from "./times.ts";

/** Run that a worker computes. */
export interface ActiveRun {
  readonly child: RunningChild;
  readonly place: Place;
  readonly watch: LimitWatch;
  renewedAtMs: number;
  /** Aborted when another worker may have the run. */
  readonly lost: AbortController;
}

/** Parts of a worker that computing a job needs. */
export interface ComputerOptions {
  readonly out: string;
  /** Program and arguments of a run's process. */
  readonly command: readonly string[];
  /** Checks what a run names. @throws {InputError} If no worker could compute it. */
  readonly check?: (run: PlannedRun) => void;
  /** Gets what a run needs, such as its data set. @throws {InputError} If this machine cannot. */
  readonly prepare?: (run: PlannedRun) => Promise<void>;
  readonly limits?: RunLimits;
  readonly say: (line: string) => void;
  readonly onEvent?: (event: PoolEvent) => void;
  readonly times: QueueTimes;
  readonly artefacts: Artefacts;
  readonly locks: Locks;
  /** Active runs by job id. */
  readonly active: Map<string, ActiveRun>;
  readonly places: Places;
  /** Aborted when the worker is to stop. */
  readonly stopping: AbortSignal;
  /** Stops the worker, as its folder or store cannot be used. */
  readonly giveUp: (error: InputError) => void;
}

/** Part of a worker that computes runs. */
export interface Computer {
  /** Computes a run to its record, or gives it back. @returns Its status. */
  compute(job: Job, token: string): Promise<string>;
  /** Writes the record of a run that BullMQ itself gave up. */
  recordFailure(job: Job | undefined, error: Error): Promise<void>;
}

/** Makes the part of a worker that computes runs, one process each. */
export function createComputer(options: ComputerOptions): Computer {
  const { out, say, onEvent = () => {}, times, artefacts, locks, active, places, stopping } = options;

  async function giveBack(job: Job, token: string): Promise<never> {
    await job.moveToWait(token);
    throw new WaitingError();
  }

  async function delay(job: Job, token: string): Promise<never> {
    await job.moveToDelayed(Date.now() + times.releaseDelayMs, token);
    throw new DelayedError();
  }

  async function compute(job: Job, token: string): Promise<string> {
    const run = parseRunJob(job.data, job.id!);
    options.check?.(run);
    await orGiveUp(() => artefacts.pull([run.id]));
    const before = readRecord(out, run.id);
    if (before !== null && isFinal(before)) return before.status;
    const { teacher } = run.spec;
    if (teacher !== null) await orGiveUp(() => artefacts.pull([teacher], TEACHER_FILES));
    if (stopping.aborted) return await giveBack(job, token);
    try {
      await options.prepare?.(run);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      if (job.attemptsStarted >= MOST_STARTS) throw error;
      say(`${describeRun(run.spec)}: left to other workers, as it cannot be computed here: ${error.message}`);
      return await delay(job, token);
    }
    if (stopping.aborted) return await giveBack(job, token);
    const holder = await orGiveUp(() => locks.take(run.id));
    if (holder === null) return await giveBack(job, token);
    // A scheduler beside the queue computes it: look for its record again later.
    if (holder !== "taken") return await delay(job, token);
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
    const end = await endOf(run, state, () => isHeld(job, token, state)).finally(() => {
      state.place.release();
      active.delete(job.id!);
    });
    const lost = end === null || state.lost.signal.aborted;
    const ending = end === null ? { kind: "stopped" } as const : endingOf(end, {
      record: readRecord(out, run.id),
      watch: state.watch,
      stopped: stopping.aborted,
      lost,
    });
    if (ending.kind === "over") return told(run, ending.record);
    if (ending.kind === "failed") {
      const { failure, again } = ending, isLast = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
      // A limit would be broken again; bad input may be good elsewhere.
      if (isLast || (!again && state.watch.exceeded !== null)) {
        const record = await leave(run, { failure, started, held: () => isHeld(job, token, state) });
        if (record !== null) return told(run, record);
      } else {
        say(`${describeRun(run.spec)}: failed, tried again: ${failure.reason}`);
        onEvent({ type: "retried", run, reason: failure.reason });
        onEvent({ type: "ended", run, record: null });
        throw new Error(failure.reason);
      }
    }
    say(`${describeRun(run.spec)}: ${describeEnd(null)}, back in the queue`);
    onEvent({ type: "ended", run, record: null });
    // Where another worker has the run by now, the server refuses this, and nothing changes.
    return await giveBack(job, token);
  }

  /**
   * Asks the server if this worker still has a job: one that was suspended may have lost it without knowing.
   * @returns False too where the server does not answer until the run counts as lost.
   */
  async function isHeld(job: Job, token: string, { lost }: ActiveRun): Promise<boolean> {
    if (lost.signal.aborted) return false;
    const gone = new Promise<number>((resolve) => lost.signal.addEventListener("abort", () => resolve(0)));
    return await Promise.race([job.extendLock(token, times.lockMs), gone]).catch(() => 0) === 1;
  }

  /** Waits for the end of a run's process; what it leaves is stored meanwhile and at the end. Null: the worker gave up. */
  async function endOf(run: PlannedRun, state: ActiveRun, held: () => Promise<boolean>): Promise<ChildEnd | null> {
    let pushing = Promise.resolve();
    async function push(): Promise<void> {
      if (await held()) await artefacts.push(run.id);
    }
    const timer = setInterval(() => {
      pushing = pushing.then(push).catch((error) => say(messageOf(error)));
    }, times.pushMs);
    const end = await orGiveUp(() => state.child.ended).finally(() => {
      clearInterval(timer);
      state.watch.close();
    });
    await pushing;
    // A result that is in no store is not done: the run goes back to the queue.
    return await orGiveUp(() => push().then(() => end));
  }

  /** Writes and stores the record of a failure; null: the run was lost, so that nothing was written. */
  async function leave(
    run: PlannedRun,
    { failure, started, held }: { failure: Failure; started: Started; held: () => Promise<boolean> },
  ): Promise<RunRecord | null> {
    try {
      if (!await held()) return null;
      const record = failedRecord(run, { failure, started, out, beforeWrite: () => locks.requireHeld(run.id) });
      await orGiveUp(() => artefacts.push(record.id));
      return record;
    } catch (error) {
      if (error instanceof LostRunError) return null;
      throw error;
    }
  }

  function told(run: PlannedRun, record: RunRecord): string {
    say(`${describeRun(run.spec)}: ${describeEnd(record)}`);
    onEvent({ type: "ended", run, record });
    return record.status;
  }

  /** Gives up where the folder or the store cannot be used: the worker's fault, not the run's. */
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
    const place = places.take(run);
    const send = throttled((message: ChildMessage) => {
      job.updateProgress(message).catch(() => {});
    }, { everyMs: times.progressMs, isAlways: ({ type }) => type !== "progress" });
    function onMessage(message: ChildMessage): void {
      place.report(message);
      onEvent({ type: "message", run, message });
      send(message);
    }
    const child = startChild(run, { out, command: options.command, lock: locks.nonceOf(run.id), place, onMessage });
    locks.note(run.id, child.pid);
    const watch = watchLimits(child, options.limits ?? NO_LIMITS);
    const state = { child, place, watch, renewedAtMs: performance.now(), lost: new AbortController() };
    active.set(job.id!, state);
    say(`${describeRun(run.spec)}: started`);
    onEvent({ type: "started", run });
    return state;
  }

  async function recordFailure(job: Job | undefined, error: Error): Promise<void> {
    if (job?.name !== "run" || job.finishedOn === undefined) return;
    try {
      const run = parseRunJob(job.data, job.id!);
      if (readRecord(out, run.id) !== null) return;
      const reason = /stalled more than/.test(error.message)
        ? `Its worker was lost ${MOST_LOST_WORKERS + 1} times while it ran`
        : error.message;
      const record = failedRecord(run, { failure: { status: "failed", reason }, out });
      await orGiveUp(() => artefacts.push(record.id));
      told(run, record);
    } catch (problem) {
      say(`Job ${job.id} failed: ${messageOf(problem)}`);
    }
  }
  return { compute, recordFailure };
}
