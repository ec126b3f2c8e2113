import type { ArmTitle, Paper, Tolerance } from "../../catalog/paper.ts";
import { partsOfProtocol } from "../../record/spec.ts";
import type { ReportSection } from "./tables.ts";

/** A tolerance beside our runs. */
export interface ToleranceResult {
  readonly tolerance: Tolerance;
  /** The quantity of every finished run; of a gap only where the full precision that it started from is there too. */
  readonly values: readonly { readonly seed: number; readonly value: number }[];
  /** Null: not run. */
  readonly mean: number | null;
  readonly place: "inside" | "outside" | "not run";
  /** False: missed, or a control that did not miss. Null: not run. */
  readonly holds: boolean | null;
}

/** Judges every tolerance of a paper by the mean over the seeds. */
export function toleranceResults(
  { tolerances = [] }: Paper<ArmTitle>,
  sections: readonly ReportSection[],
): ToleranceResult[] {
  return tolerances.map((tolerance) => {
    const values = valuesOf(tolerance, sections);
    if (values.length === 0) return { tolerance, values, mean: null, place: "not run", holds: null };
    const mean = values.reduce((sum, { value }) => sum + value, 0) / values.length;
    const isInside = mean >= (tolerance.least ?? -Infinity) && mean <= tolerance.most;
    return {
      tolerance,
      values,
      mean,
      place: isInside ? "inside" : "outside",
      holds: isInside === tolerance.inside,
    };
  });
}

function valuesOf(
  { protocol, dataset, model, arm, bits, quantity, fromImport }: Tolerance,
  sections: readonly ReportSection[],
): ToleranceResult["values"] {
  const isOf = (section: ReportSection) => {
    const { base, epochs, start } = partsOfProtocol(section.protocol);
    return base === protocol && epochs === null && (start !== null) === (fromImport ?? false);
  };
  const rows = sections.filter(isOf)
    .flatMap(({ tables }) => tables.flatMap(({ rows }) => rows));
  const row = rows.find((row) =>
    row.dataset === dataset && row.model === model && row.arm.id === arm &&
    row.weightBits === (bits?.weights ?? null) && row.activationBits === (bits?.activations ?? null)
  );
  if (quantity === "top1") return row?.seeds.map(({ seed, top1Percent }) => ({ seed, value: top1Percent })) ?? [];
  return row?.gapToFp?.pairs.map(({ seed, difference }) => ({ seed, value: -difference })) ?? [];
}
