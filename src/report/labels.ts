/** Formatting of values in a report. */

/** `not_run` as people write it: `not run`. */
export function verdictTitle(name: string): string {
  return name.replaceAll("_", " ");
}

/** Verdicts as symbols: they differ by shape, not by colour alone. */
export const VERDICT_SYMBOLS = {
  reproduced: "✓",
  not_reproduced: "✗",
  inconclusive: "?",
  not_comparable: "≁",
  not_run: "·",
} as const;

/** Two decimals, as the papers print. */
export function points(value: number): string {
  const text = value.toFixed(2);
  return text === "-0.00" ? "0.00" : text;
}

/** Two decimals with a sign; zero has a plus. */
export function signed(value: number): string {
  const text = points(value);
  return text.startsWith("-") ? text : `+${text}`;
}

/** `a`, `b`, .. `z`, `aa`, ..: the marks of notes under a table. */
export function noteMark(index: number): string {
  const letter = String.fromCharCode(97 + index % 26);
  return index < 26 ? letter : noteMark(Math.floor(index / 26) - 1) + letter;
}

/** `1 run`, `2 runs`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** `a, b and c`. */
export function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join() : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

/** A p-value; null: empty. */
export function pText(p: number | null): string {
  if (p === null) return "";
  return p < 0.0005 ? "< 0.001" : p.toFixed(3);
}
