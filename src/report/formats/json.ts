import type { RunRecord } from "../../runs/record.ts";
import { keyText } from "../aggregate.ts";
import { type TidyRow, tidyRow } from "../csv.ts";
import { type RunsByCell, runsByCell } from "../figures/figure_blocks.ts";
import { top1Percent } from "../records.ts";
import type { ImportedSection } from "./imported_sections.ts";
import type { ReportRow, ReportSection } from "../tables.ts";
import type { PaperPage } from "../types.ts";

/** Raised when a field changes its name or meaning; new fields do not raise it. */
const SCHEMA = 1;

/**
 * A paper's page as one JSON document: `cells` has the columns of the tidy CSV (null: unknown), where the published number
 * was read, the numbers of the anomalies that touch it (from 1), and every seed with the id of its run. Cells of other tools
 * are in `imported`, with the tool's name.
 */
export function toJson(
  page: PaperPage,
  { sections, imported }: {
    readonly sections: readonly ReportSection[];
    readonly imported: readonly ImportedSection[];
  },
): string {
  const { id, title, citation, arxiv, caveat, anomalies, assumptions, deviations, publishedDifferences } = page;
  const rows = sections.flatMap(({ tables }) => tables.flatMap(({ rows }) => rows));
  return JSON.stringify(
    {
      schema: SCHEMA,
      paper: { id, title, citation, arxiv, caveat },
      cells: rows.map((row) => jsonCell(id, row)),
      imported: imported.flatMap(({ tool, table }) => table.rows.map((row) => ({ tool, ...tidyRow(id, row) }))),
      published_differences: publishedDifferences,
      anomalies: anomalies.map(({ text }) => text),
      assumptions,
      deviations,
    },
    null,
    1,
  ) + "\n";
}

function jsonCell(paper: string, row: ReportRow) {
  return {
    ...tidyRow(paper, row),
    published_source: row.published?.source ?? null,
    anomalies: row.anomalies,
    not_done: row.notDone,
    flags: row.flags,
    holm_p: row.holmP,
    seeds: row.seeds.map(({ seed, run, top1Percent }) => ({ seed, run, top1_percent: top1Percent })),
  };
}
