import { DelayedError, FlowProducer, type Job, Queue, UnrecoverableError, WaitingError, Worker } from "bullmq";
import { InputError, messageOf } from "../../errors.ts";
import { failedRecord, type Failure, reasonOf, startedNow } from "../failure.ts";
import type { Interrupts } from "../interrupts.ts";
import { type LimitWatch, NO_LIMITS, type RunLimits, watchLimits } from "../limits.ts";
import { type LockTimes, openLocks } from "../locks.ts";
import { describeRun, isFinal, type PlannedRun } from "../plan.ts";
import { type ChildEnd, type RunningChild, startChild } from "../process.ts";
import { describeEnd } from "../progress.ts";
import type { RunRecord } from "../record.ts";
import { readRecord } from "../store.ts";
import { type Artefacts, RECORD, SHARED_FOLDER, TEACHER_FILES } from "./artefacts.ts";
import { connectionOptions } from "./connection.ts";
import { MOST_LOST_WORKERS, parseReleaseJob, parseRunJob, runJobId } from "./jobs.ts";
import { submitRuns } from "./submit.ts";
import { DEFAULT_TIMES, outages, type QueueTimes, sleep, throttled, within } from "./times.ts";
import { type QueueAddress, redact } from "./url.ts";

/** What a worker is told. */
export interface WorkerOptions {
  readonly address: QueueAddress;
  /** From `queueName`. */
  readonly queue: string;
  readonly out: string;
  /** How many processes run at once. */
  readonly jobs: number;
  /** Program and arguments of a run's process. */
  readonly command: readonly string[];
  readonly interrupts: Interrupts;
  /** Has what a run needs at hand before its process starts, such as its data set. */
  readonly prepare?: (run: PlannedRun) => Promise<void>;
  /** Tells people; a line never holds a password. */
  readonly say?: (line: string) => void;
  readonly times?: Partial<QueueTimes>;
  /** @default none */
  readonly limits?: RunLimits;
  readonly lockTimes?: Partial<LockTimes>;
  /** How runs get from machine to machine. @default the folder is shared */
  readonly artefacts?: Artefacts;
}

interface Active {
  readonly child: RunningChild;
  readonly watch: LimitWatch;
  renewedAtMs: number;
  /** Whether another worker may have the run by now. */
  lost: boolean;
}

/**
 * Takes runs from a queue until it is asked to stop, one process a run and at most `jobs` at once.
 *
 * A run that ends without a record is tried again, then its record says `failed`. At a stop the runs write their
 * checkpoints and go back to the queue.
 *
 * @throws {InputError} If the folder cannot be used any more; the runs are then back in the queue.
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { address, out, interrupts } = options;
  const times = { ...DEFAULT_TIMES, ...options.times };
  const ended = new AbortController();
  const connection = connectionOptions(address, ended.signal);
  const say = (line: string): void => options.say?.(redact(line, [address.password]));
  const queue = new Queue(options.queue, { connection });
  const flow = new FlowProducer({ connection });
  const artefacts = options.artefacts ?? SHARED_FOLDER;
  const active = new Map<string, Active>();
  // Of one queue's workers BullMQ lets one have a run: the lock is for schedulers beside the queue.
  const locks = openLocks(out, {
    queue: options.queue,
    ...(options.lockTimes === undefined ? {} : { times: options.lockTimes }),
    onLost: (id) => lose(runJobId(id)),
  });
  const stopping = new AbortController();
  let fatal: InputError | null = null;

  function stop(): void {
    stopping.abort();
    for (const { child } of active.values()) child.stop();
  }
  function kill(): void {
    stopping.abort();
    for (const { child } of active.values()) child.kill();
  }

  async function giveBack(job: Job, token: string): Promise<never> {
    await job.moveToWait(token);
    throw new WaitingError();
  }

  async function release(job: Job, token: string): Promise<string> {
    const { teacher, students, retries } = parseReleaseJob(job.data, job.id!);
    await artefacts.pull([teacher, ...students.map(({ id }) => id)], RECORD);
    if (readRecord(out, teacher) === null) {
      await job.moveToDelayed(Date.now() + times.releaseDelayMs, token);
      throw new DelayedError();
    }
    await submitRuns(students, { out, queue, flow, retries, artefacts, ...times });
    return "released";
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
    if (stopping.signal.aborted) return await giveBack(job, token);
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
    if (end === null || stopped || state.lost || stopping.signal.aborted) {
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
  async function endOf(run: PlannedRun, state: Active): Promise<ChildEnd | null> {
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

  async function pushed(record: Promise<RunRecord>): Promise<RunRecord> {
    const { id } = await record;
    await orGiveUp(() => artefacts.push(id));
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
      fatal = error;
      stop();
      return null;
    }
  }

  function start(run: PlannedRun, job: Job): Active {
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

  async function onJob(job: Job, token?: string): Promise<string> {
    try {
      return job.name === "release" ? await release(job, token!) : await compute(job, token!);
    } catch (error) {
      throw error instanceof InputError && job.name === "run" ? new UnrecoverableError(error.message) : error;
    }
  }

  const worker = new Worker(options.queue, onJob, {
    connection,
    concurrency: options.jobs,
    lockDuration: times.lockMs,
    stalledInterval: times.lockMs / 2,
    maxStalledCount: MOST_LOST_WORKERS,
    runRetryDelay: 1000,
    drainDelay: 2,
  });
  worker.on("failed", (job, error) => void recordFailure(job, error));
  worker.on("lockRenewalFailed", (ids) => ids.forEach(lose));
  worker.on("locksRenewed", ({ jobIds }) => {
    for (const id of jobIds) active.has(id) && (active.get(id)!.renewedAtMs = performance.now());
  });
  const sayOutage = outages(say, address);
  worker.on("error", sayOutage);
  queue.on("error", sayOutage);
  flow.on("error", sayOutage);

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

  function lose(id: string): void {
    const state = active.get(id);
    if (state === undefined) return;
    state.lost = true;
    state.child.stop();
  }

  // A server that is away renews no lock and says so to nobody: the same clock runs here.
  const watch = setInterval(() => {
    for (const [id, { renewedAtMs }] of active) if (performance.now() - renewedAtMs > times.lockMs) lose(id);
  }, times.lockMs / 4);

  interrupts.stop.addEventListener("abort", stop);
  interrupts.kill.addEventListener("abort", kill);
  try {
    if (interrupts.stop.aborted) stop();
    if (!stopping.signal.aborted) {
      await new Promise((resolve) => stopping.signal.addEventListener("abort", resolve, { once: true }));
    }
    // Takes nothing new from here on, and waits for the runs.
    const closed = worker.close();
    await whenIdle(active);
    await within(closed, times.closeMs);
  } finally {
    clearInterval(watch);
    locks.close();
    interrupts.stop.removeEventListener("abort", stop);
    interrupts.kill.removeEventListener("abort", kill);
    ended.abort();
    await within(Promise.allSettled([queue.close(), flow.close()]), times.closeMs);
  }
  if (fatal !== null) throw fatal;
}

async function whenIdle(active: ReadonlyMap<string, Active>): Promise<void> {
  while (active.size > 0) await sleep(50);
}
