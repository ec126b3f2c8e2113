import { bitsTitle, modelTitle, points, signed, verdictTitle } from "../labels.ts";
import { armTitle } from "../result_table.ts";
import type { ReportRow, ReportSection, ReportTable } from "../tables.ts";
import type { PaperPage } from "../types.ts";

/**
 * The tables of a paper for LaTeX with package `booktabs`, one `table` environment a table and protocol; model and bits
 * stand once above their rows.
 */
export function toLatex({ id, title }: PaperPage, sections: readonly ReportSection[]): string {
  const tables = sections.flatMap(({ protocol, tables }) =>
    tables.filter(({ rows }) => rows.length > 0).map((table) => environment(table, { paper: id, protocol }))
  );
  return [`% ${title}. Needs \\usepackage{booktabs}`, ...tables].join("\n\n") + "\n";
}

function environment({ table, rows }: ReportTable, { paper, protocol }: { paper: string; protocol: string }): string {
  const groups = new Map<string, ReportRow[]>();
  for (const row of rows) {
    const name = `${modelTitle(row.model)}, ${bitsTitle(row)}`;
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  return [
    "\\begin{table}",
    "  \\centering",
    `  \\caption{${escaped(`${table.title}. Protocol ${protocol}. Top-1 accuracy in percent, mean`)} $\\pm$ ` +
    `${escaped("standard deviation over n seeds")}; $\\Delta$: difference to LSQ in points}`,
    `  \\label{tab:${paper}-${table.id}-${protocol}}`,
    "  \\begin{tabular}{lrrrrl}",
    "    \\toprule",
    "    Method & Published & Ours (n) & $\\Delta$ published & $\\Delta$ ours & Verdict \\\\",
    ...[...groups].flatMap(([name, members]) => [
      "    \\midrule",
      `    \\multicolumn{6}{l}{\\textbf{${escaped(name)}}} \\\\`,
      ...members.map((row) => `    ${cells(row).join(" & ")} \\\\`),
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

/** Characters that LaTeX would take for commands, made literal. */
function escaped(text: string): string {
  return text.replace(/[\\~^&%$#_{}]/g, (character) => SPECIAL[character] ?? `\\${character}`);
}
