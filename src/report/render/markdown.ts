import { type Block, cellText, type Column } from "../pages/blocks.ts";

/** A page as GitHub-flavoured Markdown, tables padded so that they read well as text too. */
export function toMarkdown(blocks: readonly Block[]): string {
  return blocks.flatMap(block).join("\n\n") + "\n";
}

/** Where links of the site lead from a page beside it. */
const SITE = "site";

/** Figures are the site's: their numbers stand in the tables. */
function block(part: Block): string | readonly [] {
  switch (part.kind) {
    case "banner":
      return `> **${escaped(part.text)}**`;
    case "heading":
      return `${"#".repeat(part.level)} ${escaped(part.text)}`;
    case "paragraph":
      return escaped(part.text);
    case "list":
      return part.items.map((item, index) => `${part.ordered ? `${index + 1}.` : "-"} ${escaped(item)}`).join("\n");
    case "commands":
      return ["```sh", ...part.lines, "```"].join("\n");
    case "links":
      return part.items.map(({ text, href }) => `- [${escaped(text)}](${SITE}/${href})`).join("\n");
    case "figure":
      return [];
    case "table":
      return `**${escaped(part.caption)}**\n\n${
        table(part.columns, part.rows.map((row) => row.map((cell) => escaped(cellText(cell)).replaceAll("|", "\\|"))))
      }`;
  }
}

function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, index) => Math.max(3, title.length, ...rows.map((row) => row[index]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${
      cells.map((cell, index) =>
        columns[index]!.align === "right" ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!)
      ).join(" | ")
    } |`;
  const rule = columns.map(({ align }, index) =>
    align === "right" ? `${"-".repeat(widths[index]! - 1)}:` : "-".repeat(widths[index]!)
  );
  return [line(columns.map(({ title }) => title)), line(rule), ...rows.map(line)].join("\n");
}

/** On one line, and what Markdown or HTML would take for markup made literal. */
function escaped(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").replace(/[\\*`~]/g, "\\$&").replace(/&(?=[#\w]+;)/g, "&amp;")
    .replace(/<(?=[A-Za-z/!?])/g, "&lt;");
}
