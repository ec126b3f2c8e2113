import { markdownTable } from "markdown-table";
import { type Block, cellText, type TableBlock } from "../pages/blocks.ts";

/** Writes a page as GitHub-flavoured Markdown, tables padded so that they read well as text too. */
export function toMarkdown(blocks: readonly Block[]): string {
  return blocks.flatMap(block).join("\n\n") + "\n";
}

/** Where links of the site lead from a page beside it. */
const SITE = "site";

/** Figures are the site's: their numbers stand in the tables. */
function block(part: Block): string | readonly [] {
  switch (part.kind) {
    case "banner":
      return `> **${inline(part.text)}**`;
    case "answer":
      return [`> **${inline(part.title)}**`, ...part.sentences.map((text) => `> ${opening(text)}`)].join("\n>\n");
    case "heading":
      return `${"#".repeat(part.level)} ${inline(part.text).replace(/(^|\s)(?=#+$)/, "$1\\")}`;
    case "paragraph":
      return opening(part.text);
    case "list":
      return part.items.map((item, index) => `${part.ordered ? `${index + 1}.` : "-"} ${opening(item)}`).join("\n");
    case "commands":
      return ["```sh", ...part.lines, "```"].join("\n");
    case "links":
      return part.items.map(({ text, href }) => `- [${inline(text, /!(?=\[)|[[\]]/g)}](${SITE}/${target(href)})`).join(
        "\n",
      );
    case "markdown":
      return part.text.trimEnd();
    case "fold":
      return [`## ${inline(part.title)}`, ...part.blocks.flatMap(block)].join("\n\n");
    case "figure":
    case "figures":
      return [];
    case "table":
      return `**${inline(part.caption)}**\n\n${table(part)}`;
  }
}

function table({ columns, rows }: TableBlock): string {
  const cell = (text: string) => inline(text).replaceAll("|", "\\|");
  return markdownTable(
    [columns.map(({ title }) => cell(title)), ...rows.map((row) => row.map((item) => cell(cellText(item))))],
    { align: columns.map(({ align }) => align === "right" ? "right" : null) },
  );
}

/** Breaks of a line, for some reader or other. */
const BREAKS = /\s*[\n\r\v\f\u0085\u2028\u2029]\s*/g;

/** Text that is surely no markup. */
const PLAIN = /^(?!\s)[\p{L}\p{N} ,;%±+-]*(?:\.\d[\p{L}\p{N} ,;%±+-]*)*(?<!\s)$/u;

/** Brackets of images, footnotes and links. */
const MARKUP_BRACKETS = /!(?=\[)|\[(?=\^)|\](?=[[(])/g;

/**
 * Text on one line, with everything literal that Markdown or HTML would take for markup. Brackets alone are text (`[+0.1,
 * +0.9]`); only those that would make a link, an image or a footnote are escaped. Addresses stay text too.
 */
function inline(text: string, brackets = MARKUP_BRACKETS): string {
  if (PLAIN.test(text)) return text; // most cells: a large page has a million of them
  return text.trim().replace(BREAKS, " ").replace(/[\\*`~]/g, "\\$&")
    .replace(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, "\\_")
    .replace(brackets, "\\$&").replace(/:(?=\/\/)|(?<=www)\.|@(?=[\w.-]+\.\w)/gi, "\\$&")
    .replace(/&(?=[#\w]+;)/g, "&amp;").replace(/<(?=[A-Za-z/!?])/g, "&lt;");
}

/** Text at the start of a block, where more is markup: headings, quotes, lists, tasks, rules and targets of links. */
function opening(text: string): string {
  return inline(text)
    .replace(/^(?:#{1,6}(?=\s|$)|>|[-+](?=\s|$)|[-=]+$|\[(?=[ xX]\]\s|[^\]]*\]:))/, "\\$&")
    .replace(/^(\d{1,9})(?=[.)](?:\s|$))/, "$1\\");
}

function target(href: string): string {
  return encodeURI(href).replace(/[()]/g, (character) => character === "(" ? "%28" : "%29");
}
