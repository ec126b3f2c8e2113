import { formatSeconds } from "../plan/estimate.ts";
import { etaByRecords } from "./eta.ts";
import type { Holder } from "../store/locks.ts";
import { describeRun, type PlannedRun } from "../plan/plan.ts";
import type { PoolEvent } from "./pool.ts";
import type { RunRecord } from "../record/record.ts";
import { createBars } from "./progress_bars.ts";
import { describeTotal, describeView, type Display, type RunView, type TotalView } from "./progress_view.ts";

/** Where progress is told; to people, so never on stdout. */
export interface ProgressOptions {
  readonly write: (text: string) => void;
  /** Whether `write` leads to a terminal that can move its cursor. */
  readonly terminal: boolean;
  readonly columns?: number;
  /** Milliseconds of a clock that only runs forward. */
  readonly now?: () => number;
  /** Milliseconds between two plain lines that tell of running runs. */
  readonly lineEveryMs?: number;
  /** Seconds that a run is expected to take, learnt from records; null: not known. */
  readonly estimateSeconds?: (run: PlannedRun) => number | null;
  /** How many runs are computed at once. @default as many as are running */
  readonly jobs?: number;
}

/** Follows a pool. */
export interface Progress {
  readonly onEvent: (event: PoolEvent) => void;
  /** A line of its own, above the bars. */
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

/** Images that a run looks at, as far as its spec tells: a weight among runs, not a promise. */
function weightOf(run: PlannedRun): number {
  return run.spec.recipe.epochs * (run.spec.dataset.trainExamples ?? FULL_TRAINING_SET);
}

/**
 * Tells people what a pool does: on a terminal a bar a running run and one for all, elsewhere a line when a run ends
 * and at most one line a minute in between.
 * @param todo The runs that the pool will run.
 */
export function createProgress(todo: readonly PlannedRun[], options: ProgressOptions): Progress {
  const now = options.now ?? (() => performance.now());
  const startedAt = now();
  const display = options.terminal ? createBars(options) : createLines(options, now);
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
    const jobs = Math.max(1, options.jobs ?? running.size);
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
  return { onEvent, say: (line) => display.say(line), close: () => display.close() };
}

/** Who has a run, in a few words. */
export function describeHolder({ host, pid }: Holder): string {
  return `run by process ${pid} on ${host}, its record is waited for`;
}

/** How a run ended, in a few words. */
export function describeEnd(record: RunRecord | null): string {
  if (record === null) return "stopped, its checkpoint is kept";
  if (record.status !== "done") return `${record.status}: ${record.reason ?? "no reason known"}`;
  const top1 = record.metrics?.top1Percent;
  return `done, ${top1 === undefined ? "" : `${top1.toFixed(2)} % top-1, `}${formatSeconds(record.wallSeconds)}`;
}

function createLines(options: ProgressOptions, now: () => number): Display {
  const everyMs = options.lineEveryMs ?? 60_000;
  let last = now();
  return {
    update(running, total): void {
      if (now() - last < everyMs || running.size === 0) return;
      last = now();
      options.write(`${describeTotal(total)}; ${[...running.values()].map(describeView).join("; ")}\n`);
    },
    say: (line) => options.write(line + "\n"),
    close: () => {},
  };
}
