/** One row of a table: the runs of a cell beside what was published of it, compared and judged. */
import type { ProtocolLabel } from "../../record/spec.ts";
import type { CellKey, Finished, RowKey } from "../read/result.ts";
import { type Aggregate, type Cell, keyText } from "./aggregate.ts";
import { comparisonRemarks, type ControlDifference, deviceRemarks, flagsOf, MINIMUM_SEEDS } from "./decision.ts";
import { modelTitle } from "../../catalog/titles.ts";
import { differenceTo, likeRuns, type Partner } from "./pairs.ts";
import { mean, standardDeviation } from "./statistics/basics.ts";
import { holm, type PairedDifference } from "./statistics/paired.ts";
import type { TaskScores } from "./statistics/suite.ts";
import type { ArmTitle, Paper, PublishedCell, Table } from "../../catalog/paper.ts";
import { judge, type Verdict } from "./verdict.ts";

/** Arm that the other arms are compared with. */
export const BASELINE = "lsq";

/** One row of a table: one arm on one model at one width. */
export interface ReportRow {
  readonly table: string;
  readonly dataset: string;
  readonly model: string;
  readonly arm: ArmTitle;
  readonly weightBits: number | null;
  readonly activationBits: number | null;
  readonly protocol: ProtocolLabel;
  /** Null: the paper has no such cell. */
  readonly published: PublishedCell | null;
  /** Published arm less published LSQ, in points; null: not known, or not a comparison. */
  readonly publishedDifference: number | null;
  /** Finished seeds. */
  readonly n: number;
  readonly notDone: number;
  readonly mean: number | null;
  readonly sd: number | null;
  /** Every finished run, by seed. */
  readonly seeds: readonly { readonly seed: number; readonly run: string; readonly top1Percent: number }[];
  readonly differenceToLsq: PairedDifference | null;
  /** Mean of LSQ over the seeds of `differenceToLsq`; null: both means beside it are over these seeds too. */
  readonly lsqOnSameSeeds: number | null;
  /** `tTestP` of `differenceToLsq` after Holm's correction over the table's rows; null: not tested. */
  readonly holmP: number | null;
  /** Number of rows that the correction is over. */
  readonly holmRows: number;
  /** To each control of the arm, if there are any. */
  readonly differencesToControls: readonly ControlDifference[];
  /** Less the full-precision run that each run started from. */
  readonly gapToFp: PairedDifference | null;
  readonly verdict: Verdict;
  /** Numbers of the page's anomalies, from 1. */
  readonly anomalies: readonly number[];
  /** Reasons why the runs of the row are less than fully traceable, in words; empty: none. */
  readonly flags: readonly string[];
}

/** Everything that a row is made from. */
export interface RowInput {
  readonly page: Paper<ArmTitle>;
  readonly table: Table<ArmTitle>;
  readonly key: CellKey;
  readonly cell: Cell | null;
  readonly published: PublishedCell | null;
  /** Null: the paper's models are not known. */
  readonly modelIsPapers: boolean | null;
}

/** A row, and the runs that it shares seeds of with LSQ. */
export interface ScoredRow {
  readonly row: ReportRow;
  /** Null: no common seed, or the row is not compared with LSQ. */
  readonly scores: TaskScores | null;
}

/** Checks if a row is compared with LSQ. */
export function isCompared({ arm, weightBits }: RowKey): boolean {
  return arm !== BASELINE && weightBits !== null;
}

/** The rows of one table under one protocol. They are corrected together, so they are made together. */
export function scoredRows(
  inputs: readonly RowInput[],
  context: { readonly byKey: Aggregate["byKey"]; readonly ownFp: Partner },
): ScoredRow[] {
  const drafts = inputs.map((input) => ({ input, ...compared(input, context) }));
  const tested = drafts.map(({ differenceToLsq }) =>
    differenceToLsq !== null && differenceToLsq.n >= MINIMUM_SEEDS ? differenceToLsq.tTestP : null
  );
  const adjusted = holm(tested), holmRows = tested.filter((p) => p !== null).length;
  return drafts.map(({ input, scores, remarks, devices, ...differences }, index) => ({
    row: judgedRow(input, { differences: { ...differences, holmP: adjusted[index]!, holmRows }, remarks, devices }),
    scores,
  }));
}

type Differences = Pick<ReportRow, "differenceToLsq" | "lsqOnSameSeeds" | "differencesToControls" | "gapToFp">;

/** A row's differences, with what is not of the row: paired scores, and what weakens the comparisons. */
interface Compared extends Differences {
  readonly scores: TaskScores | null;
  /** Remarks on the comparison with LSQ. */
  readonly remarks: readonly string[];
  /** Pairs of two devices, also with the controls. */
  readonly devices: readonly string[];
}

