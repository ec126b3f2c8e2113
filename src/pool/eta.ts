import { makespanSeconds } from "../plan/estimate.ts";
import type { PlannedRun } from "../plan/plan.ts";
import type { RunView } from "./progress_view.ts";

/** Below this share of a run its pace says little. */
const LEAST_FRACTION = 0.02;

interface EtaOptions {
  readonly running: ReadonlyMap<string, RunView>;
  readonly jobs: number;
  readonly estimate: ((run: PlannedRun) => number | null) | undefined;
  readonly now: number;
}

/** Seconds that a whole run takes at the pace that it has shown; null: too early to say. */
function byOwnPace(view: RunView, nowMs: number): number | null {
  const done = view.fraction - (view.startFraction ?? 0);
  return done < LEAST_FRACTION ? null : (nowMs - view.startedMs) / 1000 / done;
}

/**
 * Seconds until the last of the runs ends: each as records say, or at its own pace once it has shown one; those that wait
 * are as much slower or faster than the records as the running ones are.
 * @param left Runs that have not ended, teachers first.
 * @returns Null: a run is of a kind that no record knows and has shown no pace.
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
