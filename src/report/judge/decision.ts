/**
 * Arithmetic of a verdict, in words.
 *
 * Compares paired differences with a stated one, and lists what a reader must know beside it.
 */
import type { ArmTitle } from "../../catalog/paper.ts";
import { revisionOf } from "../../catalog/revisions.ts";
import { counted, points, signed } from "../labels.ts";
import type { Finished, Result } from "../read/result.ts";
import type { PairedDifference } from "./statistics/paired.ts";
import { predictionInterval, seedsNeeded, seedsNeededToPredict } from "./statistics/student.ts";

/** Fewer seeds decide nothing. */
export const MINIMUM_SEEDS = 3;

/** Statement about a difference. */
export interface Stated {
  /** 1: above 0; -1: below. */
  readonly sign: 1 | -1;
  /** Distance on the other side of 0 that still counts as stated, >= 0. */
  readonly margin: number;
  /** Its size, > 0; null: not stated. */
  readonly size: number | null;
}

/** Conclusion from our differences. */
export interface Decision {
  readonly direction: "holds" | "fails" | "undecided";
  /** True if one run of ours cannot be as large as stated. */
  readonly isSmaller: boolean;
  /** Where one run of ours may reach, with the difference's own sign; null: fewer than 3 seeds, or no spread. */
  readonly reach: number | null;
  /** Why it is undecided, and what would decide; null: it is decided. */
  readonly why: string | null;
}

/**
 * Decides by the t 95 % interval [low, high] of the mean and the upper bound `top` of the t 95 % prediction interval, signs
 * turned so that the stated side is positive, the margin added:
 *
 *   fewer than 3 seeds, or all differences equal: undecided
 *   high <= 0: fails;  low > 0: holds;  else undecided
 *   top < size: smaller
 */
export function decide(difference: PairedDifference, { sign, margin, size }: Stated): Decision {
  const { n, sd } = difference;
  const undecided = (why: string): Decision => ({ direction: "undecided", isSmaller: false, reach: null, why });
  if (n < MINIMUM_SEEDS) {
    return undecided(`${counted(n, "common seed")}: ${counted(MINIMUM_SEEDS - n, "more seed")} needed`);
  }
  if (sd === 0) return undecided(`all ${n} differences are ${signed(difference.mean)}: no spread to judge by`);
  const interval = difference.interval!, sample = { n, sd: sd!, mean: sign * difference.mean };
  const low = (sign > 0 ? interval.low : -interval.high) + margin;
  const high = (sign > 0 ? interval.high : -interval.low) + margin;
  const top = predictionInterval(sample).high;
  const found = { isSmaller: size !== null && top < size, reach: sign * top };
  if (high <= 0) return { ...found, direction: "fails", why: null };
  if (low > 0) return { ...found, direction: "holds", why: null };
  return { ...found, direction: "undecided", why: seedsToDecide({ ...sample, mean: sample.mean + margin, size }) };
}

interface Outlook {
  readonly n: number;
  readonly sd: number;
  readonly mean: number;
  readonly size: number | null;
}

/**
 * Estimates how many seeds would decide if mean and spread stay.
 *
 * Either the interval leaves 0, on either side, or the prediction interval stays below the stated size. The sooner one
 * counts. The number is for a new set. Adding seeds until one decides finds a gain where there is none too often: in far
 * more than 5 % of cases.
 */
function seedsToDecide({ n, sd, mean, size }: Outlook): string {
  const totals = [
    mean === 0 ? null : seedsNeeded(sd, Math.abs(mean)),
    size === null || size <= mean ? null : seedsNeededToPredict(sd, size - mean),
  ].filter((total) => total !== null);
  if (totals.length === 0) {
    return `a larger set of seeds is needed; at a spread of ${points(sd)} its size cannot be estimated`;
  }
  return `a new set of about ${Math.max(n + 1, Math.min(...totals))} seeds would decide, if the spread stays`;
}

/** `+0.51 [+0.10, +0.92]`; without an interval the mean alone. */
export function differenceWords(
  { mean, interval }: Pick<PairedDifference, "mean" | "interval">,
  write: (value: number) => string = signed,
): string {
  return interval === null ? write(mean) : `${write(mean)} [${write(interval.low)}, ${write(interval.high)}]`;
}

/** The ended runs of a cell. */
interface Runs {
  readonly done: readonly Finished[];
  readonly notDone: readonly Result[];
}

