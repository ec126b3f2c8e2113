import { csvText, rounded } from "./csv.ts";
import { bitsTitle } from "../labels.ts";
import type { ReportRow, ReportSection } from "../judge/tables.ts";

const KEYS = ["paper", "table", "dataset", "protocol", "bits", "method"] as const;
const VALUES = ["published", "mean", "sd", "n"] as const;

type Values = Record<typeof VALUES[number], string | number | null>;

function valuesOf({ published, mean, sd, n }: ReportRow): Values {
  return { published: published?.top1Percent ?? null, mean: rounded(mean), sd: rounded(sd), n };
}

/**
 * The cells of a paper as the papers print them: a row a method and width, and for each model the columns
 * `<model>_published`, `<model>_mean`, `<model>_sd` and `<model>_n`. Empty: no such cell, or no such number.
 */
export function toWideCsv(paper: string, sections: readonly ReportSection[]): string {
  const cells = sections.flatMap(({ protocol, tables }) =>
    tables.flatMap(({ rows }) => rows.map((row) => ({ protocol, row })))
  );
  const models = [...new Set(cells.map(({ row }) => row.model))];
  const lines = new Map<string, Record<string, string | number | null>>();
  for (const { protocol, row } of cells) {
    const key = {
      paper,
      table: row.table,
      dataset: row.dataset,
      protocol,
      bits: bitsTitle(row),
      method: row.arm.id,
    } satisfies Record<typeof KEYS[number], string>;
    const line = lines.get(JSON.stringify(key)) ?? { ...key };
    const values = valuesOf(row);
    for (const name of VALUES) line[`${row.model}_${name}`] = values[name];
    lines.set(JSON.stringify(key), line);
  }
  const columns = [...KEYS, ...models.flatMap((model) => VALUES.map((name) => `${model}_${name}`))];
  return csvText(columns, [...lines.values()]);
}
