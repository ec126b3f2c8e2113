/** A paper's cells as files for other tools. */
import { stringify } from "yaml";
import type { ArmTitle, Paper } from "../../catalog/paper.ts";
import type { ClaimResult } from "../judge/claims.ts";
import type { ImportedSection } from "../judge/imported_sections.ts";
import type { ReportRow, ReportSection } from "../judge/tables.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import { armTitle, datasetTitle, modelTitle } from "../../catalog/titles.ts";
import { terminalText } from "../../terminal_text.ts";
import { rounded, rowsOf, tidyRow, toCsv, toWideCsv } from "./csv.ts";
import { toLatex } from "./latex.ts";

/** The cells of a paper and what is said of them. */
export interface DataParts {
  readonly sections: readonly ReportSection[];
  readonly imported: readonly ImportedSection[];
  readonly claims: readonly ClaimResult[];
}

/** A file of the report; the path is relative to the output folder, with forward slashes. */
export interface ReportFile {
  readonly path: string;
  /** Made each time it is asked for: the texts of thousands of runs together would fill the memory. */
  readonly text: string;
}

/** A file whose text is made when it is asked for; control characters of reasons and titles are shown, not written. */
export function fileOf(path: string, make: () => string): ReportFile {
  return {
    path,
    get text() {
      return terminalText(make());
    },
  };
}

/** Makes a paper's cells in the formats of other tools; paths are relative to the root of the site. */
export function dataFiles(
  page: Paper<ArmTitle>,
  parts: DataParts,
): { readonly title: string; readonly file: ReportFile }[] {
  const { id } = page, { sections } = parts;
  return [
    { title: "Tidy CSV", file: fileOf(`data/${id}.csv`, () => toCsv(id, sections)) },
    { title: "Wide CSV", file: fileOf(`data/${id}_wide.csv`, () => toWideCsv(id, sections)) },
    { title: "JSON", file: fileOf(`data/${id}.json`, () => toJson(page, parts)) },
    { title: "LaTeX", file: fileOf(`data/${id}.tex`, () => toLatex(page, sections)) },
    { title: "Model index (YAML)", file: fileOf(`data/${id}_model_index.yaml`, () => toModelIndex(page, sections)) },
  ];
}

/** Raised when a field changes its name or meaning; new fields do not raise it. */
const SCHEMA = 1;

/**
 * A paper's page as one JSON document: `cells` has the columns of the tidy CSV (null: unknown), where the published number
 * was read, the numbers of the anomalies that touch it (from 1), and every seed with the id of its run. Cells of other tools
 * are in `imported`, with the tool's name.
 */
function toJson(
  page: Paper<ArmTitle>,
  { sections, imported, claims }: DataParts,
): string {
  const { id, title, citation, arxiv, caveat, anomalies, assumptions, deviations, publishedDifferences } = page;
  return JSON.stringify(
    {
      schema: SCHEMA,
      paper: { id, title, citation, arxiv, caveat },
      cells: rowsOf(sections).map((row) => jsonCell(id, row)),
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

/**
 * Our measured cells in the `model-index` form that model cards have in their metadata: an entry a model, width and
 * method, a result a table and protocol. Published numbers are not in it: they are not results of ours.
 */
function toModelIndex({ title, arxiv }: Paper<ArmTitle>, sections: readonly ReportSection[]): string {
  const measured = rowsOf(sections).filter(({ mean }) => mean !== null);
  const entries = Map.groupBy(measured, (row) => `${modelTitle(row.model)} ${bitsTitle(row)} ${armTitle(row)}`);
  const index = [...entries].map(([name, rows]) => ({
    name,
    results: rows.map((row) => modelResult(row, `${title}, ${arxiv}`)),
  }));
  return stringify({ "model-index": index }, {
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
}

function modelResult({ dataset, mean, sd, n, protocol, table, verdict }: ReportRow, paper: string) {
  return {
    task: { type: "image-classification", name: "Image Classification" },
    dataset: { type: dataset, name: datasetTitle(dataset), split: "test" },
    metrics: [{
      type: "accuracy",
      name: "Top-1 accuracy, percent, mean over seeds",
      value: rounded(mean),
      args: { sd: rounded(sd), seeds: n, protocol, paper, table, verdict: verdict.name },
      verified: false,
    }],
    source: { name: "Requant" },
  };
}
