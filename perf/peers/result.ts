/** Results that follow from a peer measurement. */
import { type PeerCase, type PeerMeasurement, type Sample, type Side, type SideName, SIDES } from "./measurement.ts";
import { type Arm, ARMS } from "./steps.ts";

/** Largest relative difference of the first steps' losses at which a figure counts. */
export const LOSS_TOLERANCE = 1e-3;

/**
 * Losses of a low-bit step differ by rounding flips alone: then also by as much as PyTorch's own two forms, eager and
 * torch.compile, differ in the same steps, yet never by more than this, and they not either. Whatever differs by more is
 * not the same step.
 */
export const FLIP_LIMIT = 1e-2;

/**
 * Flips move both forms of PyTorch: a form must not excuse its own error by being far from the other. So the other one has at
 * least this part of its difference from Requant.
 */
const SHARED = 0.5;

/** The two losses of two sides that differ most, and by how much, relatively; NaN differs by infinity. */
export interface LossDifference {
  readonly difference: number;
  readonly pair: readonly [number, number];
}

/** Agreement of a side's losses with Requant's. */
export interface Agreement extends LossDifference {
  /** Between eager and torch.compile; null: one of them was not run. */
  readonly ownDifference: number | null;
  readonly counts: boolean;
}

/** Over all rounds, processes and first steps, from the first process of `reference`; both have rounds. */
export function lossDifference(reference: Side, other: Side): LossDifference {
  let worst: LossDifference = { difference: -1, pair: [NaN, NaN] };
  const losses = reference.rounds[0]![0]!.losses;
  for (const sample of [...reference.rounds, ...other.rounds].flat()) {
    losses.forEach((first, step) => {
      const second = sample.losses[step] ?? NaN, relative = Math.abs(first - second) / Math.abs(first);
      const difference = Number.isNaN(relative) ? Infinity : relative;
      if (difference > worst.difference) worst = { difference, pair: [first, second] };
    });
  }
  return worst;
}

/** A case, for its losses. */
export interface LossCase {
  readonly ours: Side;
  readonly sides: readonly Side[];
  /** True if the case's step rounds, so that there are flips. */
  readonly isQuantized: boolean;
}

/** Determines how a side's losses agree with those of `ours`. */
export function agreement(side: Side, { ours, sides, isQuantized }: LossCase): Agreement {
  const found = lossDifference(ours, side), { difference } = found;
  const forms = ["eager", "compile"].flatMap((name) =>
    sides.find((other) => other.name === name && other.rounds.length > 0) ?? []
  );
  const ownDifference = forms.length === 2 ? lossDifference(forms[0]!, forms[1]!).difference : null;
  const byFlips = isQuantized && ownDifference !== null && difference <= ownDifference && ownDifference <= FLIP_LIMIT &&
    forms.every((form) => form === side || lossDifference(ours, form).difference >= SHARED * difference);
  return { ...found, ownDifference, counts: difference <= LOSS_TOLERANCE || byFlips };
}

/** Share of its core that a process must have had for its time by the clock to count. */
export const CORE_SHARE = 0.9;

/** Lowest and highest. */
export type Range = readonly [number, number];

/** Results for one side of a case. */
export interface PeerRow {
  readonly model: string;
  readonly arm: Arm;
  readonly batch: number;
  readonly side: SideName;
  /** Median over the rounds, all cores together. */
  readonly imagesPerSecond: number | null;
  readonly imagesPerSecondRange: Range | null;
  /** Processor time over clock time, median over the rounds: below 1 others took the core. */
  readonly cpuShare: number | null;
  /** Requant over this side, median over the rounds of the ratio within a round: by the clock, and by processor time. */
  readonly speedRatio: number | null;
  readonly cpuSpeedRatio: number | null;
  /** Lowest and highest of the rounds. */
  readonly speedRatioRange: Range | null;
  readonly cpuSpeedRatioRange: Range | null;
  /**
   * True if every process of both sides had its core to itself, so that the ratio by the clock counts. Always true on a
   * GPU.
   */
  readonly clockCounts: boolean | null;
  readonly peakMib: number | null;
  /** Requant over this side. */
  readonly memoryRatio: number | null;
  /** Largest relative difference of the first losses from Requant's. */
  readonly lossDifference: number | null;
  /** The same between PyTorch's eager and compiled form; null: not both were run. */
  readonly ownDifference: number | null;
  /** True if the losses agree, see `agreement`; null: not run. */
  readonly counts: boolean | null;
  /** The two losses that differ most, Requant's first. */
  readonly worstLosses: readonly [number, number] | null;
  readonly notRun: string | null;
}

