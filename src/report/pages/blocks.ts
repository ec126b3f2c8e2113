/** A page as plain data, from which every format is written: what is said once is said alike everywhere. */
import type { VerdictName } from "../judge/verdict.ts";

/** A cell that is more than text. Formats that cannot show a link or a symbol print the text alone. */
export interface RichCell {
  readonly text: string;
  /** A verdict, which a format may colour. */
  readonly verdict?: VerdictName;
  /** Where it leads, relative to the root of the site. */
  readonly href?: string;
  /** How a verdict is shown where symbols can be: `both`, if not said otherwise. */
  readonly display?: "both" | "symbol" | "text";
}

/** A table's cell. */
export type TableCell = string | RichCell;

/** A table's column. */
export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
  /** Whether its cells name their row. */
  readonly names?: boolean;
}

/** Columns and rows under a caption. */
export interface TableBlock {
  readonly kind: "table";
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly TableCell[])[];
  /** Whether the rows have an order of their own, which a reader would not change. */
  readonly ordered?: boolean;
  /** Whether it is for those who look closer: where a page can fold, it is folded. */
  readonly aside?: boolean;
}

/** A picture for the site; its table says the same in numbers. */
export interface FigureBlock {
  readonly kind: "figure";
  /** Unique on its page. */
  readonly id: string;
  readonly caption: string;
  /** An `<svg>` element whose title and description are inside. */
  readonly svg: string;
  readonly data: Pick<TableBlock, "columns" | "rows">;
}

/** A part of a page; texts are plain, without markup. */
export type Block =
  | { readonly kind: "banner"; readonly text: string }
  | { readonly kind: "heading"; readonly level: 1 | 2 | 3; readonly text: string }
  | { readonly kind: "paragraph"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly string[]; readonly ordered?: boolean }
  | { readonly kind: "commands"; readonly lines: readonly string[] }
  | { readonly kind: "links"; readonly items: readonly { readonly text: string; readonly href: string }[] }
  | TableBlock
  | FigureBlock;

export function heading(level: 1 | 2 | 3, text: string): Block {
  return { kind: "heading", level, text };
}

export function paragraph(text: string): Block {
  return { kind: "paragraph", text };
}

/** A heading with a list under it; nothing where there is no item. */
export function listSection(title: Block, list: Omit<Extract<Block, { kind: "list" }>, "kind">): Block[] {
  return list.items.length === 0 ? [] : [title, { kind: "list", ...list }];
}

/** The text of a cell. */
export function cellText(cell: TableCell): string {
  return typeof cell === "string" ? cell : cell.text;
}
