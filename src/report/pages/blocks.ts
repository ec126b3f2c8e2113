/** A page as plain data, from which every format is written: what is said once is said alike everywhere. */
import type { VerdictName } from "../judge/verdict.ts";

/** A cell that is more than text. Formats that cannot show a link or a symbol print the text alone. */
export interface RichCell {
  readonly text: string;
  /** A verdict, which a format may colour. */
  readonly verdict?: VerdictName;
  /** Where it leads, relative to the root of the site. */
  readonly href?: string;
  /** Form of a verdict where symbols can be shown; default: `both`. */
  readonly display?: "both" | "symbol" | "text";
}

/** A table's cell. */
export type TableCell = string | RichCell;

/** A table's column. */
export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
  /** True: its cells name their row. */
  readonly names?: boolean;
}

/** Columns and rows under a caption. */
export interface TableBlock {
  readonly kind: "table";
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly TableCell[])[];
  /** True: the rows have an order of their own, which a reader would not change. */
  readonly ordered?: boolean;
  /** True: it is for those who look closer. Where a page can fold, it is folded. */
  readonly aside?: boolean;
}

/** Kind of method, told by colour and shape in every figure. */
export type Role = "baseline" | "control" | "method" | "rebuilt";

/** One row of a figure of intervals: a value of ours with its interval, and published ones. Units are those of the axis. */
export interface IntervalRow {
  /** Rows of one group stand under its name. */
  readonly group: string;
  readonly label: string;
  readonly role: Role;
  readonly value: number;
  readonly low: number | null;
  readonly high: number | null;
  /** Number of seeds. */
  readonly n: number;
  /** Single seeds. */
  readonly seeds: readonly number[];
  readonly published: readonly number[];
  /** Printed at the end of the row: the value, and its spread where there is room. */
  readonly texts: { readonly value: string; readonly spread: string };
}

/** A point of a line. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A method's lines, one a seed, all over the same x. */
export interface Panel {
  readonly label: string;
  readonly lines: readonly (readonly Point[])[];
}

/** A place on an axis that has a name instead of a number. */
export interface NamedPlace {
  readonly at: number;
  readonly name: string;
}

/** Axes of a figure of panels. `whole`: x has no values between whole numbers; `logarithmic`: the scale of y, all y > 0. */
export interface PanelAxes {
  readonly x: string;
  readonly whole?: boolean;
  readonly logarithmic?: boolean;
  readonly names?: readonly NamedPlace[];
  /** True: y is the range without outliers, whose lines leave the frame. */
  readonly isUsual?: boolean;
  /** Width of a bar: each panel is a histogram of its mean. */
  readonly barWidth?: number;
}

/** A line or a point with its name beside it. */
export interface LabelledSeries {
  readonly label: string;
  readonly role: Role;
  readonly points: readonly Point[];
}

/** The contents of a picture, by its form. */
export type Drawing =
  | {
    readonly kind: "intervals";
    readonly rows: readonly IntervalRow[];
    /** `zero`: where a line stands for "no difference"; null: nowhere. `heads`: over the columns of texts. */
    readonly axis: { readonly label: string; readonly zero: number | null; readonly heads: IntervalRow["texts"] };
  }
  | {
    readonly kind: "panels";
    readonly panels: readonly Panel[];
    /** Its mean stands behind every panel; null: none. */
    readonly baseline: Panel | null;
    readonly axes: PanelAxes;
  }
  /** A row a panel: all of x, and beside it the last places enlarged. A line stands at y = 0. */
  | { readonly kind: "enlarged"; readonly panels: readonly Panel[]; readonly axes: { readonly x: string } }
  | {
    readonly kind: "labelled";
    readonly series: readonly LabelledSeries[];
    readonly axes: { readonly x: string; readonly y: string; readonly names?: readonly NamedPlace[] };
    /** A dashed line across, with its name; null: none. */
    readonly reference: { readonly label: string; readonly y: number } | null;
  }
  | { readonly kind: "curve"; readonly test: readonly number[]; readonly train: readonly number[] };

/** A picture, and a table with the same in numbers. */
export interface FigureBlock {
  readonly kind: "figure";
  /** Unique on its page. */
  readonly id: string;
  readonly caption: string;
  /** Explanation of its signs; left out: nothing to add. */
  readonly note?: string;
  /** In words, for readers who cannot see it. */
  readonly description: string;
  readonly drawing: Drawing;
  readonly data: Pick<TableBlock, "columns" | "rows">;
}

