/** What a method's step costs beside the LSQ step. */
import type { PeerMeasurement, Side, SideName } from "./measurement.ts";
import { median, type Range, range } from "./result.ts";
import { type Arm, BASE_ARM, METHOD_ARMS } from "./steps.ts";

/** The most that a method's step may take of what the LSQ step and the method's extra forward passes take together. */
export const COST_TARGET = 1.15;

/** A method's step on one side; ratios of processor time (on a GPU: of time by the clock), with the lowest and the highest round. */
export interface CostRow {
  readonly model: string;
  readonly arm: Arm;
  readonly side: SideName;
  /** Over the side's own LSQ step of the same round; null: that was not measured. */
  readonly overLsq: number | null;
  readonly overLsqRange: Range | null;
  /** Over the LSQ step and the method's extra forward passes, all measured in one process; null but for Requant. */
  readonly overParts: number | null;
  readonly overPartsRange: Range | null;
}

type Cases = Pick<PeerMeasurement, "cases" | "environment">;

/** Time of a step, all processes of a round together. */
function perRound(side: Side, kind: "seconds" | "cpuSeconds"): number[] {
  return side.rounds.map((samples) => samples.reduce((sum, sample) => sum + sample[kind], 0));
}

function summary(ratios: readonly number[]): [number | null, Range | null] {
  return ratios.length === 0 ? [null, null] : [median(ratios), range(ratios)];
}

function overLsq(side: Side, { cases, environment }: Cases, model: string): number[] {
  const kind = environment.gpu === undefined ? "cpuSeconds" : "seconds";
  const base = cases.find((other) => other.model === model && other.arm === BASE_ARM)?.sides
    .find(({ name }) => name === side.name);
  const seconds = base ? perRound(base, kind) : [];
  return perRound(side, kind).slice(0, seconds.length).map((step, round) => step / seconds[round]!);
}

/** A row for every side that ran a method's step. */
export function methodCosts(measurement: Cases): CostRow[] {
  return measurement.cases.filter(({ arm }) => METHOD_ARMS.includes(arm)).flatMap(({ model, arm, sides }) =>
    sides.filter(({ rounds }) => rounds.length > 0).map((side) => {
      const [lsq, lsqRange] = summary(overLsq(side, measurement, model));
      const parts = side.rounds.flat().flatMap(({ parts }) => parts ? [parts.step / (parts.lsq + parts.passes)] : []);
      const [all, allRange] = summary(parts);
      return {
        model,
        arm,
        side: side.name,
        overLsq: lsq,
        overLsqRange: lsqRange,
        overParts: all,
        overPartsRange: allRange,
      };
    })
  );
}
