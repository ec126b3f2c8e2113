import { type Block, cellText, type Column, type TableCell } from "./blocks.ts";
import { STYLE } from "./html_style.ts";

/** A link of the site's navigation. */
export interface SiteLink {
  readonly href: string;
  readonly title: string;
}

/** What is around a page's blocks. */
export interface HtmlFrame {
  readonly title: string;
  readonly links: readonly SiteLink[];
  /** `href` of this page among the links. */
  readonly current: string;
}

/** A self-contained page: no script, nothing fetched, light and dark. */
export function toHtml(blocks: readonly Block[], { title, links, current }: HtmlFrame): string {
  const navigation = links.map(({ href, title }) =>
    `<a href="${escaped(href)}"${href === current ? ' aria-current="page"' : ""}>${escaped(title)}</a>`
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<style>
${STYLE}
</style>
</head>
<body>
<header><nav aria-label="Pages">${navigation.join(" ")}</nav></header>
<main>
${blocks.map(block).join("\n")}
</main>
</body>
</html>
`;
}

function block(part: Block): string {
  switch (part.kind) {
    case "banner":
      return `<p class="banner"><strong>${escaped(part.text)}</strong></p>`;
    case "heading":
      return `<h${part.level}>${escaped(part.text)}</h${part.level}>`;
    case "paragraph":
      return `<p>${escaped(part.text)}</p>`;
    case "list": {
      const tag = part.ordered ? "ol" : "ul";
      return `<${tag}>\n${part.items.map((item) => `<li>${escaped(item)}</li>`).join("\n")}\n</${tag}>`;
    }
    case "commands":
      return `<pre tabindex="0"><code>${escaped(part.lines.join("\n"))}</code></pre>`;
    case "table":
      return table(part);
  }
}

/** A wide table scrolls in a region of its own, which the keyboard reaches. */
function table({ caption, columns, rows }: Extract<Block, { kind: "table" }>): string {
  return [
    `<div class="scroll" role="region" tabindex="0" aria-label="${escaped(caption)}">`,
    `<table>\n<caption>${escaped(caption)}</caption>`,
    `<thead><tr>${
      columns.map((column) => `<th scope="col"${side(column)}>${escaped(column.title)}</th>`).join("")
    }</tr></thead>`,
    `<tbody>`,
    ...rows.map((row) => `<tr>${row.map((cell, index) => tableCell(cell, columns[index]!)).join("")}</tr>`),
    `</tbody>\n</table>\n</div>`,
  ].join("\n");
}

function tableCell(cell: TableCell, column: Column): string {
  if (column.names) return `<th scope="row"${side(column)}>${escaped(cellText(cell))}</th>`;
  if (typeof cell === "string") return `<td${side(column)}>${escaped(cell)}</td>`;
  return `<td${side(column)}><span class="verdict ${cell.verdict}">${escaped(cell.text)}</span></td>`;
}

function side({ align }: Column): string {
  return align === "right" ? ' class="number"' : "";
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
