/**
 * Two arms over all tasks of a table, a task being a model at a width (Agarwal et al. 2021, "Deep Reinforcement Learning at
 * the Edge of the Statistical Precipice", arXiv:2108.13264; their library is rliable).
 */
import { stream, type Stream } from "../../random/stream.ts";
import { CONFIDENCE, type Interval, mean, quantile } from "./basics.ts";

/** The runs of one task, one value a seed; both arms have at least one. */
export interface TaskScores {
  readonly arm: readonly number[];
  readonly baseline: readonly number[];
}

/** An arm beside the baseline. Intervals are null where a task has fewer than 2 runs of an arm. */
export interface SuiteSummary {
  readonly tasks: number;
  /** Runs of the arm. */
  readonly runs: number;
  readonly iqm: number;
  readonly iqmInterval: Interval | null;
  readonly baselineIqm: number;
  readonly probabilityOfImprovement: number;
  readonly probabilityInterval: Interval | null;
}

const RESAMPLES = 2000;
/** Share that the interquartile mean cuts from each end. */
const CUT = 0.25;

/** Interquartile mean: the mean without the floor(n / 4) lowest and highest values, of all runs of all tasks together. */
export function interquartileMean(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort(), cut = Math.floor(CUT * sorted.length);
  return mean(sorted.subarray(cut, sorted.length - cut));
}

/**
 * P(a run of the arm is above a run of the baseline), ties half, averaged over tasks: the Mann-Whitney U of each task over
 * the number of its pairs. Runs are not paired by seed here.
 */
export function probabilityOfImprovement(tasks: readonly TaskScores[]): number {
  return mean(tasks.map(({ arm, baseline }) => shareAbove(arm, baseline)));
}

function shareAbove(left: ArrayLike<number>, right: ArrayLike<number>): number {
  let halves = 0;
  for (let i = 0; i < left.length; i++) {
    for (let j = 0; j < right.length; j++) {
      const a = left[i]!, b = right[j]!;
      if (a > b) halves += 2;
      else if (a === b) halves += 1;
    }
  }
  return halves / (2 * left.length * right.length);
}

/**
 * Both measures with stratified bootstrap 95 % intervals: percentiles over resamples that draw the runs of each task anew,
 * with replacement, each arm for itself.
 *
 * @param options.seed Of the draws.
 * @param options.resamples Default: 2,000.
 * @throws {RangeError} If there is no task.
 */
export function suiteSummary(
  tasks: readonly TaskScores[],
  { seed, resamples = RESAMPLES }: { readonly seed: number; readonly resamples?: number },
): SuiteSummary {
  const scores = tasks.flatMap(({ arm }) => arm);
  const isSpread = tasks.every(({ arm, baseline }) => arm.length > 1 && baseline.length > 1);
  const intervals = isSpread ? stratifiedBootstrap(tasks, { seed, resamples }) : null;
  return {
    tasks: tasks.length,
    runs: scores.length,
    iqm: interquartileMean(scores),
    iqmInterval: intervals?.iqm ?? null,
    baselineIqm: interquartileMean(tasks.flatMap(({ baseline }) => baseline)),
    probabilityOfImprovement: probabilityOfImprovement(tasks),
    probabilityInterval: intervals?.probability ?? null,
  };
}

function stratifiedBootstrap(
  tasks: readonly TaskScores[],
  { seed, resamples }: { readonly seed: number; readonly resamples: number },
): { iqm: Interval; probability: Interval } {
  const draws = stream({ seed, purpose: "bootstrap", a: 1 });
  const flat = new Float64Array(tasks.reduce((count, { arm }) => count + arm.length, 0));
  const iqms = new Float64Array(resamples), probabilities = new Float64Array(resamples);
  for (let resample = 0; resample < resamples; resample++) {
    let offset = 0, shares = 0;
    for (const { arm, baseline } of tasks) {
      const left = resampled(arm, draws);
      shares += shareAbove(left, resampled(baseline, draws));
      flat.set(left, offset);
      offset += left.length;
    }
    iqms[resample] = interquartileMean(flat);
    probabilities[resample] = shares / tasks.length;
  }
  return { iqm: percentiles(iqms), probability: percentiles(probabilities) };
}

function resampled(values: readonly number[], draws: Stream): Float64Array {
  return Float64Array.from(values, () => values[draws.integer(values.length)]!);
}

function percentiles(values: Float64Array): Interval {
  const sorted = values.sort(), tail = (1 - CONFIDENCE) / 2;
  return { low: quantile(sorted, tail), high: quantile(sorted, 1 - tail) };
}
