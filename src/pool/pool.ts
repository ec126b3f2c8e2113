import type { PlanState } from "../plan/plan.ts";
import { isFinal, type RunRecord } from "../record/record.ts";
import type { PlannedRun } from "../record/spec.ts";
import { DEFAULT_LOCK_TIMES, type Holder, type LockTimes, openLocks } from "../store/locks.ts";
import { readRecord } from "../store/store.ts";
import { failedRecord, orphanFailure, type RunningRun, startRun } from "./attempt.ts";
import type { Interrupts } from "./interrupts.ts";
import type { RunLimits } from "./limits.ts";
import { cpuPlaces, type Place, type Places } from "./places.ts";
import type { ChildMessage } from "./process.ts";

/** Event in a pool; `record` null: the run was stopped and can be resumed. */
export type PoolEvent =
  | { readonly type: "started"; readonly run: PlannedRun }
  | { readonly type: "message"; readonly run: PlannedRun; readonly message: ChildMessage }
  /** An attempt failed and another begins. */
  | { readonly type: "retried"; readonly run: PlannedRun; readonly reason: string }
  /** Another scheduler has the run: the pool waits for its record. */
  | { readonly type: "elsewhere"; readonly run: PlannedRun; readonly holder: Holder }
  | { readonly type: "ended"; readonly run: PlannedRun; readonly record: RunRecord | null };

/** Options of `runPool`. */
export interface PoolOptions {
  readonly out: string;
  /** Number of processes at once, or their places. */
  readonly jobs: number | Places;
  /** Program and arguments of a run's process. */
  readonly command: readonly string[];
  readonly interrupts?: Interrupts;
  /** @default none */
  readonly limits?: RunLimits;
  /** Number of further attempts after a failure. @default 0 */
  readonly retries?: number;
  /** Stops the other runs, with their checkpoints, when one has failed or run out of time. @default false */
  readonly failFast?: boolean;
  /** Time that a process has to write its checkpoint when its time limit is over. */
  readonly graceMs?: number;
  readonly lockTimes?: Partial<LockTimes>;
  readonly onEvent?: (event: PoolEvent) => void;
}

/** Outcome of a pool. */
export interface PoolOutcome {
  /** Records of the plan, in its order; runs that were not finished have none. */
  readonly records: readonly RunRecord[];
  /** Runs that were stopped or never started. */
  readonly unfinished: readonly PlannedRun[];
}

interface Running {
  readonly process: RunningRun;
  readonly ended: Promise<void>;
}

/**
 * Runs what is left of a plan, one process per run and at most `jobs` at once, each after its teacher.
 *
 * A process that crashes, throws, exits with a code or breaks a limit becomes a record of status `failed` or `timeout`,
 * so do its students, and the others continue. A run that another scheduler has on the same folder is left to it, and
 * its record is taken as if it were made here.
 *
 * @throws {InputError} If the folder cannot be written; processes are then ended and finished records are intact.
 */
