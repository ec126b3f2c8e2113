/** The worker's side of a queue: it takes runs and computes them until it is stopped. */
import { setTimeout as sleep } from "node:timers/promises";
import { DelayedError, FlowProducer, type Job, Queue, UnrecoverableError, Worker } from "bullmq";
import { InputError } from "../errors.ts";
import type { Interrupts } from "../pool/interrupts.ts";
import type { RunLimits } from "../pool/limits.ts";
import { cpuPlaces, type Places } from "../pool/places.ts";
import { type PoolEvent, within } from "../pool/pool.ts";
import type { PlannedRun } from "../record/spec.ts";
import { type LockTimes, openLocks } from "../store/locks.ts";
import { readRecord } from "../store/store.ts";
import { type Artefacts, RECORD, SHARED_FOLDER } from "./artefacts.ts";
import { type ActiveRun, createComputer } from "./compute.ts";
import { connectionOptions, isRefusal, outages } from "./connection.ts";
import { MOST_LOST_WORKERS, parseReleaseJob, runJobId } from "./jobs.ts";
import { submitRuns } from "./submit.ts";
import { DEFAULT_TIMES, type QueueTimes } from "./times.ts";
import { type QueueAddress, redact } from "./url.ts";

/** Waits after answers of the server that refuse something. */
const LEAST_BACK_OFF_MS = 1000;
const MOST_BACK_OFF_MS = 30_000;

/** Options of `runWorker`. */
export interface WorkerOptions {
  readonly address: QueueAddress;
  /** From `queueName`. */
  readonly queue: string;
  readonly out: string;
  /** Number of processes at once, or their places. */
  readonly jobs: number | Places;
  /** Program and arguments of a run's process. */
  readonly command: readonly string[];
  readonly interrupts: Interrupts;
  /** Checks what a run names. @throws {InputError} If no worker could compute it: the run then fails. */
  readonly check?: (run: PlannedRun) => void;
  /** Gets what a run needs, such as its data set. @throws {InputError} If this machine cannot: others may. */
  readonly prepare?: (run: PlannedRun) => Promise<void>;
  /** Prints a line for people; it never holds a password. */
  readonly say?: (line: string) => void;
  readonly onEvent?: (event: PoolEvent) => void;
  readonly times?: Partial<QueueTimes>;
  /** @default none */
  readonly limits?: RunLimits;
  readonly lockTimes?: Partial<LockTimes>;
  /** Store that moves runs from machine to machine. @default the folder is shared */
  readonly artefacts?: Artefacts;
}

/**
 * Takes runs from a queue until it is asked to stop, one process per run and at most `jobs` at once.
 *
 * A run that ends without a record is tried again, then its record says `failed`. At a stop the runs write their
 * checkpoints and go back to the queue.
 *
 * @throws {InputError} If the folder or the store cannot be used any more; the runs are then back in the queue.
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
  const active = new Map<string, ActiveRun>();
  const places = typeof options.jobs === "number" ? cpuPlaces(options.jobs) : options.jobs;
  // BullMQ lets only one worker of a queue have a run: the lock is for schedulers beside the queue.
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

  const computer = createComputer({
    ...options,
    ...{ say, times, artefacts, locks, active, places },
    stopping: stopping.signal,
    giveUp: (error) => {
      fatal = error;
      stop();
    },
  });

  async function onJob(job: Job, token?: string): Promise<string> {
    try {
      return job.name === "release" ? await release(job, token!) : await computer.compute(job, token!);
    } catch (error) {
      throw error instanceof InputError && job.name === "run" ? new UnrecoverableError(error.message) : error;
    }
  }

  const worker = new Worker(options.queue, onJob, {
    connection,
    concurrency: places.limit,
    lockDuration: times.lockMs,
    stalledInterval: times.lockMs / 2,
    maxStalledCount: MOST_LOST_WORKERS,
    runRetryDelay: 1000,
    drainDelay: 2,
  });
  // BullMQ looks at it when the next run ends
  places.onChange(() => void (worker.concurrency = places.limit));
  worker.on("failed", (job, error) => void computer.recordFailure(job, error));
  worker.on("lockRenewalFailed", (ids) => ids.forEach(lose));
  worker.on("locksRenewed", ({ jobIds }) => {
    for (const id of jobIds) active.has(id) && (active.get(id)!.renewedAtMs = performance.now());
  });
  const sayOutage = outages(say, address);
  // BullMQ asks again at once where the server answers with an error, such as a full memory.
  let backOffMs = LEAST_BACK_OFF_MS;
  let resuming: ReturnType<typeof setTimeout> | undefined;
  worker.on("error", (error) => {
    sayOutage(error);
    if (!isRefusal(error) || resuming !== undefined) return;
    void worker.pause(true);
    resuming = setTimeout(() => {
      resuming = undefined;
      if (!stopping.signal.aborted) void worker.resume();
    }, backOffMs);
    backOffMs = Math.min(2 * backOffMs, MOST_BACK_OFF_MS);
  });
  worker.on("active", () => void (backOffMs = LEAST_BACK_OFF_MS));
  queue.on("error", sayOutage);
  flow.on("error", sayOutage);

  function lose(id: string): void {
    const state = active.get(id);
    if (state === undefined) return;
    // Whatever it still wrote would be older than another worker's.
    state.lost.abort();
    state.child.kill();
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
    await within(closed.catch(() => {}), times.closeMs);
  } finally {
    clearInterval(watch);
    clearTimeout(resuming);
    locks.close();
    interrupts.stop.removeEventListener("abort", stop);
    interrupts.kill.removeEventListener("abort", kill);
    ended.abort();
    await within(Promise.allSettled([queue.close(), flow.close()]), times.closeMs);
  }
  if (fatal !== null) throw fatal;
}

async function whenIdle(active: ReadonlyMap<string, ActiveRun>): Promise<void> {
  while (active.size > 0) await sleep(50);
}
