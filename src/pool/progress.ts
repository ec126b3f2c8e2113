/** Progress of a pool, reported to people: what runs, what ended and when the rest is expected to end. */
import { formatSeconds, makespanSeconds } from "../plan/estimate.ts";
import type { RunRecord } from "../record/record.ts";
import { describeRun, type PlannedRun } from "../record/spec.ts";
import type { Holder } from "../store/locks.ts";
import type { PoolEvent } from "./pool.ts";
import { createBars, createLines, type RunView, type TotalView } from "./progress_display.ts";

/** Options of `createProgress`. Progress is for people, so it never goes to stdout. */
export interface ProgressOptions {
  readonly write: (text: string) => void;
  /** True: `write` leads to a terminal that can move its cursor. */
  readonly terminal: boolean;
  readonly columns?: number;
  /** Milliseconds of a clock that only runs forward. */
  readonly now?: () => number;
  /** Returns the seconds that a run is expected to take, learnt from records; null: unknown. */
  readonly estimateSeconds?: (run: PlannedRun) => number | null;
  /** Returns the number of runs at once. @default as many as are running */
  readonly jobs?: () => number;
}

/** Report on a pool. */
export interface Progress {
  readonly onEvent: (event: PoolEvent) => void;
  /** Tells how far all runs are. */
  readonly total: () => TotalView;
  /** Writes a line of its own, above the bars. */
  say(line: string): void;
  close(): void;
}

const NOT_BEGUN = {
  epoch: 0,
  fraction: 0,
  loss: null,
  imagesPerSecond: 0,
  top1Percent: null,
  startedMs: 0,
  startFraction: null,
};
const FULL_TRAINING_SET = 50_000;

/** Counts the images that a run looks at, as far as its spec tells: a weight among runs, not a promise. */
function weightOf(run: PlannedRun): number {
  return run.spec.recipe.epochs * (run.spec.dataset.trainExamples ?? FULL_TRAINING_SET);
}

/**
 * Reports what a pool does: on a terminal one bar per running run and one for all, elsewhere a line when a run ends and
 * at most one line per minute in between.
 * @param todo The runs that the pool will run.
 */
export function createProgress(todo: readonly PlannedRun[], options: ProgressOptions): Progress {
  const now = options.now ?? (() => performance.now());
  const startedAt = now();
  const { write } = options;
  const display = options.terminal ? createBars(options) : createLines({ write, now });
  const running = new Map<string, RunView>();
  const endedIds = new Set<string>();
  const allWeight = todo.reduce((sum, run) => sum + weightOf(run), 0);
  let endedWeight = 0;

  function total(): TotalView {
    let weight = endedWeight;
    for (const run of todo) weight += weightOf(run) * (running.get(run.id)?.fraction ?? 0);
    const fraction = allWeight === 0 ? 1 : weight / allWeight;
    const elapsedSeconds = (now() - startedAt) / 1000;
    const byPace = fraction > 0.005 ? elapsedSeconds * (1 - fraction) / fraction : null;
    const left = todo.filter(({ id }) => !endedIds.has(id));
    const jobs = Math.max(1, options.jobs?.() ?? running.size);
    const etaSeconds = etaByRecords(left, { running, jobs, estimate: options.estimateSeconds, now: now() }) ?? byPace;
    return { ended: endedIds.size, runs: todo.length, fraction, etaSeconds };
  }

  function onEvent(event: PoolEvent): void {
    const { run } = event;
    const before = running.get(run.id) ?? { ...NOT_BEGUN, name: describeRun(run.spec), epochs: run.spec.recipe.epochs };
    if (event.type === "started") running.set(run.id, { ...before, startedMs: now(), startFraction: null });
    if (event.type === "message" && event.message.type === "progress") {
      const { epoch, epochs, step, steps, loss, imagesPerSecond } = event.message;
      const fraction = Math.min(1, step / Math.max(1, steps));
      const startFraction = before.startFraction ?? fraction;
      running.set(run.id, {
        ...before,
        ...{ epoch: Math.max(1, epoch), epochs, fraction, startFraction, loss, imagesPerSecond },
      });
    }
    if (event.type === "message" && event.message.type === "epoch") {
      running.set(run.id, { ...before, top1Percent: event.message.epoch.testTop1Percent });
    }
    if (event.type === "retried") display.say(`${describeRun(run.spec)}: failed, tried again: ${event.reason}`);
    if (event.type === "elsewhere") display.say(`${describeRun(run.spec)}: ${describeHolder(event.holder)}`);
    if (event.type === "ended") {
      running.delete(run.id);
      if (event.record !== null) {
        endedIds.add(run.id);
        endedWeight += weightOf(run);
      }
      display.say(`[${endedIds.size}/${todo.length}] ${describeRun(run.spec)}: ${describeEnd(event.record)}`);
    }
    display.update(running, total());
  }
  return { onEvent, total, say: (line) => display.say(line), close: () => display.close() };
}

/** Describes who has a run, in a few words. */
export function describeHolder({ host, pid }: Holder): string {
  return `run by process ${pid} on ${host}, waiting for its record`;
}

/** Describes how a run ended, in a few words. */
export function describeEnd(record: RunRecord | null): string {
  if (record === null) return "stopped";
  if (record.status !== "done") return `${record.status}: ${record.reason ?? "no reason known"}`;
  const top1 = record.metrics?.top1Percent;
  return `done, ${top1 === undefined ? "" : `${top1.toFixed(2)} % top-1, `}${formatSeconds(record.wallSeconds)}`;
}

/** Share of a run below which its pace says little. */
const LEAST_FRACTION = 0.02;

interface EtaOptions {
  readonly running: ReadonlyMap<string, RunView>;
  readonly jobs: number;
  readonly estimate: ((run: PlannedRun) => number | null) | undefined;
  readonly now: number;
}

/** Estimates the seconds that a whole run takes at the pace it has shown; null: too early to say. */
function byOwnPace(view: RunView, nowMs: number): number | null {
  const done = view.fraction - (view.startFraction ?? 0);
  return done < LEAST_FRACTION ? null : (nowMs - view.startedMs) / 1000 / done;
}

/**
 * Estimates the seconds until the last of the runs ends: each as records say, or at its own pace once it has shown one.
 * Waiting runs are as much slower or faster than the records as the running ones are.
 * @param left Runs that have not ended, teachers first.
 * @returns Null: some run is of a kind without a record and has shown no pace.
 */
export function etaByRecords(left: readonly PlannedRun[], { running, jobs, estimate, now }: EtaOptions): number | null {
  if (estimate === undefined) return null;
  const whole = left.map((run) => {
    const view = running.get(run.id);
    return { run, view, expected: estimate(run), paced: view === undefined ? null : byOwnPace(view, now) };
  });
  const known = whole.filter(({ expected, paced }) => expected !== null && paced !== null);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const slower = known.length === 0
    ? 1
    : sum(known.map(({ paced }) => paced!)) / sum(known.map(({ expected }) => expected!));
  const rest: { id: string; teacher: string | null; seconds: number }[] = [];
  for (const { run, view, expected, paced } of whole) {
    const seconds = paced ?? (expected === null ? null : expected * slower);
    if (seconds === null) return null;
    rest.push({ id: run.id, teacher: run.spec.teacher, seconds: seconds * (1 - (view?.fraction ?? 0)) });
  }
  const isRunning = ({ id }: { id: string }): boolean => running.has(id);
  return makespanSeconds([...rest.filter(isRunning), ...rest.filter((run) => !isRunning(run))], jobs);
}
