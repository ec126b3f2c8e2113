/** What a reader must know beside a comparison, in words. It changes no verdict. */
import type { RunRecord } from "../../record/record.ts";
import { revisionOf } from "../../catalog/revisions.ts";
import { decide, differenceWords } from "./decision.ts";
import { counted } from "../labels.ts";
import { specRevision } from "./newest.ts";
import type { PairedDifference } from "./statistics/paired.ts";
import type { ArmTitle } from "../../catalog/paper.ts";

/** The ended runs of a cell. */
interface Runs {
  readonly done: readonly RunRecord[];
  readonly notDone: readonly RunRecord[];
}

/** A difference to one of an arm's controls. */
export interface ControlDifference {
  readonly control: ArmTitle;
  /** Null: no run of the control with a common seed. */
  readonly difference: PairedDifference | null;
}

/** The controls that a gain does not surely exceed: they have a part of the method, so the gain may be theirs. */
export function controlRemarks(controls: readonly ControlDifference[]): string[] {
  return controls.filter(({ difference }) => difference === null || !isGain(difference)).map((
    { control, difference },
  ) =>
    `not surely against its control ${control.title} ` +
    (difference === null ? "(no common seed)" : `(${differenceWords(difference)})`)
  );
}

function isGain(difference: PairedDifference): boolean {
  return decide(difference, { sign: 1, margin: 0, size: null }).direction === "holds";
}

/**
 * What is lost or less than traceable on either side of a comparison: a seed that diverged is not missing by chance.
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
  own: readonly RunRecord[],
  { done, title }: { readonly done: readonly RunRecord[]; readonly title: string },
): string[] {
  const devices = new Map(done.map(({ spec, environment }) => [spec.seed, environment.device]));
  const pairs = own.filter(({ spec }) => devices.has(spec.seed));
  const across = pairs.filter(({ spec, environment }) => devices.get(spec.seed) !== environment.device).length;
  return across > 0 ? [`${across} of ${counted(pairs.length, "pair")} with ${title} are of a GPU and a CPU`] : [];
}

function runsRemarks({ done, notDone }: Runs): string[] {
  const lost = notDone.length, ended = done.length + lost;
  return [
    ...(lost > 0 && done.length > 0 ? [`${lost} of ${ended} runs did not finish and are left out`] : []),
    ...doubtsOf(done),
  ];
}

/** What makes runs less than fully traceable or alike: `doubtsOf`, and several commits, which a long grid has by nature. */
export function flagsOf(runs: readonly RunRecord[]): string[] {
  const commits = new Set(runs.flatMap(({ environment }) => environment.commit ?? [])).size;
  return [...doubtsOf(runs), ...(commits > 1 ? [`runs of ${commits} commits`] : [])];
}

/** Uncommitted changes, no commit, a GPU, a quantizer that the code has changed since. */
function doubtsOf(runs: readonly RunRecord[]): string[] {
  const environments = runs.map(({ environment }) => environment);
  const of = (count: number) => `${count} of ${counted(runs.length, "run")}`;
  const dirty = environments.filter(({ dirty }) => dirty === true).length;
  const unknown = environments.filter(({ commit }) => commit === null).length;
  const old = new Set(runs.flatMap(({ spec }) => {
    const name = spec.quantization?.quantizer;
    return name !== undefined && specRevision(spec) < revisionOf(name) ? name : [];
  }));
  const gpu = environments.filter(({ device }) => device === "gpu").length;
  return [
    ...(dirty > 0 ? [`${of(dirty)} of a checkout with uncommitted changes`] : []),
    ...(unknown > 0 ? [`${of(unknown)} of no known commit`] : []),
    ...[...old].sort().map((name) => `runs before revision ${revisionOf(name)} of quantizer ${name}`),
    ...(gpu > 0 ? [`${of(gpu)} on a GPU`] : []),
  ];
}
