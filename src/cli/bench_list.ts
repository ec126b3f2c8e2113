import { formatBits } from "../catalog/bits.ts";
import type { Suite } from "../catalog/suite.ts";
import { datasetTitle, modelTitle } from "../catalog/titles.ts";
import { counted } from "../report/labels.ts";
import { knownModels } from "../plan/tables.ts";

const WIDTH = 80;

/** Lists every name that `bench` takes, in columns. @param quantizers Loaded by the caller, as they are tensor code. */
export function listText(suite: Suite, quantizers: readonly { readonly name: string }[]): string {
  const { papers, protocols } = suite;
  const tables = papers.flatMap((paper) => paper.tables.map((table) => ({ paper, table })));
  const arms = new Map(
    papers.flatMap((paper) => paper.tables.flatMap((table) => table.arms)).map((arm) => [arm.id, arm]),
  );
  return [
    section("Papers, --paper", papers.map(({ id, title }) => [id, title])),
    section(
      "Tables, --table with --paper",
      tables.map(({ paper, table: { id, dataset, bits, arms } }) => [
        paper.id,
        id,
        datasetTitle(dataset),
        counted(arms.length, "method"),
        bits.map(formatBits).join(" "),
      ]),
    ),
    section(
      "Protocols, --protocol",
      Object.values(protocols).map(({ name, models, seeds, fullPrecision, quantized }) => [
        name,
        `${fullPrecision.epochs} + ${quantized.epochs} epochs`,
        counted(seeds.length, "seed"),
        models?.map(modelTitle).join(", ") ?? "the paper's models",
      ]),
    ),
    section("Models, --models", knownModels(suite).map((id) => [id, modelTitle(id)])),
    section("Quantizers, --quantizer", filled(quantizers.map(({ name }) => name))),
    section("Methods, --methods: rows of the tables", [...arms.values()].map(({ id, title }) => [id, title])),
  ].join("\n");
}

/** Writes rows below a title, with columns of equal width; the last one is cut at the edge of the screen. */
function section(title: string, rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  const lines = rows.map((row) => `  ${row.map((text, i) => text.padEnd(widths[i]!)).join("  ")}`.trimEnd());
  return [title, ...lines.map((line) => line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line), ""].join("\n");
}

/** Puts names side by side, as many as fit. */
function filled(names: readonly string[]): string[][] {
  const width = Math.max(...names.map((name) => name.length)) + 2, perRow = Math.floor((WIDTH - 2) / width);
  return Array.from({ length: Math.ceil(names.length / perRow) }, (_, i) => names.slice(i * perRow, (i + 1) * perRow));
}
