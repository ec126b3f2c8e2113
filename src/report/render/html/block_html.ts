/** The blocks of a page as HTML. */
import { Marked } from "marked";
import {
  type Block,
  cellText,
  type Column,
  type FigureBlock,
  type RichCell,
  type TableBlock,
  type TableCell,
} from "../../pages/blocks.ts";
import type { VerdictName } from "../../judge/verdict.ts";
import { VERDICT_SYMBOLS } from "../../labels.ts";
import { escaped } from "../figures/drawing.ts";
import { figureSvg, phoneSvg } from "../figures/figure_svg.ts";

/** Markdown in which HTML is text, and a link to a report beside it leads to that page of the site, any other nowhere. */
const WRITTEN = new Marked({
  renderer: {
    html: ({ text }) => escaped(text),
    link({ href, tokens }) {
      const text = this.parser.parseInline(tokens), name = /^(\w+)\.md$/.exec(href)?.[1];
      return name === undefined ? text : `<a href="${name}.html">${text}</a>`;
    },
    image: ({ text }) => escaped(text),
  },
});

/** From this many rows on, a table gets a filter. */
const FILTER_FROM = 8;

/** A column with longer text gets room for it, so that its rows do not become towers. */
const LONG_FROM = 50;
const LONG = ' class="long"';

/**
 * One block as HTML.
 * @param root From the page to the site's root: empty, or `../`.
 */
function blockHtml(part: Block, root: string): string {
  switch (part.kind) {
    case "banner":
      return `<p class="banner"><strong>${escaped(part.text)}</strong></p>`;
    case "answer":
      return `<section class="answer"><h2 id="${anchor(part.title)}">${escaped(part.title)}</h2>\n${
        part.sentences.map((text) => `<p>${escaped(text)}</p>`).join("\n")
      }\n</section>`;
    case "heading":
      return `<h${part.level}${part.level === 2 ? ` id="${anchor(part.text)}"` : ""}>${
        escaped(part.text)
      }</h${part.level}>`;
    case "paragraph":
      return `<p>${escaped(part.text)}</p>`;
    case "list": {
      const tag = part.ordered ? "ol" : "ul";
      return `<${tag}>\n${part.items.map((item) => `<li>${escaped(item)}</li>`).join("\n")}\n</${tag}>`;
    }
    case "commands":
      return `<pre tabindex="0"><code>${escaped(part.lines.join("\n"))}</code></pre>`;
    case "links":
      return part.items.length === 0
        ? ""
        : `<p class="links">${
          part.items.map(({ text, href }) => `<a href="${root}${escaped(href)}">${escaped(text)}</a>`).join("\n")
        }</p>`;
    case "markdown":
      return WRITTEN.parse(part.text, { async: false }).trimEnd();
    case "fold":
      return `<details class="fold"><summary><h2>${escaped(part.title)}</h2></summary>\n${
        blocksHtml(part.blocks, root)
      }\n</details>`;
    case "table":
      return tableHtml(part, root);
    case "figure":
      return figureHtml(part, root);
    case "figures":
      return blocksHtml(part.figures, root);
  }
}

/** Blocks as HTML; figures that follow each other stand side by side where there is room. */
export function blocksHtml(blocks: readonly Block[], root: string): string {
  return blocks.map((part, index) => {
    const html = blockHtml(part, root);
    if (part.kind !== "figure") return html;
    const opening = blocks[index - 1]?.kind === "figure" ? "" : '<div class="figures">\n';
    return opening + html + (blocks[index + 1]?.kind === "figure" ? "" : "\n</div>");
  }).join("\n");
}

/** The id of a section's heading: `Protocol paper: not run` is `protocol-paper-not-run`. */
function anchor(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
}

/** A wide table scrolls in a region of its own, which the keyboard reaches. */
function tableHtml(table: TableBlock, root: string): string {
  const html = openTableHtml(table, root);
  if (!table.aside) return html;
  return `<details class="aside"><summary>${escaped(table.caption)}</summary>\n${html}\n</details>`;
}

