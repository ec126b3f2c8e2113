/** What is computed over seeds. All functions are pure; what is drawn is drawn from a seeded stream. */
import { type Interval, mean, standardDeviation } from "./basics.ts";
import { bcaInterval } from "./bootstrap.ts";
import { signFlipP } from "./sign_flip.ts";
import { tInterval, tTestP } from "./student.ts";

export { type Interval, mean, quantile, standardDeviation } from "./basics.ts";

/** One seed that two arms share. */
export interface SeedDifference {
  readonly seed: number;
  readonly difference: number;
}

/** Differences of two arms over the seeds that both have. */
export interface PairedDifference {
  readonly n: number;
  readonly mean: number;
  /** Null for n = 1. */
  readonly sd: number | null;
  /** The t 95 % interval of the mean, by which verdicts are made; null for n = 1. */
  readonly interval: Interval | null;
  /** The BCa bootstrap 95 % interval, for comparison; null where there is none, and `bootstrapNote` says why. */
  readonly bootstrap: Interval | null;
  readonly bootstrapNote: string | null;
  /** Two-sided p-values of "no difference": Student's t, null without spread; exact sign flips, null for more than 20. */
  readonly tTestP: number | null;
  readonly signFlipP: number | null;
  /** In the order of the runs. */
  readonly pairs: readonly SeedDifference[];
}

/** Of every bootstrap: the same records give the same interval. */
const BOOTSTRAP_SEED = 0;

/** All that a report says of paired differences. @throws {RangeError} If there is none. */
export function pairedDifference(pairs: readonly SeedDifference[]): PairedDifference {
  const differences = pairs.map(({ difference }) => difference);
  const n = differences.length, centre = mean(differences), sd = standardDeviation(differences);
  const { interval: bootstrap, note: bootstrapNote } = bcaInterval(differences, { seed: BOOTSTRAP_SEED });
  return {
    n,
    mean: centre,
    sd,
    interval: sd === null ? null : tInterval({ n, mean: centre, sd }),
    bootstrap,
    bootstrapNote,
    tTestP: sd === null ? null : tTestP({ n, mean: centre, sd }),
    signFlipP: signFlipP(differences),
    pairs,
  };
}