export async function runPool(plan: PlanState, options: PoolOptions): Promise<PoolOutcome> {
  const { out, jobs, interrupts, failFast = false } = options;
  const onEvent = options.onEvent ?? (() => {});
  const records = new Map(plan.finished);
  const running = new Map<string, Running>();
  const elsewhere = new Set<string>();
  /** Records of failures from before, which are to be tried again. */
  const old = new Map(plan.todo.map(({ id }) => [id, JSON.stringify(readRecord(out, id))]));
  const lookMs = options.lockTimes?.lookMs ?? DEFAULT_LOCK_TIMES.lookMs;
  const locks = openLocks(out, {
    ...(options.lockTimes === undefined ? {} : { times: options.lockTimes }),
    onLost: (id) => running.get(id)?.process.abandon(),
  });
  const places = typeof jobs === "number" ? cpuPlaces(jobs) : jobs;
  let resized = Promise.withResolvers<void>();
  places.onChange(() => resized.resolve());
  let waiting = [...plan.todo];
  let stopping = interrupts?.stop.aborted ?? false;
  /** True: a run has ended since the waiting ones were last looked at. */
  let changed = false;

  /** Takes the run's lock, or leaves the run where it is; a record that another scheduler wrote meanwhile counts. */
  function take(run: PlannedRun): boolean {
    const holder = locks.take(run.id);
    if (holder !== "taken") {
      if (!elsewhere.has(run.id)) onEvent({ type: "elsewhere", run, holder });
      elsewhere.add(run.id);
      return false;
    }
    elsewhere.delete(run.id);
    const record = readRecord(out, run.id);
    if (record === null || (!isFinal(record) && JSON.stringify(record) === old.get(run.id))) return true;
    locks.release(run.id);
    finish(run, record);
    return false;
  }

  function start(run: PlannedRun): void {
    const place = places.take(run);
    const process = startRun(run, {
      ...options,
      place,
      onMessage: (message) => {
        place.report(message);
        onEvent({ type: "message", run, message });
      },
      locks,
      onRetry: (reason) => onEvent({ type: "retried", run, reason }),
    });
    onEvent({ type: "started", run });
    running.set(run.id, { process, ended: settle(run, { process, place }) });
  }

  async function settle(run: PlannedRun, { process, place }: { process: RunningRun; place: Place }): Promise<void> {
    const record = await process.ended.finally(() => {
      place.release();
      running.delete(run.id);
      locks.release(run.id);
    });
    if (record !== null) return finish(run, record);
    onEvent({ type: "ended", run, record: null });
    // Taken over by another scheduler: wait for its record.
    if (!stopping) waiting.push(run);
  }

  function finish(run: PlannedRun, record: RunRecord): void {
    changed = true;
    records.set(run.id, record);
    waiting = waiting.filter(({ id }) => id !== run.id);
    onEvent({ type: "ended", run, record });
    if (failFast && !isFinal(record)) stopAll();
  }

  function failOrphans(): void {
    for (const run of waiting) {
      const teacher = run.spec.teacher === null ? undefined : records.get(run.spec.teacher);
      if (teacher === undefined || teacher.status === "done" || !take(run)) continue;
      finish(run, failedRecord(run, { failure: orphanFailure(teacher), out }));
      locks.release(run.id);
    }
  }

  function startReady(): void {
    const ready = waiting.filter(({ spec }) => spec.teacher === null || records.get(spec.teacher)?.status === "done");
    for (const run of ready) {
      if (running.size >= places.limit || stopping) return;
      if (!take(run)) continue;
      waiting = waiting.filter((other) => other !== run);
      start(run);
    }
  }

  function stopAll(): void {
    stopping = true;
    running.forEach(({ process }) => process.stop());
  }
  const killAll = (): void => running.forEach(({ process }) => process.kill());
  interrupts?.stop.addEventListener("abort", stopAll);
  interrupts?.kill.addEventListener("abort", killAll);
  try {
    while (true) {
      changed = false;
      resized = Promise.withResolvers();
      failOrphans();
      startReady();
      // A teacher that ended elsewhere lets its students begin.
      if (changed) continue;
      const blocked = elsewhere.size > 0 && !stopping && running.size < places.limit;
      if (running.size === 0 && !blocked) break;
      const ends = [...running.values()].map(({ ended }) => ended);
      await within(Promise.race([...ends, ...(ends.length === 0 ? [] : [resized.promise])]), blocked ? lookMs : null);
    }
  } finally {
    interrupts?.stop.removeEventListener("abort", stopAll);
    interrupts?.kill.removeEventListener("abort", killAll);
    killAll();
    await Promise.allSettled([...running.values()].map(({ ended }) => ended));
    locks.close();
  }
  return {
    records: plan.runs.flatMap(({ id }) => records.get(id) ?? []),
    unfinished: plan.runs.filter(({ id }) => !records.has(id)),
  };
}

/** Waits for work to end, but no longer than `ms`; null: as long as it takes. Rejects where the work does. */
export async function within(work: Promise<unknown>, ms: number | null): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = ms === null ? [] : [new Promise<void>((resolve) => void (timer = setTimeout(resolve, ms)))];
  await Promise.race([work, ...limit]).finally(() => clearTimeout(timer));
}
