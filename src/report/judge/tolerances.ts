import type { ArmTitle, Paper, Tolerance } from "../../catalog/paper.ts";
import { partsOfProtocol, type ProtocolLabel } from "../../record/spec.ts";
import type { ReportSection } from "./tables.ts";

/** A tolerance beside our runs. */
export interface ToleranceResult {
  readonly tolerance: Tolerance;
  /** The protocol of the runs, with their engine; where none ran, that of the tolerance. */
  readonly protocol: ProtocolLabel;
  /** The quantity of every finished run; of a gap only where the full precision that it started from is there too. */
  readonly values: readonly { readonly seed: number; readonly value: number }[];
  /** Null: not run. */
  readonly mean: number | null;
  readonly place: "inside" | "outside" | "not run";
  /** False: missed, or a control that did not miss. Null: not run. */
  readonly holds: boolean | null;
}

/** Judges every tolerance of a paper by the mean over the seeds, on each engine that has runs by itself. */
export function toleranceResults(
  { tolerances = [] }: Paper<ArmTitle>,
  sections: readonly ReportSection[],
): ToleranceResult[] {
  return tolerances.flatMap((tolerance) => {
    const own = sections.filter((section) => isOf(tolerance, section)).map((section) => resultOf(tolerance, section));
    const ran = own.filter(({ values }) => values.length > 0);
    if (ran.length > 0) return ran;
    return [{ tolerance, protocol: tolerance.protocol, values: [], mean: null, place: "not run", holds: null }];
  });
}

function isOf({ protocol, fromImport }: Tolerance, section: ReportSection): boolean {
  const { base, epochs, start } = partsOfProtocol(section.protocol);
  return base === protocol && epochs === null && (start !== null) === (fromImport ?? false);
}

function resultOf(tolerance: Tolerance, section: ReportSection): ToleranceResult {
  const values = valuesOf(tolerance, section), mean = values.reduce((sum, { value }) => sum + value, 0) / values.length;
  const isInside = mean >= (tolerance.least ?? -Infinity) && mean <= tolerance.most;
  return {
    tolerance,
    protocol: section.protocol,
    values,
    mean,
    place: isInside ? "inside" : "outside",
    holds: isInside === tolerance.inside,
  };
}

function valuesOf(
  { dataset, model, arm, bits, quantity }: Tolerance,
  { tables }: ReportSection,
): ToleranceResult["values"] {
  const row = tables.flatMap(({ rows }) => rows).find((row) =>
    row.dataset === dataset && row.model === model && row.arm.id === arm &&
    row.weightBits === (bits?.weights ?? null) && row.activationBits === (bits?.activations ?? null)
  );
  if (quantity === "top1") return row?.seeds.map(({ seed, top1Percent }) => ({ seed, value: top1Percent })) ?? [];
  return row?.gapToFp?.pairs.map(({ seed, difference }) => ({ seed, value: -difference })) ?? [];
}
