import type { ClaimResult } from "../judge/claims.ts";
import { tidyRow } from "./csv.ts";
import type { ReportRow, ReportSection } from "../judge/tables.ts";
import type { PaperPage } from "../../catalog/paper.ts";
import type { ImportedSection } from "../judge/imported_sections.ts";

/** Raised when a field changes its name or meaning; new fields do not raise it. */
const SCHEMA = 1;

/** What stands beside the page itself. */
export interface JsonParts {
  readonly sections: readonly ReportSection[];
  readonly imported: readonly ImportedSection[];
  readonly claims: readonly ClaimResult[];
}

/**
 * A paper's page as one JSON document: `cells` has the columns of the tidy CSV (null: unknown), where the published number
 * was read, the numbers of the anomalies that touch it (from 1), and every seed with the id of its run. Cells of other tools
 * are in `imported`, with the tool's name.
 */
export function toJson(
  page: PaperPage,
  { sections, imported, claims }: JsonParts,
): string {
  const { id, title, citation, arxiv, caveat, anomalies, assumptions, deviations, publishedDifferences } = page;
  const rows = sections.flatMap(({ tables }) => tables.flatMap(({ rows }) => rows));
  return JSON.stringify(
    {
      schema: SCHEMA,
      paper: { id, title, citation, arxiv, caveat },
      cells: rows.map((row) => jsonCell(id, row)),
      imported: imported.flatMap(({ tool, table }) => table.rows.map((row) => ({ tool, ...tidyRow(id, row) }))),
      claims: claims.map(({ claim, verdict }) => ({
        id: claim.id,
        statement: claim.statement,
        source: claim.source,
        published: claim.published,
        verdict: verdict.name,
        reason: verdict.reason,
      })),
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
    seeds: row.seeds.map(({ seed, run, top1Percent }) => ({ seed, run, top1_percent: top1Percent })),
  };
}