/** @throws {RangeError} If there are no values. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Cannot take the median as there are no values");
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Lowest and highest. */
export function range(values: readonly number[]): Range {
  return [Math.min(...values), Math.max(...values)];
}

function speed(samples: readonly Sample[], batch: number, kind: "seconds" | "cpuSeconds"): number {
  return samples.reduce((total, sample) => total + batch / sample[kind], 0);
}

function cpuShare(samples: readonly Sample[]): number {
  const total = (kind: "seconds" | "cpuSeconds") => samples.reduce((sum, sample) => sum + sample[kind], 0);
  return total("cpuSeconds") / total("seconds");
}

function medianShare(side: Side): number {
  return median(side.rounds.map(cpuShare));
}

/**
 * Returns the lowest share of any process in any round. A process that others were in the way of is in the range by the
 * clock.
 */
function leastShare(side: Side): number {
  return Math.min(...side.rounds.flat().map((sample) => cpuShare([sample])));
}

/** Speed of `ours` over that of `theirs`, by round. */
export function ratios(ours: Side, theirs: Side, kind: "seconds" | "cpuSeconds"): number[] {
  const rounds = Math.min(ours.rounds.length, theirs.rounds.length);
  return Array.from(
    { length: rounds },
    (_, i) => speed(ours.rounds[i]!, 1, kind) / speed(theirs.rounds[i]!, 1, kind),
  );
}

/** Largest memory of a process of the side, in bytes; null: not known. */
export function peak(side: Side): number | null {
  const peaks = side.rounds.flat().map(({ peakBytes }) => peakBytes);
  return peaks.includes(null) ? null : Math.max(...peaks as number[]);
}

function row(peerCase: PeerCase, { side, gpu }: { side: Side; gpu: boolean }): PeerRow {
  const { model, arm, batch, sides } = peerCase, ours = sides.find(({ name }) => name === SIDES[0])!;
  const none = {
    imagesPerSecond: null,
    imagesPerSecondRange: null,
    cpuShare: null,
    speedRatio: null,
    cpuSpeedRatio: null,
    speedRatioRange: null,
    cpuSpeedRatioRange: null,
    clockCounts: null,
    peakMib: null,
    memoryRatio: null,
    lossDifference: null,
    ownDifference: null,
    counts: null,
    worstLosses: null,
  };
  const own = { ...none, model, arm, batch, side: side.name, notRun: side.notRun };
  if (side.rounds.length === 0) return own;
  const speeds = side.rounds.map((samples) => speed(samples, batch, "seconds")), peakBytes = peak(side);
  const measured = {
    ...own,
    imagesPerSecond: median(speeds),
    imagesPerSecondRange: range(speeds),
    cpuShare: medianShare(side),
    peakMib: peakBytes === null ? null : peakBytes / 2 ** 20,
  };
  if (side === ours || ours.rounds.length === 0) return measured;
  const byClock = ratios(ours, side, "seconds"), byCpu = ratios(ours, side, "cpuSeconds");
  const ourPeak = peak(ours), losses = agreement(side, { ours, sides, isQuantized: ARMS[arm].quantizer !== null });
  return {
    ...measured,
    speedRatio: median(byClock),
    cpuSpeedRatio: median(byCpu),
    speedRatioRange: range(byClock),
    cpuSpeedRatioRange: range(byCpu),
    clockCounts: gpu || Math.min(leastShare(ours), leastShare(side)) >= CORE_SHARE,
    memoryRatio: ourPeak === null || peakBytes === null ? null : ourPeak / peakBytes,
    lossDifference: losses.difference,
    ownDifference: losses.ownDifference,
    counts: losses.counts,
    worstLosses: losses.pair,
  };
}

/** A row for every side of every case. */
export function summarise(measurement: PeerMeasurement): PeerRow[] {
  const gpu = measurement.environment.gpu !== undefined;
  return measurement.cases.flatMap((peerCase) => peerCase.sides.map((side) => row(peerCase, { side, gpu })));
}
