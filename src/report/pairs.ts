/** Which run each run is compared with. */
import type { RunRecord } from "../runs/record.ts";
import { canonicalJson, type RunSpec } from "../runs/spec.ts";
import { type Cell, keyText, type RowKey } from "./aggregate.ts";
import { top1Percent } from "./records.ts";
import { type PairedDifference, pairedDifference } from "./statistics.ts";

/** Of every bootstrap: the same records give the same interval. */
const BOOTSTRAP_SEED = 0;

/** Finds the run that another is compared with. */
export type Partner = (run: RunRecord) => RunRecord | undefined;

/** Runs of one cell with the same seed, recipe, data and engine. */
export function likeRuns(cells: readonly Cell[], key: RowKey): Partner {
  const baseline = cells.find((cell) => keyText(cell) === keyText({ protocol: cell.protocol, ...key }));
  const ground = ({ recipe, dataset, engine, model }: RunSpec) => canonicalJson({ recipe, dataset, engine, model });
  return ({ spec }) =>
    baseline?.done.find((other) => other.spec.seed === spec.seed && ground(other.spec) === ground(spec));
}

/** The full-precision runs that others started from. */
export function teachers(cells: readonly Cell[]): Partner {
  const byId = new Map(
    cells.filter(({ weightBits }) => weightBits === null).flatMap(({ done }) => done.map((run) => [run.id, run])),
  );
  return ({ spec }) => spec.teacher === null ? undefined : byId.get(spec.teacher);
}

/** Top-1 of each run less its partner's, over the runs that have one; null: none has. */
export function differenceTo(runs: readonly RunRecord[], partner: Partner): PairedDifference | null {
  const differences = runs.flatMap((run) => {
    const other = partner(run);
    return other ? [top1Percent(run) - top1Percent(other)] : [];
  });
  return differences.length > 0 ? pairedDifference(differences, { seed: BOOTSTRAP_SEED }) : null;
}
