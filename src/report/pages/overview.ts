import { type Block, type Column, heading, paragraph, type TableBlock, type TableCell } from "./blocks.ts";
import { bitsTitle, counted, modelTitle, verdictTitle } from "../labels.ts";
import { armTitle } from "./result_table.ts";
import { VERDICT_SYMBOLS } from "../render/html/block_html.ts";
import { paperHref } from "../render/html/site.ts";
import type { ReportRow, ReportSection, ReportTable } from "../judge/tables.ts";
import type { PaperPage } from "../../catalog/paper.ts";
import { VERDICTS } from "../judge/verdict.ts";

/** A page with its sections. */
export interface PaperSections {
  readonly page: PaperPage;
  readonly sections: readonly ReportSection[];
}

/** The site's first page: how many cells of each paper and protocol have which verdict, then each cell's verdict. */
export function overviewBlocks(papers: readonly PaperSections[]): Block[] {
  return [
    heading(1, "Requant: what was reproduced"),
    paragraph(
      "Quantization-aware training papers, run again: published numbers beside numbers from records. Protocol paper is the " +
        "paper's own recipe, reduced a small form of it on real images, smoke a proof that the plumbing works.",
    ),
    countTable(papers),
    ...papers.flatMap(({ page }): Block[] => page.caveat === null ? [] : [paragraph(`${page.title}: ${page.caveat}`)]),
    heading(2, "Verdict of each cell"),
    paragraph(
      `${VERDICTS.map((name) => `${VERDICT_SYMBOLS[name]} ${verdictTitle(name)}`).join("; ")}. Empty: no such cell.`,
    ),
    ...papers.flatMap(({ page, sections }): Block[] => [
      heading(3, page.title),
      ...sections.flatMap((section) => sectionMatrices(section, page)),
    ]),
  ];
}

function countTable(papers: readonly PaperSections[]): TableBlock {
  return {
    kind: "table",
    caption: "Cells by verdict",
    columns: [
      { title: "Paper", align: "left", names: true },
      { title: "Protocol", align: "left" },
      { title: "Runs", align: "right" },
      ...VERDICTS.map((name): Column => ({ title: capitalised(verdictTitle(name)), align: "right" })),
    ],
    rows: papers.flatMap(({ page, sections }) =>
      sections.map(({ protocol, tables, runs }): TableCell[] => {
        const verdicts = tables.flatMap(({ rows }) => rows.map(({ verdict }) => verdict.name));
        return [
          { text: page.title, href: paperHref(page.id) },
          protocol,
          String(runs.length),
          ...VERDICTS.map((name): TableCell => {
            const count = verdicts.filter((verdict) => verdict === name).length;
            return count === 0 ? "" : { text: String(count), verdict: name, display: "text" };
          }),
        ];
      })
    ),
  };
}

/** Tables of which nothing ran are one sentence and not a matrix of dots. */
function sectionMatrices({ protocol, tables }: ReportSection, page: PaperPage): Block[] {
  const filled = tables.filter(({ rows }) => rows.some(({ n, notDone }) => n + notDone > 0));
  const empty = tables.filter((table) => !filled.includes(table) && table.rows.length > 0);
  return [
    ...filled.map((table) => verdictMatrix(table, { page, protocol })),
    ...(empty.length === 0 ? [] : [paragraph(
      `Not run under protocol ${protocol}: ${
        empty.map(({ table, rows }) => `${table.title} (${counted(rows.length, "cell")})`).join("; ")
      }.`,
    )]),
  ];
}

/** Methods across, models and bits down. */
function verdictMatrix(
  { table, rows }: ReportTable,
  { page, protocol }: { readonly page: PaperPage; readonly protocol: string },
): TableBlock {
  const arms = [...new Map(rows.map(({ arm }) => [arm.id, arm])).values()];
  const lines = new Map<string, ReportRow[]>();
  for (const row of rows) {
    const name = `${modelTitle(row.model)}, ${bitsTitle(row)}`;
    lines.set(name, [...(lines.get(name) ?? []), row]);
  }
  return {
    kind: "table",
    caption: `${page.id.toUpperCase()}, ${table.title}, protocol ${protocol}`,
    columns: [
      { title: "Model, bits", align: "left", names: true },
      ...arms.map((arm): Column => ({ title: armTitle({ arm }), align: "left" })),
    ],
    rows: [...lines].map(([name, members]): TableCell[] => [
      name,
      ...arms.map(({ id }): TableCell => {
        const row = members.find(({ arm }) => arm.id === id);
        return row === undefined
          ? ""
          : { text: verdictTitle(row.verdict.name), verdict: row.verdict.name, display: "symbol" };
      }),
    ]),
    ordered: true,
  };
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
