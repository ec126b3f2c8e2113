/** What follows from a peer measurement. */
import { agreement } from "./losses.ts";
import { type PeerCase, type PeerMeasurement, type Sample, type Side, type SideName, SIDES } from "./measurement.ts";
import { type Arm, ARMS } from "./steps.ts";

/** Share of its core that a process must have had for its time by the clock to count. */
export const CORE_SHARE = 0.9;

/** Lowest and highest. */
export type Range = readonly [number, number];

/** What follows for one side of a case. */
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
  /** Whether every process of both sides had its core to itself, so that the ratio by the clock counts; always on a GPU. */
  readonly clockCounts: boolean | null;
  readonly peakMib: number | null;
  /** Requant over this side. */
  readonly memoryRatio: number | null;
  /** Largest relative difference of the first losses from Requant's. */
  readonly lossDifference: number | null;
  /** The same between PyTorch's eager and compiled form; null: not both were run. */
  readonly ownDifference: number | null;
  /** Whether the losses agree, see losses.ts; null: not run. */
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

/** Of any process of any round: one that others were in the way of is in the range by the clock. */
function leastShare(side: Side): number {
  return Math.min(...side.rounds.flat().map((sample) => cpuShare([sample])));
}

function ratios(ours: Side, theirs: Side, kind: "seconds" | "cpuSeconds"): number[] {
  const rounds = Math.min(ours.rounds.length, theirs.rounds.length);
  return Array.from(
    { length: rounds },
    (_, i) => speed(ours.rounds[i]!, 1, kind) / speed(theirs.rounds[i]!, 1, kind),
  );
}

function peak(side: Side): number | null {
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
