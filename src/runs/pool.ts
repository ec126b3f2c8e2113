import { environmentWithoutEngine } from "./environment.ts";
import type { Interrupts } from "./interrupts.ts";
import type { ChildMessage } from "./messages.ts";
import { describeRun, type PlannedRun, type PlanState } from "./plan.ts";
import { type ChildEnd, type RunningChild, startChild } from "./process.ts";
import type { RunRecord } from "./record.ts";
import { readEvents, readRecord, writeRecord } from "./store.ts";

/** What happens in a pool; `record` null: the run was stopped and can go on. */
export type PoolEvent =
  | { readonly type: "started"; readonly run: PlannedRun }
  | { readonly type: "message"; readonly run: PlannedRun; readonly message: ChildMessage }
  | { readonly type: "ended"; readonly run: PlannedRun; readonly record: RunRecord | null };

/** What a pool is told. */
export interface PoolOptions {
  readonly out: string;
  /** How many processes run at once. */
  readonly jobs: number;
  /** Program and arguments of a run's process. */
  readonly command: readonly string[];
  readonly interrupts?: Interrupts;
  readonly onEvent?: (event: PoolEvent) => void;
}

/** When a process began, by the calendar and by a clock that is never set back. */
export interface Started {
  readonly at: Date;
  readonly ms: number;
}

/** What a pool leaves. */
export interface PoolOutcome {
  /** Records of the plan, in its order; runs that were not finished have none. */
  readonly records: readonly RunRecord[];
  /** Runs that were stopped or never started. */
  readonly unfinished: readonly PlannedRun[];
}

/**
 * Runs what is left of a plan, one process a run and at most `jobs` at once, each after its teacher.
 *
 * A process that crashes, throws or exits with a code becomes a record of status `failed`, so do its students, and the
 * others go on.
 *
 * @throws {InputError} If the folder cannot be written; processes are then ended and finished records are intact.
 */
export async function runPool(plan: PlanState, options: PoolOptions): Promise<PoolOutcome> {
  const { out, jobs, interrupts } = options;
  const onEvent = options.onEvent ?? (() => {});
  const records = new Map(plan.finished);
  const running = new Map<string, { readonly child: RunningChild; readonly ended: Promise<void> }>();
  let waiting = [...plan.todo];

  function start(run: PlannedRun): void {
    const started = { at: new Date(), ms: performance.now() };
    const child = startChild(run, {
      out,
      command: options.command,
      onMessage: (message) => onEvent({ type: "message", run, message }),
    });
    onEvent({ type: "started", run });
    running.set(run.id, { child, ended: settle(run, child, started) });
  }

  async function settle(run: PlannedRun, child: RunningChild, started: Started): Promise<void> {
    const end = await child.ended;
    running.delete(run.id);
    const own = readRecord(out, run.id);
    const stopped = end.message?.type === "done" && end.message.status === "stopped";
    // A process that the stop caught before it could listen says nothing: it has lost nothing either.
    const cutShort = interrupts?.stop.aborted === true && end.message === null;
    if (own === null && (stopped || cutShort)) {
      onEvent({ type: "ended", run, record: null });
      return;
    }
    finish(run, own ?? await failedRecord(run, { reason: reasonOf(end), started, out }));
  }

  function finish(run: PlannedRun, record: RunRecord): void {
    records.set(run.id, record);
    onEvent({ type: "ended", run, record });
  }

  async function failOrphans(): Promise<void> {
    const left: PlannedRun[] = [];
    for (const run of waiting) {
      const teacher = run.spec.teacher === null ? undefined : records.get(run.spec.teacher);
      if (teacher === undefined || teacher.status === "done") {
        left.push(run);
        continue;
      }
      const reason = `Its teacher ${teacher.id} (${describeRun(teacher.spec)}) ended as ${teacher.status}: ` +
        `${teacher.reason ?? "no reason known"}`;
      finish(run, await failedRecord(run, { reason, started: { at: new Date(), ms: performance.now() }, out }));
    }
    waiting = left;
  }

  function isReady(run: PlannedRun): boolean {
    return run.spec.teacher === null || records.get(run.spec.teacher)?.status === "done";
  }

  const stopAll = (): void => running.forEach(({ child }) => child.stop());
  const killAll = (): void => running.forEach(({ child }) => child.kill());
  interrupts?.stop.addEventListener("abort", stopAll);
  interrupts?.kill.addEventListener("abort", killAll);
  try {
    while (true) {
      await failOrphans();
      while (running.size < jobs && !interrupts?.stop.aborted) {
        const next = waiting.find(isReady);
        if (next === undefined) break;
        waiting = waiting.filter((run) => run !== next);
        start(next);
      }
      if (running.size === 0) break;
      await Promise.race([...running.values()].map(({ ended }) => ended));
    }
  } finally {
    interrupts?.stop.removeEventListener("abort", stopAll);
    interrupts?.kill.removeEventListener("abort", killAll);
    killAll();
    await Promise.allSettled([...running.values()].map(({ ended }) => ended));
  }
  return {
    records: plan.runs.flatMap(({ id }) => records.get(id) ?? []),
    unfinished: plan.runs.filter(({ id }) => !records.has(id)),
  };
}

/** Why a process without a record ended, in words. */
export function reasonOf(end: ChildEnd): string {
  if (end.message?.type === "failed") return end.message.reason;
  const how = end.signal === null ? `with code ${end.code}` : `by ${end.signal}`;
  const log = end.lastLines.length === 0 ? "its log is empty" : `last lines of its log: ${end.lastLines.join(" | ")}`;
  return `The process ended ${how} and left no record; ${log}`;
}

/** Writes and returns the record of a run that could not write its own. */
export async function failedRecord(
  run: PlannedRun,
  { reason, started, out }: { reason: string; started: Started; out: string },
): Promise<RunRecord> {
  const record: RunRecord = {
    schema: 1,
    id: run.id,
    spec: run.spec,
    status: "failed",
    reason,
    metrics: null,
    curve: readEvents(out, run.id),
    startedAt: started.at.toISOString(),
    wallSeconds: (performance.now() - started.ms) / 1000,
    cpuSeconds: 0,
    imagesPerSecond: 0,
    peakMemoryMiB: 0,
    environment: await environmentWithoutEngine(run.spec.engine),
    dataSha256: null,
  };
  writeRecord(out, record);
  return record;
}
