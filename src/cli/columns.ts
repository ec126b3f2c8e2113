/** Writes rows in columns of equal width, two spaces apart; those of `right` have their texts at the right. */
export function columns(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string[] {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row.map((text, i) => right.has(i) ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)).join("  ").trimEnd()
  );
}
