/**
 * Two arms over all tasks of a table, a task being a model at a width (Agarwal et al. 2021, "Deep Reinforcement Learning at
 * the Edge of the Statistical Precipice", arXiv:2108.13264; their library is rliable).
 */
import { type Stream, stream } from "../../../random/stream.ts";
import { CONFIDENCE, difference, type Interval, mean, quantile } from "./basics.ts";

/** The runs of one task, one value a seed, seed by seed the same in both arms; at least one. */
export interface TaskScores {
  /** Runs of the arm. */
  readonly arm: readonly number[];
  /** Runs of the baseline, in the same order of seeds. */
  readonly baseline: readonly number[];
}

/**
 * An arm beside the baseline. The interquartile mean is of the differences, paired by seed, and not of the accuracies:
 * those of different tasks are of different sizes, so that cutting their ends would cut whole tasks, in each arm others
 * (rliable asks for normalised scores). Intervals are null where a task has fewer than 2 runs.
 */
export interface SuiteSummary {
  /** Number of tasks. */
  readonly tasks: number;
  /** Runs of the arm. */
  readonly runs: number;
  /** Mean of all paired differences. */
  readonly meanDifference: number;
  /** Interquartile mean of all paired differences. */
  readonly iqm: number;
  /** Bootstrap 95 % interval of it. */
  readonly iqmInterval: Interval | null;
  /** Probability that a run of the arm is above one of the baseline, averaged over tasks. */
  readonly probabilityOfImprovement: number;
  /** Bootstrap 95 % interval of it. */
  readonly probabilityInterval: Interval | null;
}

const RESAMPLES = 2000;
/** Resamples for more than 500 runs: their measures vary less, and their resamples cost more. */
const RESAMPLES_OF_MANY = 1000, MANY_RUNS = 500;
/** Share that the interquartile mean cuts from each end. */
const CUT = 0.25;

/** Interquartile mean: the mean without the floor(n / 4) lowest and highest values. */
export function interquartileMean(values: readonly number[]): number {
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
 * with replacement. For the interquartile mean pairs are drawn, for the probability each arm for itself.
 *
 * @param options.seed Of the draws.
 * @param options.resamples Default: 2,000; 1,000 for more than 500 runs.
 * @throws {RangeError} If there is no task.
 */
export function suiteSummary(
  tasks: readonly TaskScores[],
  options: { readonly seed: number; readonly resamples?: number },
): SuiteSummary {
  const differences = tasks.flatMap(pairedDifferences);
  const { seed, resamples = differences.length > MANY_RUNS ? RESAMPLES_OF_MANY : RESAMPLES } = options;
  const isSpread = tasks.every(({ arm, baseline }) => arm.length > 1 && baseline.length > 1);
  const intervals = isSpread ? stratifiedBootstrap(tasks, { seed, resamples }) : null;
  return {
    tasks: tasks.length,
    runs: differences.length,
    meanDifference: mean(differences),
    iqm: interquartileMean(differences),
    iqmInterval: intervals?.iqm ?? null,
    probabilityOfImprovement: probabilityOfImprovement(tasks),
    probabilityInterval: intervals?.probability ?? null,
  };
}

function pairedDifferences({ arm, baseline }: TaskScores): number[] {
  return arm.map((own, index) => difference(own, baseline[index]!));
}

/** A task prepared for resampling: a table of 10,000 runs is resampled 2,000 times. */
interface PreparedTask {
  /** Place of each pair's difference among all of them, ascending. */
  readonly places: Uint32Array;
  readonly baselineRuns: number;
  /** [run of the arm, run of the baseline]: 2 above, 1 equal, 0 below. */
  readonly halves: Uint8Array;
}

function stratifiedBootstrap(
  tasks: readonly TaskScores[],
  { seed, resamples }: { readonly seed: number; readonly resamples: number },
): { iqm: Interval; probability: Interval } {
  const draws = stream({ seed, purpose: "bootstrap", a: 1 });
  const sorted = Float64Array.from(tasks.flatMap(pairedDifferences)).sort();
  const prepared = tasks.map((task) => prepare(task, sorted));
  const counts = new Uint32Array(sorted.length);
  const most = Math.max(...tasks.map(({ arm, baseline }) => Math.max(arm.length, baseline.length)));
  const scratch = { draws, counts, own: new Uint32Array(most), others: new Uint32Array(most) };
  const iqms = new Float64Array(resamples), probabilities = new Float64Array(resamples);
  for (let resample = 0; resample < resamples; resample++) {
    counts.fill(0);
    let shares = 0;
    for (const task of prepared) shares += drawTask(task, scratch);
    iqms[resample] = countedInterquartileMean(sorted, counts);
    probabilities[resample] = shares / tasks.length;
  }
  return { iqm: percentiles(iqms), probability: percentiles(probabilities) };
}

function prepare({ arm, baseline }: TaskScores, sorted: Float64Array): PreparedTask {
  return {
    places: Uint32Array.from(pairedDifferences({ arm, baseline }), (value) => sorted.indexOf(value)),
    baselineRuns: baseline.length,
    halves: Uint8Array.from(arm.flatMap((own) => baseline.map((other) => own > other ? 2 : own === other ? 1 : 0))),
  };
}

/** Where draws go: of the arm's runs, their pairs counted by place, and of the baseline's. */
interface Scratch {
  readonly draws: Stream;
  readonly counts: Uint32Array;
  readonly own: Uint32Array;
  readonly others: Uint32Array;
}

/** Draws the runs of both arms, counts the pairs of the arm's by place, and returns the share above. */
function drawTask({ places, baselineRuns, halves }: PreparedTask, { draws, counts, own, others }: Scratch): number {
  const rows = places.length;
  for (let k = 0; k < Math.max(rows, baselineRuns); k++) {
    // one word is two draws, each floor(n U[0, 1)) with U a multiple of 2^-16: a table of 1,000 runs takes millions
    const word = draws.word();
    own[k] = ((word & 0xffff) * rows) >>> 16;
    others[k] = ((word >>> 16) * baselineRuns) >>> 16;
  }
  let total = 0;
  for (let i = 0; i < rows; i++) {
    counts[places[own[i]!]!]!++;
    const start = own[i]! * baselineRuns;
    for (let j = 0; j < baselineRuns; j++) total += halves[start + others[j]!]!;
  }
  return total / (2 * rows * baselineRuns);
}

/** `interquartileMean` of values that are there so many times. */
function countedInterquartileMean(sorted: Float64Array, counts: Uint32Array): number {
  const cut = Math.floor(CUT * sorted.length), end = sorted.length - cut;
  let seen = 0, total = 0;
  for (let place = 0; place < sorted.length && seen < end; place++) {
    const after = seen + counts[place]!;
    const kept = Math.min(after, end) - Math.max(seen, cut);
    if (kept > 0) total += kept * sorted[place]!;
    seen = after;
  }
  return total / (end - cut);
}

function percentiles(values: Float64Array): Interval {
  const sorted = values.sort(), tail = (1 - CONFIDENCE) / 2;
  return { low: quantile(sorted, tail), high: quantile(sorted, 1 - tail) };
}
