/** A page as plain data, from which every format is written: what is said once is said alike everywhere. */
import type { VerdictName } from "./verdict.ts";

/** A table's cell: text, or a verdict, which a format may colour. */
export type TableCell = string | { readonly text: string; readonly verdict: VerdictName };

/** A table's column. */
export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
  /** Whether its cells name their row. */
  readonly names?: boolean;
}

/** A part of a page; texts are plain, without markup. */
export type Block =
  | { readonly kind: "banner"; readonly text: string }
  | { readonly kind: "heading"; readonly level: 1 | 2 | 3; readonly text: string }
  | { readonly kind: "paragraph"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly string[]; readonly ordered?: boolean }
  | { readonly kind: "commands"; readonly lines: readonly string[] }
  | {
    readonly kind: "table";
    readonly caption: string;
    readonly columns: readonly Column[];
    readonly rows: readonly (readonly TableCell[])[];
  };

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