/** A difference to one of an arm's controls. */
export interface ControlDifference {
  readonly control: ArmTitle;
  /** Null: no run of the control with a common seed. */
  readonly difference: PairedDifference | null;
}

/** The controls that a gain does not significantly exceed: they have a part of the method, so the gain may be theirs. */
export function controlRemarks(controls: readonly ControlDifference[]): string[] {
  return controls.filter(({ difference }) => difference === null || !isGain(difference)).map((
    { control, difference },
  ) =>
    `not significantly above its control ${control.title} ` +
    (difference === null ? "(no common seed)" : `(${differenceWords(difference)})`)
  );
}

function isGain(difference: PairedDifference): boolean {
  return decide(difference, { sign: 1, margin: 0, size: null }).direction === "holds";
}

/**
 * Lists what is lost or less than traceable on either side of a comparison. A seed that diverged is not missing by chance.
 *
 * @param other Whom the cell is compared with, by name; null: nobody, or what is compared is no cell.
 */
export function comparisonRemarks(
  own: Runs,
  { other, difference }: {
    readonly other: (Runs & { readonly title: string }) | null;
    readonly difference: PairedDifference | null;
  },
): string[] {
  const seeds = own.done.length;
  return [
    ...runsRemarks(own),
    ...(difference !== null && difference.n < seeds ? [`only ${difference.n} of ${seeds} seeds are common`] : []),
    ...(other === null ? [] : runsRemarks(other).map((remark) => `${other.title}: ${remark}`)),
    ...(other === null || difference === null ? [] : deviceRemarks(own.done, other)),
  ];
}

/**
 * Pairs of two kinds of device: rounding alone parts two trainings, so such a difference holds the device's too. Asked only
 * of arms that there is a difference to: runs of another recipe are no pair.
 */
export function deviceRemarks(
  own: readonly Result[],
  { done, title }: { readonly done: readonly Result[]; readonly title: string },
): string[] {
  const devices = new Map(done.map(({ seed, origin }) => [seed, origin?.device]));
  const pairs = own.filter(({ seed }) => devices.has(seed));
  const across = pairs.filter(({ seed, origin }) => devices.get(seed) !== origin?.device).length;
  return across > 0 ? [`${across} of ${counted(pairs.length, "pair")} with ${title} are of a GPU and a CPU`] : [];
}

function runsRemarks({ done, notDone }: Runs): string[] {
  const lost = notDone.length, ended = done.length + lost;
  return [
    ...(lost > 0 && done.length > 0 ? [`${lost} of ${ended} runs did not finish and are left out`] : []),
    ...doubtsOf(done),
  ];
}

/**
 * Lists what makes runs less than fully traceable or alike: `doubtsOf`, and several commits.
 *
 * A long grid has several commits by nature.
 */
export function flagsOf(runs: readonly Result[]): string[] {
  const commits = new Set(runs.flatMap(({ origin }) => origin?.commit ?? [])).size;
  return [...doubtsOf(runs), ...(commits > 1 ? [`runs of ${commits} commits`] : [])];
}

/** Uncommitted changes, no commit, a GPU, a change of processor, a quantizer that the code has changed since. */
function doubtsOf(runs: readonly Result[]): string[] {
  const origins = runs.flatMap(({ origin }) => origin ?? []);
  const of = (count: number) => `${count} of ${counted(runs.length, "run")}`;
  const dirty = origins.filter(({ dirty }) => dirty === true).length;
  const unknown = origins.filter(({ commit }) => commit === null).length;
  const old = new Set(runs.flatMap(({ version }) => {
    const name = version?.quantizer ?? null;
    return name !== null && version!.revision < revisionOf(name) ? name : [];
  }));
  const gpu = origins.filter(({ device }) => device === "gpu").length;
  const several = origins.filter(({ onSeveralProcessors }) => onSeveralProcessors).length;
  return [
    ...(dirty > 0 ? [`${of(dirty)} of a checkout with uncommitted changes`] : []),
    ...(unknown > 0 ? [`${of(unknown)} of no known commit`] : []),
    ...[...old].sort().map((name) => `runs before revision ${revisionOf(name)} of quantizer ${name}`),
    ...(gpu > 0 ? [`${of(gpu)} on a GPU`] : []),
    ...(several > 0 ? [`${of(several)} stopped and resumed on another processor`] : []),
  ];
}