/** A part of a page; texts are plain, without markup. */
export type Block =
  | { readonly kind: "banner"; readonly text: string }
  /** The result of all work, for readers who read nothing else. */
  | { readonly kind: "answer"; readonly title: string; readonly sentences: readonly string[] }
  | { readonly kind: "heading"; readonly level: 1 | 2 | 3; readonly text: string; readonly page?: PageLink }
  | { readonly kind: "paragraph"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly string[]; readonly ordered?: boolean }
  | { readonly kind: "commands"; readonly lines: readonly string[] }
  | { readonly kind: "links"; readonly items: readonly { readonly text: string; readonly href: string }[] }
  /** Text written by hand, in Markdown. */
  | { readonly kind: "markdown"; readonly text: string }
  /** A section that stands folded under its heading. */
  | { readonly kind: "fold"; readonly title: string; readonly blocks: readonly Block[] }
  | TableBlock
  | FigureBlock
  /** Figures that have a page of their own, where a format has pages; others leave them out. */
  | { readonly kind: "figures"; readonly page: PageLink; readonly figures: readonly FigureBlock[] };

/** A page of the site; `href` is relative to its root. */
export interface SitePage {
  readonly href: string;
  readonly title: string;
  readonly blocks: readonly Block[];
}

/** The name of a page. */
export type PageLink = Pick<SitePage, "href" | "title">;

/** @param page Where the site has a page for the section. */
export function heading(level: 1 | 2 | 3, text: string, page?: PageLink): Extract<Block, { kind: "heading" }> {
  return { kind: "heading", level, text, ...(page && { page }) };
}

/** Takes the sections that have a page of their own out of the others. */
export function parted(blocks: readonly Block[]): { rest: Block[]; pages: SitePage[] } {
  const rest: Block[] = [], pages: (SitePage & { blocks: Block[] })[] = [];
  let level = 0, target = rest;
  for (const block of blocks) {
    if (block.kind === "figures") {
      pages.push({ ...block.page, blocks: [heading(1, block.page.title), ...block.figures] });
      continue;
    }
    const starts = block.kind === "heading" && (target === rest || block.level <= level);
    if (starts) target = rest;
    if (starts && block.page) {
      level = block.level;
      target = [heading(1, block.page.title)];
      pages.push({ ...block.page, blocks: target });
    } else target.push(block);
  }
  return { rest, pages };
}

/** Folds each section, all of level 2. */
export function folded(blocks: readonly Block[]): Block[] {
  const folds: { kind: "fold"; title: string; blocks: Block[] }[] = [];
  for (const block of blocks) {
    if (block.kind === "heading" && block.level === 2) folds.push({ kind: "fold", title: block.text, blocks: [] });
    else folds.at(-1)?.blocks.push(block);
  }
  return folds;
}

export function banner(text: string): Block {
  return { kind: "banner", text };
}

export function paragraph(text: string): Block {
  return { kind: "paragraph", text };
}

/** A heading with a list under it; nothing where there is no item. */
export function listSection(title: Block, list: Omit<Extract<Block, { kind: "list" }>, "kind">): Block[] {
  return list.items.length === 0 ? [] : [title, { kind: "list", ...list }];
}

/** A column and the text of its cells. */
export interface Field<T> extends Column {
  readonly cell: (item: T) => TableCell;
}

/** A column of words. */
export function words<T>(title: string, cell: Field<T>["cell"]): Field<T> {
  return { title, align: "left", cell };
}

/** The column of words that names its row. */
export function naming<T>(title: string, cell: Field<T>["cell"]): Field<T> {
  return { title, align: "left", names: true, cell };
}

/** A column of numbers. */
export function numbers<T>(title: string, cell: Field<T>["cell"]): Field<T> {
  return { title, align: "right", cell };
}

/** Makes a table with a row for each item. */
export function tableOf<T>(
  caption: string,
  items: readonly T[],
  { fields, ...options }: { readonly fields: readonly Field<T>[] } & Pick<TableBlock, "ordered" | "aside">,
): TableBlock {
  const columns = fields.map(({ cell: _cell, ...column }) => column);
  return {
    kind: "table",
    caption,
    columns,
    rows: items.map((item) => fields.map(({ cell }) => cell(item))),
    ...options,
  };
}

/** More rows than this are left to the other tables of a page. */
const MAXIMUM_FIRST_ROWS = 4;

/** Makes a table of the first items, which says of how many. */
export function firstRows<T>(caption: string, items: readonly T[], fields: readonly Field<T>[]): TableBlock {
  const rows = items.slice(0, MAXIMUM_FIRST_ROWS);
  const told = rows.length < items.length ? `; the first ${rows.length} of ${items.length}, all are below` : "";
  return tableOf(`${caption}${told}`, rows, { fields });
}

/** The text of a cell. */
export function cellText(cell: TableCell): string {
  return typeof cell === "string" ? cell : cell.text;
}
