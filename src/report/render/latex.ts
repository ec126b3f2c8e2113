import { bitsTitle } from "../../catalog/bits.ts";
import { armTitle, modelTitle } from "../../catalog/titles.ts";
import { points, signed, verdictTitle } from "../labels.ts";
import type { ReportRow, ReportSection, ReportTable } from "../judge/tables.ts";
import type { ArmTitle, Paper } from "../../catalog/paper.ts";
import type { ProtocolLabel } from "../../record/spec.ts";
import { protocolTitle } from "../../catalog/protocol.ts";

/** Rows that fit on a page of article at 10 points with their caption; a heading over a group counts as one. */
const ROWS_A_PAGE = 40;
const CAPTION =
  ". Top-1 accuracy in percent, mean $\\pm$ standard deviation over n seeds; $\\Delta$: difference to LSQ in " +
  "points";

/**
 * The tables of a paper for LaTeX with package `booktabs`, one `table` environment a table and protocol, or several where
 * it would not fit on a page; model and bits stand once above their rows.
 */
export function toLatex({ id, title }: Paper<ArmTitle>, sections: readonly ReportSection[]): string {
  const tables = sections.flatMap(({ protocol, tables }) =>
    tables.flatMap((table) => environments(table, { paper: id, protocol }))
  );
  return [`% ${title}. Needs \\usepackage{booktabs}`, ...tables].join("\n\n") + "\n";
}

interface Group {
  readonly title: string;
  readonly rows: readonly ReportRow[];
}

function environments({ table, rows }: ReportTable, place: { paper: string; protocol: ProtocolLabel }): string[] {
  const groups = Map.groupBy(rows, (row) => `${modelTitle(row.model)}, ${bitsTitle(row)}`);
  return pagesOf([...groups].map(([title, members]) => ({ title, rows: members })))
    .map((page, index) => environment(table, { ...place, page, number: index + 1 }));
}

/** Groups together as long as they fit on a page; a group that is longer than a page is cut. */
function pagesOf(groups: readonly Group[]): Group[][] {
  const pages: Group[][] = [];
  let left = 0;
  for (const { title, rows } of groups) {
    for (let start = 0; start < rows.length; start += ROWS_A_PAGE - 1) {
      const group = { title, rows: rows.slice(start, start + ROWS_A_PAGE - 1) };
      const needed = group.rows.length + 1;
      if (needed > left) {
        pages.push([]);
        left = ROWS_A_PAGE;
      }
      pages.at(-1)!.push(group);
      left -= needed;
    }
  }
  return pages;
}

function environment(
  { id, title }: ReportTable["table"],
  { paper, protocol, page, number }: { paper: string; protocol: ProtocolLabel; page: readonly Group[]; number: number },
): string {
  return [
    "\\begin{table}",
    "  \\centering",
    `  \\caption{${
      escaped(`${title}. Protocol ${protocolTitle(protocol)}${number === 1 ? "" : `, continued (${number})`}`)
    }${CAPTION}}`,
    `  \\label{tab:${paper}-${id}-${protocol}${number === 1 ? "" : `-${number}`}}`,
    "  \\begin{tabular}{lrrrrl}",
    "    \\toprule",
    "    Method & Published & Ours (n) & $\\Delta$ published & $\\Delta$ ours & Verdict \\\\",
    ...page.flatMap(({ title, rows }) => [
      "    \\midrule",
      `    \\multicolumn{6}{l}{\\textbf{${escaped(title)}}} \\\\`,
      ...rows.map((row) => `    ${cells(row).join(" & ")} \\\\`),
    ]),
    "    \\bottomrule",
    "  \\end{tabular}",
    "\\end{table}",
  ].join("\n");
}

function cells(row: ReportRow): string[] {
  const { published, mean, sd, n, publishedDifference, differenceToLsq, verdict } = row;
  const ours = mean === null ? "" : `${points(mean)}${sd === null ? "" : ` $\\pm$ ${points(sd)}`} (${n})`;
  const interval = differenceToLsq?.interval;
  const difference = differenceToLsq === null ? "" : math(signed(differenceToLsq.mean)) +
    (interval ? ` [${math(signed(interval.low))}, ${math(signed(interval.high))}]` : "");
  return [
    escaped(armTitle(row)),
    published?.top1Percent == null ? "" : points(published.top1Percent),
    ours,
    publishedDifference === null ? "" : math(signed(publishedDifference)),
    difference,
    verdictTitle(verdict.name),
  ];
}

/** In math mode a hyphen is a minus. */
function math(number: string): string {
  return `$${number}$`;
}

const SPECIAL: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
};

/** Text on one line, with characters literal that LaTeX would take for commands. */
function escaped(text: string): string {
  return text.replace(/\s+/g, " ").replace(/[\\~^&%$#_{}]/g, (character) => SPECIAL[character] ?? `\\${character}`);
}
