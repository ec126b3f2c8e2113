import * as aq from "arquero";
import type { ReportRow, ReportSection } from "../judge/tables.ts";

/** The columns of the tidy CSV, a row a cell. */
export const CSV_COLUMNS = [
  "paper",
  "table",
  "dataset",
  "model",
  "method",
  "w_bits",
  "a_bits",
  "variant",
  "protocol",
  "published",
  "mean",
  "sd",
  "n",
  "diff_to_lsq",
  "diff_low",
  "diff_high",
  "gap_to_fp",
  "verdict",
  "reason",
  "holm_p",
  "by_seed",
] as const;

/** A cell as a flat row; null: unknown, or not a number of this row. */
export type TidyRow = Readonly<Record<typeof CSV_COLUMNS[number], string | number | null>>;

/**
 * All rows of a paper as CSV. Empty: unknown, or not a number of this row. `variant` is `reconstruction`, `stand-in` or
 * empty; accuracies and differences are in percent and points with up to 4 decimals. `by_seed` is `0:89.4 1:89.9`: seed and accuracy of each finished run.
 */
export function toCsv(paper: string, sections: readonly ReportSection[]): string {
  const rows = sections.flatMap(({ tables }) => tables.flatMap(({ rows }) => rows.map((row) => tidyRow(paper, row))));
  return csvText(CSV_COLUMNS, rows);
}

/** Rows as CSV with a header line. */
export function csvText(
  columns: readonly string[],
  rows: readonly Readonly<Record<string, string | number | null>>[],
): string {
  if (rows.length === 0) return columns.join(",") + "\n";
  const byName = Object.fromEntries(columns.map((name) => [name, rows.map((row) => row[name] ?? null)]));
  return aq.table(byName).toCSV().trimEnd() + "\n";
}

/** One cell of a paper. */
export function tidyRow(paper: string, row: ReportRow): TidyRow {
  const { differenceToLsq: difference } = row;
  return {
    paper,
    table: row.table,
    dataset: row.dataset,
    model: row.model,
    method: row.arm.id,
    w_bits: row.weightBits,
    a_bits: row.activationBits,
    variant: row.arm.label,
    protocol: row.protocol,
    published: row.published?.top1Percent ?? null,
    mean: rounded(row.mean),
    sd: rounded(row.sd),
    n: row.n,
    diff_to_lsq: rounded(difference?.mean),
    diff_low: rounded(difference?.interval?.low),
    diff_high: rounded(difference?.interval?.high),
    gap_to_fp: rounded(row.gapToFp?.mean),
    verdict: row.verdict.name,
    reason: row.verdict.reason,
    holm_p: rounded(row.holmP),
    by_seed: row.seeds.map(({ seed, top1Percent }) => `${seed}:${rounded(top1Percent)}`).join(" "),
  };
}

/** Up to 4 decimals. */
export function rounded(value: number | null | undefined): number | null {
  return value == null ? null : Math.round(value * 1e4) / 1e4;
}