function compared(
  { page, key, cell }: RowInput,
  { byKey, ownFp }: { readonly byKey: Aggregate["byKey"]; readonly ownFp: Partner },
): Compared {
  if (cell === null) {
    const none = { differenceToLsq: null, lsqOnSameSeeds: null, differencesToControls: [], gapToFp: null };
    return { ...none, scores: null, remarks: [], devices: [] };
  }
  const { done } = cell;
  const lsq = isCompared(key) ? likeRuns(cell, { arm: BASELINE, byKey }) : null;
  const lsqCell = lsq && byKey.get(keyText({ ...cell, arm: BASELINE }));
  const difference = lsq && differenceTo(done, lsq), scores = lsq && pairedScores(done, lsq);
  const most = Math.max(done.length, lsqCell?.done.length ?? 0);
  const controls = (done.length === 0 ? [] : armOf(page, key.arm).controls ?? []).map((id) => ({
    control: armOf(page, id),
    difference: differenceTo(done, likeRuns(cell, { arm: id, byKey })),
  }));
  const all = [...(lsq ? [{ control: armOf(page, BASELINE), difference }] : []), ...controls];
  const others = all.filter((item) => item.difference !== null).map(({ control }) => control);
  return {
    differenceToLsq: difference,
    lsqOnSameSeeds: scores !== null && scores.baseline.length < most ? mean(scores.baseline) : null,
    differencesToControls: controls,
    gapToFp: differenceTo(done, ownFp),
    scores,
    remarks: comparisonRemarks(cell, { other: lsqCell ? { ...lsqCell, title: "LSQ" } : null, difference }),
    devices: others.flatMap(({ id, title }) =>
      deviceRemarks(done, { title, done: byKey.get(keyText({ ...cell, arm: id }))?.done ?? [] })
    ),
  };
}

function pairedScores(done: readonly Finished[], partner: Partner): TaskScores | null {
  const pairs = done.flatMap((run) => {
    const other = partner(run);
    return other ? [{ arm: run.top1, baseline: other.top1 }] : [];
  });
  if (pairs.length === 0) return null;
  return { arm: pairs.map(({ arm }) => arm), baseline: pairs.map(({ baseline }) => baseline) };
}

function judgedRow(
  { page, table, key, cell, published, modelIsPapers }: RowInput,
  { differences, remarks, devices }: Pick<Compared, "remarks" | "devices"> & {
    readonly differences: Differences & Pick<ReportRow, "holmP" | "holmRows">;
  },
): ReportRow {
  const arm = armOf(page, key.arm);
  const done = cell?.done ?? [], notDone = cell?.notDone ?? [];
  const seeds = done.map(({ seed, id, top1 }) => ({ seed, run: id, top1Percent: top1 }));
  const values = seeds.map(({ top1Percent }) => top1Percent);
  const publishedDifference = published && publishedDifferenceToLsq(page, published);
  const verdict = judge({
    protocol: key.protocol,
    arm: arm.id,
    label: arm.label,
    model: modelTitle(key.model),
    modelIsPapers,
    published,
    publishedDifference,
    runs: done.length + notDone.length,
    done: done.length,
    difference: differences.differenceToLsq,
    holm: differences.holmP === null ? null : { p: differences.holmP, rows: differences.holmRows },
    controls: differences.differencesToControls,
    remarks,
  });
  return {
    table: table.id,
    dataset: key.dataset,
    model: key.model,
    arm,
    weightBits: key.weightBits,
    activationBits: key.activationBits,
    protocol: key.protocol,
    published,
    publishedDifference,
    n: values.length,
    notDone: notDone.length,
    mean: values.length > 0 ? mean(values) : null,
    sd: standardDeviation(values),
    seeds,
    ...differences,
    verdict,
    anomalies: published ? touching(page, published) : [],
    flags: [...flagsOf(done), ...devices],
  };
}

/** The arm's title on a page; an arm that the page does not know is its own title. */
export function armOf(page: Paper<ArmTitle>, id: string): ArmTitle {
  return page.arms.find((arm) => arm.id === id) ?? { id, title: id, label: null };
}

/** To the LSQ cell of the same table, else of any table of the paper with the same model and bits. */
function publishedDifferenceToLsq(page: Paper<ArmTitle>, cell: PublishedCell): number | null {
  if (cell.top1Percent === null || !isCompared(cell)) return null;
  const baselines = page.published.filter((other) =>
    other.arm === BASELINE && other.dataset === cell.dataset && other.model === cell.model &&
    other.weightBits === cell.weightBits && other.activationBits === cell.activationBits
  );
  const baseline = baselines.find(({ table }) => table === cell.table) ?? baselines[0];
  const lsq = baseline?.top1Percent ?? null;
  // both have two decimals: so has their difference
  return lsq === null ? null : Math.round(100 * (cell.top1Percent - lsq)) / 100;
}

function touching(page: Paper<ArmTitle>, cell: PublishedCell): number[] {
  return page.anomalies.flatMap(({ touches }, index) =>
    touches.some((fields) =>
        Object.entries(fields).every(([name, value]) => cell[name as keyof PublishedCell] === value)
      )
      ? [index + 1]
      : []
  );
}
