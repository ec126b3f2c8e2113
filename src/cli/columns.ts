import { Help } from "commander";

/** Columns of a terminal that texts for people fit in. */
export const WIDTH = 80;

/** Writes rows in columns of equal width, two spaces apart; those of `right` have their texts at the right. */
export function columns(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string[] {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row.map((text, i) => right.has(i) ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)).join("  ").trimEnd()
  );
}

/** Breaks a text at spaces into lines that are at most so wide; without a limit it is one line. */
export function wrapped(text: string, width: number): string[] {
  return width === Infinity ? [text] : new Help().boxWrap(text, width).split("\n");
}

/** Writes rows in columns; the text of the last one is wrapped below itself. */
export function listed(rows: readonly (readonly string[])[], indent = 0): string {
  return columns(rows).map((line, i) => {
    const last = rows[i]!.at(-1)!, start = line.slice(0, line.length - last.length);
    const [first, ...others] = wrapped(last, WIDTH - indent - start.length);
    const lines = [start + first, ...others.map((text) => " ".repeat(start.length) + text)];
    return lines.map((text) => `${" ".repeat(indent)}${text}\n`).join("");
  }).join("");
}