function openTableHtml({ caption, columns, rows, ordered }: TableBlock, root: string): string {
  const isFacts = ordered && columns.length === 2;
  const kind = isFacts ? ' class="facts"' : rows.some(hasLongText) ? ' class="cards"' : "";
  const filter = !ordered && rows.length >= FILTER_FROM ? " data-filter" : "";
  const sort = !ordered && rows.length > 1 ? " data-sort" : "";
  return [
    `<div class="scroll" role="region" tabindex="0" aria-label="${escaped(caption)}">`,
    `<table${kind}${sort}${filter}>\n<caption>${escaped(caption)}</caption>`,
    gridHtml({ columns, rows }, root),
    `</table>\n</div>`,
  ].join("\n");
}

/** A figure's numbers are one press away, for those who cannot or would not read a picture. */
function figureHtml(figure: FigureBlock, root: string): string {
  const { id, caption, note, data } = figure, phone = phoneSvg(figure);
  return [
    `<figure id="${id}"${phone === null ? "" : ' class="wide"'}>`,
    `<figcaption><strong>${escaped(caption)}</strong>${note === undefined ? "" : ` ${escaped(note)}`}</figcaption>`,
    `<div class="drawing" role="region" tabindex="0" aria-label="${escaped(caption)}">${figureSvg(figure)}${
      phone ?? ""
    }</div>`,
    `<details><summary>Numbers of this figure</summary>`,
    tableHtml({ ...data, kind: "table", caption: `Numbers: ${caption}`, ordered: true }, root),
    `</details>\n</figure>`,
  ].join("\n");
}

function gridHtml({ columns, rows }: Pick<TableBlock, "columns" | "rows">, root: string): string {
  const sides = columns.map((column, index) =>
    column.align === "left" && rows.some((row) => isLong(row[index]!)) ? LONG : side(column)
  );
  const labelled = sides.includes(LONG);
  const tags = columns.map(({ title, names }, index) =>
    names
      ? { open: `<th scope="row"${sides[index]}>`, close: "</th>" }
      // with long text the cells may stand below each other, apart from their column's head
      : { open: `<td${sides[index]}${labelled ? ` data-label="${escaped(title)}"` : ""}>`, close: "</td>" }
  );
  let html = "<thead><tr>";
  for (const column of columns) html += `<th scope="col"${side(column)}>${escaped(column.title)}</th>`;
  html += "</tr></thead>\n<tbody>";
  for (const row of rows) {
    html += "\n<tr>";
    row.forEach((cell, index) => html += tags[index]!.open + contentHtml(cell, root) + tags[index]!.close);
    html += "</tr>";
  }
  return html + "\n</tbody>";
}

function isLong(cell: TableCell): boolean {
  return cellText(cell).length > LONG_FROM;
}

function hasLongText(row: readonly TableCell[]): boolean {
  return row.some(isLong);
}

function contentHtml(cell: TableCell, root: string): string {
  if (typeof cell === "string") return escaped(cell);
  const text = escaped(cellText(cell));
  const told = cell.verdict === undefined ? text : verdictHtml(text, { ...cell, verdict: cell.verdict });
  return cell.href === undefined ? told : `<a href="${root}${escaped(cell.href)}">${told}</a>`;
}

function verdictHtml(text: string, { verdict, display }: RichCell & { readonly verdict: VerdictName }): string {
  const symbol = `<span aria-hidden="true">${VERDICT_SYMBOLS[verdict]}</span>`;
  if (display === "symbol") {
    return `<span class="verdict ${verdict}" title="${text}">${symbol}<span class="unseen">${text}</span></span>`;
  }
  return `<span class="verdict ${verdict}">${display === "text" ? "" : `${symbol} `}${text}</span>`;
}

function side({ align }: Column): string {
  return align === "right" ? ' class="number"' : "";
}
