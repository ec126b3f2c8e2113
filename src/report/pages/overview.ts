import { type Block, heading, naming, numbers, paragraph, type TableBlock, tableOf, words } from "./blocks.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import { armTitle, modelTitle, shortTitle } from "../../catalog/titles.ts";
import { counted, VERDICT_SYMBOLS, verdictTitle } from "../labels.ts";
import { paperHref } from "./paper.ts";
import { answers } from "./answers.ts";
import { type Core, partTable } from "./core.ts";
import { figureBlocks } from "./figures.ts";
import type { ReportSection, ReportTable } from "../judge/tables.ts";
import type { ArmTitle, Paper } from "../../catalog/paper.ts";
import { VERDICTS } from "../judge/verdict.ts";
import type { ProtocolLabel } from "../../record/spec.ts";
import { protocolTitle } from "../../catalog/protocol.ts";

/** A page with its sections. */
export interface PaperSections {
  readonly page: Paper<ArmTitle>;
  readonly sections: readonly ReportSection[];
}

/**
 * The site's first page: the answer, its plot and its table; how many cells of each paper and protocol have which verdict;
 * then, folded, each cell's verdict.
 */
export function overviewBlocks(papers: readonly PaperSections[], core: Core | null): Block[] {
  return [
    heading(1, "Requant: results so far"),
    ...(core === null ? [] : answerBlocks(core, papers.map(({ page }) => page.id))),
    heading(2, "Papers"),
    paragraph(
      "Quantization-aware training papers, run again: published numbers beside numbers from records. Protocol paper is the " +
        "paper's own recipe, reduced a small form of it on real images, smoke a test of the software.",
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

/** Nothing where the table over all papers decides nothing yet. */
function answerBlocks({ core, table, outdated, ...context }: Core, papers: readonly string[]): Block[] {
  const sentences = answers({ core, table }, papers);
  if (sentences.length === 0) return [];
  const figures = figureBlocks(table, { ...context, idPrefix: core.protocol });
  return [
    { kind: "answer", title: "The answer so far", sentences },
    ...figures.filter(({ id }) => id.endsWith("-difference")),
    partTable(core, core.bits[0]!, { rows: table.rows, outdated }),
    { kind: "links", items: [{ text: "All widths, seeds and tests", href: "core.html" }] },
    heading(2, "Cautions"),
    { kind: "list", items: core.cautions },
  ];
}

function countTable(papers: readonly PaperSections[]): TableBlock {
  const lines = papers.flatMap(({ page, sections }) => sections.map((section) => ({ page, section })));
  return tableOf("Cells by verdict", lines, {
    fields: [
      naming("Paper", ({ page }) => ({ text: page.title, href: paperHref(page.id) })),
      words("Protocol", ({ section }) => protocolTitle(section.protocol)),
      numbers("Runs", ({ section }) => String(section.runs.length)),
      ...VERDICTS.map((name) =>
        numbers<typeof lines[number]>(capitalised(verdictTitle(name)), ({ section }) => {
          const rows = section.tables.flatMap(({ rows }) => rows).filter(({ verdict }) => verdict.name === name);
          return rows.length === 0 ? "" : { text: String(rows.length), verdict: name, display: "text" };
        })
      ),
    ],
  });
}

/** Tables of which nothing ran are one sentence and not a matrix of dots. */
function sectionMatrices({ protocol, tables }: ReportSection, page: Paper<ArmTitle>): Block[] {
  const filled = tables.filter(({ rows }) => rows.some(({ n, notDone }) => n + notDone > 0));
  const empty = tables.filter((table) => !filled.includes(table) && table.rows.length > 0);
  return [
    ...filled.map((table) => verdictMatrix(table, { page, protocol })),
    ...(empty.length === 0 ? [] : [paragraph(
      `Not run under protocol ${protocolTitle(protocol)}: ${
        empty.map(({ table, rows }) => `${table.title} (${counted(rows.length, "cell")})`).join("; ")
      }.`,
    )]),
  ];
}

/** Methods across, models and bits down. */
function verdictMatrix(
  { table, rows }: ReportTable,
  { page, protocol }: { readonly page: Paper<ArmTitle>; readonly protocol: ProtocolLabel },
): TableBlock {
  const arms = [...new Map(rows.map(({ arm }) => [arm.id, arm])).values()];
  const lines = [...Map.groupBy(rows, (row) => `${modelTitle(row.model)}, ${bitsTitle(row)}`)];
  return tableOf(`${shortTitle(page)}, ${table.title}, protocol ${protocolTitle(protocol)}`, lines, {
    fields: [
      naming("Model, bits", ([name]) => name),
      ...arms.map((arm) =>
        words<typeof lines[number]>(armTitle({ arm }), ([, members]) => {
          const row = members.find((member) => member.arm.id === arm.id);
          if (row === undefined) return "";
          return { text: verdictTitle(row.verdict.name), verdict: row.verdict.name, display: "symbol" };
        })
      ),
    ],
    ordered: true,
    aside: true,
  });
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
