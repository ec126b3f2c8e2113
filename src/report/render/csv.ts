/** The cells of a paper as CSV: tidy, one row per cell; and wide, as the papers print them. */
import * as aq from "arquero";
import { bitsTitle } from "../../catalog/bits.ts";
import type { ReportRow, ReportSection } from "../judge/tables.ts";

type Value = string | number | null;

/** The columns of the tidy CSV and their values; null: unknown, or not a number of this row. */
const TIDY = {
  paper: (_row, paper) => paper,
  table: ({ table }) => table,
  dataset: ({ dataset }) => dataset,
  model: ({ model }) => model,
  method: ({ arm }) => arm.id,
  w_bits: ({ weightBits }) => weightBits,
  a_bits: ({ activationBits }) => activationBits,
  variant: ({ arm }) => arm.label,
  protocol: ({ protocol }) => protocol,
  published: ({ published }) => published?.top1Percent ?? null,
  mean: ({ mean }) => rounded(mean),
  sd: ({ sd }) => rounded(sd),
  n: ({ n }) => n,
  diff_to_lsq: ({ differenceToLsq }) => rounded(differenceToLsq?.mean),
  diff_low: ({ differenceToLsq }) => rounded(differenceToLsq?.interval?.low),
  diff_high: ({ differenceToLsq }) => rounded(differenceToLsq?.interval?.high),
  gap_to_fp: ({ gapToFp }) => rounded(gapToFp?.mean),
  verdict: ({ verdict }) => verdict.name,
  reason: ({ verdict }) => verdict.reason,
  holm_p: ({ holmP }) => rounded(holmP),
  by_seed: ({ seeds }) => seeds.map(({ seed, top1Percent }) => `${seed}:${rounded(top1Percent)}`).join(" "),
} as const satisfies Record<string, (row: ReportRow, paper: string) => Value>;

/** One cell of a paper as a flat row. */
export function tidyRow(paper: string, row: ReportRow): Readonly<Record<keyof typeof TIDY, Value>> {
  const entries = Object.entries(TIDY).map(([name, value]) => [name, value(row, paper)]);
  return Object.fromEntries(entries);
}

/**
 * All rows of a paper. Empty: unknown, or not a number of this row. `variant` is `reconstruction`, `stand-in` or empty;
 * accuracies and differences are in percent and points with up to 4 decimals. `by_seed` is `0:89.4 1:89.9`: seed and
 * accuracy of each finished run.
 */
export function toCsv(paper: string, sections: readonly ReportSection[]): string {
  const rows = rowsOf(sections).map((row) => tidyRow(paper, row));
  return rows.length === 0 ? Object.keys(TIDY).join(",") + "\n" : csvText(aq.from(rows));
}

/**
 * A row a method and width, and for each model the columns `<model>_published`, `<model>_mean`, `<model>_sd` and `<model>_n`.
 * Empty: no such cell, or no such number.
 */
export function toWideCsv(paper: string, sections: readonly ReportSection[]): string {
  const values = rowsOf(sections).flatMap((row) => {
    const { table, dataset, protocol, model, published, mean, sd, n } = row;
    const key = { paper, table, dataset, protocol, bits: bitsTitle(row), method: row.arm.id };
    return Object.entries({ published: published?.top1Percent ?? null, mean: rounded(mean), sd: rounded(sd), n })
      .map(([name, value]) => ({ ...key, column: `${model}_${name}`, value }));
  });
  if (values.length === 0) return "paper,table,dataset,protocol,bits,method\n";
  const { column: _column, value: _value, ...key } = values[0]!;
  return csvText(aq.from(values).groupby(Object.keys(key)).pivot("column", "value", { sort: false }));
}

/** The rows of all sections and tables. */
export function rowsOf(sections: readonly ReportSection[]): ReportRow[] {
  return sections.flatMap(({ tables }) => tables.flatMap(({ rows }) => rows));
}

function csvText(table: aq.ColumnTable): string {
  return table.toCSV().trimEnd() + "\n";
}

/** Up to 4 decimals. */
export function rounded(value: number | null | undefined): number | null {
  return value == null ? null : Math.round(value * 1e4) / 1e4;
}
