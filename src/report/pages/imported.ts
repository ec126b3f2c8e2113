/** Results of other tools as blocks: beside ours, then each tool's own differences and verdicts. */
import { type Block, type Column, heading, listSection, paragraph, type TableCell } from "./blocks.ts";
import { bitsTitle, modelTitle, points } from "../labels.ts";
import { armTitle, resultBlocks } from "./result_table.ts";
import type { ReportRow, ReportSection } from "../judge/tables.ts";
import type { ImportedSection } from "../judge/imported_sections.ts";

const HEADING = "Results of other tools";

/** Nothing where nothing was imported. */
export function importedBlocks(imported: readonly ImportedSection[], ours: readonly ReportSection[]): Block[] {
  if (imported.length === 0) return [];
  const groups = new Map<string, ImportedSection[]>();
  for (const section of imported) {
    const key = `${section.table.table.id} ${section.protocol}`;
    groups.set(key, [...(groups.get(key) ?? []), section]);
  }
  return [
    heading(2, HEADING),
    paragraph(
      "Imported with --import, not run by Requant and in no mean of ours. The rules are the same: mean over seeds, " +
        "differences paired by seed to the tool's own LSQ and full precision, verdicts from them. What the tool did is as its " +
        "file says.",
    ),
    ...[...groups.values()].map((sections) => besideOurs(sections, ours)),
    ...imported.flatMap(({ tool, protocol, table, notes }) => [
      ...resultBlocks({
        ...table,
        table: { ...table.table, title: `${tool}: ${table.table.title}, protocol ${protocol}` },
      }),
      ...listSection(paragraph(`Notes of ${tool}:`), { items: notes }),
    ]),
  ];
}

/** Our mean of the same cell and protocol, then a column a tool. */
function besideOurs(sections: readonly ImportedSection[], ours: readonly ReportSection[]): Block {
  const { protocol, table: { table } } = sections[0]!;
  const own = ours.filter((section) => section.protocol === protocol).flatMap(({ tables }) =>
    tables.filter((candidate) => candidate.table.id === table.id).flatMap(({ rows }) => rows)
  );
  const rows = new Map(sections.flatMap((section) => section.table.rows).map((row) => [cellName(row), row]));
  const find = (all: readonly ReportRow[], row: ReportRow) => all.find((other) => cellName(other) === cellName(row));
  return {
    kind: "table",
    caption: `${table.title}, protocol ${protocol}: other tools beside ours`,
    columns: [
      { title: "Model", align: "left" },
      { title: "Bits", align: "left" },
      { title: "Method", align: "left", names: true },
      { title: "Published", align: "right" },
      { title: "Requant, mean ± sd (n)", align: "right" },
      ...sections.map(({ tool }): Column => ({ title: `${tool}, mean ± sd (n)`, align: "right" })),
    ],
    rows: [...rows.values()].map((row): TableCell[] => [
      modelTitle(row.model),
      bitsTitle(row),
      armTitle(row),
      row.published?.top1Percent == null ? "" : points(row.published.top1Percent),
      meanText(find(own, row)),
      ...sections.map((section) => meanText(find(section.table.rows, row))),
    ]),
  };
}

function cellName({ model, arm, weightBits, activationBits }: ReportRow): string {
  return `${model} ${arm.id} ${weightBits} ${activationBits}`;
}

function meanText(row: ReportRow | undefined): string {
  if (row === undefined || row.mean === null) return "";
  return row.sd === null ? `${points(row.mean)} (${row.n})` : `${points(row.mean)} ± ${points(row.sd)} (${row.n})`;
}
