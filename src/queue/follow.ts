/** The submitter's side of a queue: it submits what is left of a plan and waits for its records. */
import { FlowProducer, Queue, QueueEvents } from "bullmq";
import type { PlanState } from "../plan/plan.ts";
import type { Interrupts } from "../pool/interrupts.ts";
import { type PoolEvent, type PoolOutcome, within } from "../pool/pool.ts";
import { parseChildMessage } from "../pool/process.ts";
import { isFinal } from "../record/record.ts";
import type { PlannedRun } from "../record/spec.ts";
import { openRun, readRecord } from "../store/store.ts";
import { type Artefacts, RECORD, SHARED_FOLDER } from "./artefacts.ts";
import { connectionOptions, isRefusal, outages } from "./connection.ts";
import { DEFAULT_RETRIES, runIdOfJob, runJobId } from "./jobs.ts";
import { submitRuns } from "./submit.ts";
import { DEFAULT_TIMES, type QueueTimes } from "./times.ts";
import { type QueueAddress, redact } from "./url.ts";

/** Options of `followPlan`. */
export interface FollowOptions {
  readonly address: QueueAddress;
  /** From `queueName`. */
  readonly queue: string;
  readonly out: string;
  readonly interrupts?: Interrupts;
  readonly onEvent?: (event: PoolEvent) => void;
  /** Prints a line for people; it never holds a password. */
  readonly say?: (line: string) => void;
  readonly times?: Partial<QueueTimes>;
  /** Number of further attempts after a failure. @default 1 */
  readonly retries?: number;
  /** Store that moves runs from machine to machine. @default the folder is shared */
  readonly artefacts?: Artefacts;
}

/**
 * Submits what is left of a plan and waits for its records, which workers write into the same folder.
 *
 * Only records count. Messages of the queue show progress and say when to look; where none comes, the folder is looked
 * at and missing runs are submitted again, which does nothing to those that are in the queue. After a stop the runs
 * that are in the queue go on.
 *
 * @throws {InputError} If a record cannot be read or the folder cannot be written.
 */
export async function followPlan(plan: PlanState, options: FollowOptions): Promise<PoolOutcome> {
  const { address, out, retries = DEFAULT_RETRIES } = options;
  const times = { ...DEFAULT_TIMES, ...options.times };
  const artefacts = options.artefacts ?? SHARED_FOLDER;
  const onEvent = options.onEvent ?? (() => {});
  const say = (line: string): void => options.say?.(redact(line, [address.password]));
  const ended = new AbortController();
  const connection = connectionOptions(address, ended.signal);
  const queue = new Queue(options.queue, { connection });
  const flow = new FlowProducer({ connection });
  const events = new QueueEvents(options.queue, { connection });
  const sayOutage = outages(say, address);
  queue.on("error", sayOutage);
  flow.on("error", sayOutage);
  events.on("error", sayOutage);

  const records = new Map(plan.finished);
  const pending = new Map(plan.todo.map((run) => [run.id, run]));
  const started = new Set<string>();
  let toLookAt = new Set<string>();
  const stopped = aborted(options.interrupts?.stop);
  let wake: () => void = () => {};

  function runOf(jobId: string): PlannedRun | undefined {
    return pending.get(runIdOfJob(jobId) ?? "");
  }
  function start(run: PlannedRun): void {
    if (started.has(run.id)) return;
    started.add(run.id);
    onEvent({ type: "started", run });
  }
  events.on("active", ({ jobId }) => {
    const run = runOf(jobId);
    if (run) start(run);
  });
  events.on("progress", ({ jobId, data }) => {
    const run = runOf(jobId);
    const message = parseChildMessage(JSON.stringify(data));
    if (run === undefined || message === null) return;
    start(run);
    onEvent({ type: "message", run, message });
  });
  // Back in the queue: its worker was stopped or lost, or the attempt failed.
  events.on("waiting", ({ jobId, prev }) => {
    const run = runOf(jobId);
    if (prev !== "active" || run === undefined || !started.delete(run.id)) return;
    onEvent({ type: "ended", run, record: null });
  });
  function look({ jobId }: { jobId: string }): void {
    // A release writes records of students whose teacher failed.
    if (runIdOfJob(jobId) === null) toLookAt = new Set(pending.keys());
    else if (runOf(jobId)) toLookAt.add(runIdOfJob(jobId)!);
    wake();
  }
  events.on("completed", look);
  events.on("failed", look);

  async function lookAtRecords(): Promise<void> {
    await artefacts.pull([...toLookAt].filter((id) => pending.has(id)), RECORD);
    for (const id of toLookAt) {
      const run = pending.get(id);
      const record = run === undefined ? null : readRecord(out, id);
      if (run === undefined || record === null) continue;
      toLookAt.delete(id);
      pending.delete(id);
      records.set(id, record);
      onEvent({ type: "ended", run, record });
    }
  }

  /** Says that the server refuses something: what was to be done is tried again later. */
  function sayRefusal(error: unknown): void {
    if (!isRefusal(error)) throw error;
    sayOutage(error);
  }
  async function submit(): Promise<void> {
    const runs = [...pending.values()];
    await submitRuns(runs, { out, queue, flow, retries, artefacts, ...times }).catch(sayRefusal);
  }

  try {
    await Promise.race([stopped, forgetFailures([...pending.values()], { out, queue, artefacts })]);
    await Promise.race([stopped, events.waitUntilReady()]);
    let submittedAt = -Infinity;
    while (pending.size > 0 && !options.interrupts?.stop.aborted) {
      if (performance.now() - submittedAt >= times.resubmitMs) {
        await Promise.race([stopped, submit()]);
        toLookAt = new Set(pending.keys());
        if (submittedAt === -Infinity) await Promise.race([stopped, sayWorkers(queue, say).catch(sayRefusal)]);
        submittedAt = performance.now();
      }
      await lookAtRecords();
      if (pending.size === 0) break;
      const woken = new Promise<void>((resolve) => void (wake = resolve));
      // A record may be seen later than the message of its end: some shared folders are slow to show new files.
      await within(Promise.race([stopped, woken]), times.lookMs);
    }
  } finally {
    // A server that is away must not keep the process alive.
    ended.abort();
    await within(Promise.allSettled([events.close(), queue.close(), flow.close()]), times.closeMs);
  }
  return {
    records: plan.runs.flatMap(({ id }) => records.get(id) ?? []),
    unfinished: plan.runs.filter(({ id }) => !records.has(id)),
  };
}

/** Deletes the records of failures that are to be tried again, so that every record seen later is new. */
async function forgetFailures(
  runs: readonly PlannedRun[],
  { out, queue, artefacts }: { out: string; queue: Queue; artefacts: Artefacts },
): Promise<void> {
  for (const { id, spec } of runs) {
    const record = readRecord(out, id);
    if (record === null || isFinal(record)) continue;
    if (await queue.getJob(runJobId(id)) !== undefined) continue;
    await artefacts.forgetRecord(id);
    openRun(out, spec);
  }
}

async function sayWorkers(queue: Queue, say: (line: string) => void): Promise<void> {
  const workers = await queue.getWorkersCount();
  if (workers === 0) say("No worker is there yet: start some with `deno task worker --queue URL --out` this folder");
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve();
    signal?.addEventListener("abort", () => resolve(), { once: true });
  });
}
