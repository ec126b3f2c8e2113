import { stringify } from "yaml";
import { rounded } from "./csv.ts";
import { bitsTitle, datasetTitle, modelTitle } from "../labels.ts";
import { armTitle } from "../pages/result_table.ts";
import type { ReportRow, ReportSection } from "../judge/tables.ts";
import type { PaperPage } from "../../catalog/paper.ts";

/**
 * Our measured cells in the `model-index` form that model cards have in their metadata: an entry a model, width and
 * method, a result a table and protocol. Published numbers are not in it: they are not results of ours.
 */
export function toModelIndex({ title, arxiv }: PaperPage, sections: readonly ReportSection[]): string {
  const entries = new Map<string, Result[]>();
  for (const row of sections.flatMap(({ tables }) => tables.flatMap(({ rows }) => rows))) {
    const result = resultOf(row, `${title}, ${arxiv}`);
    if (result === null) continue;
    const name = `${modelTitle(row.model)} ${bitsTitle(row)} ${armTitle(row)}`;
    entries.set(name, [...(entries.get(name) ?? []), result]);
  }
  return stringify({ "model-index": [...entries].map(([name, results]) => ({ name, results })) }, {
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
}

type Result = Readonly<Record<string, unknown>>;

function resultOf({ dataset, mean, sd, n, protocol, table, verdict }: ReportRow, paper: string): Result | null {
  if (mean === null) return null;
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
