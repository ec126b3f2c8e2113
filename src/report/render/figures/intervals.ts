/** Rows of intervals: ours beside what was published. */
import * as Plot from "@observablehq/plot";
import type { Drawing } from "../../pages/blocks.ts";
import { COLOURS, drawing, type DrawingText } from "./drawing.ts";

const ROW_HEIGHT = 36;
const FONT_SHIFT = -10;

/**
 * Draws rows: a filled circle is our mean, its line the interval, ticks are seeds, an open diamond is the published value.
 *
 * Labels stand above their row and not beside it, so that long names leave room for the values.
 */
export function intervalDrawing(
  { rows, axis }: Extract<Drawing, { kind: "intervals" }>,
  text: DrawingText,
): string {
  const groups = [...new Set(rows.map(({ group }) => group))];
  const lines = groups.flatMap((group) => [
    { key: group, label: group, row: null },
    ...rows.filter((row) => row.group === group).map((row) => ({
      key: `${group} ${row.label}`,
      label: row.label,
      row,
    })),
  ]);
  const drawn = lines.flatMap(({ key, row }) => row === null ? [] : [{ key, ...row }]);
  const marks: Plot.Markish[] = [
    axis.zero === null ? null : Plot.ruleX([axis.zero], { stroke: COLOURS.reference }),
    Plot.link(drawn.filter(({ low, high }) => low !== null && high !== null), {
      x1: "low",
      x2: "high",
      y1: "key",
      y2: "key",
      stroke: COLOURS.ours,
      strokeWidth: 2.5,
    }),
    Plot.tickX(drawn.flatMap(({ key, seeds }) => seeds.map((seed) => ({ key, seed }))), {
      x: "seed",
      y: "key",
      stroke: COLOURS.ours,
      insetTop: 13,
      insetBottom: 13,
    }),
    Plot.dot(drawn.filter(({ value }) => value !== null), { x: "value", y: "key", fill: COLOURS.ours, r: 4.5 }),
    Plot.dot(drawn.filter(({ published }) => published !== null), {
      x: "published",
      y: "key",
      symbol: "diamond",
      stroke: COLOURS.published,
      strokeWidth: 2,
      r: 5.5,
    }),
    label(lines.filter(({ row }) => row !== null), "normal"),
    label(lines.filter(({ row }) => row === null), "bold"),
  ];
  return drawing({
    height: lines.length * ROW_HEIGHT + 50,
    marginLeft: 20,
    marginRight: 20,
    marginTop: 4,
    marginBottom: 46,
    x: { label: axis.label, labelAnchor: "center", labelArrow: "none", grid: true, nice: true, ticks: 6 },
    y: { axis: null, domain: lines.map(({ key }) => key), padding: 0 },
    marks,
  }, text);
}

function label(lines: readonly { key: string; label: string }[], weight: "normal" | "bold") {
  return Plot.text([...lines], {
    y: "key",
    text: "label",
    frameAnchor: "left",
    textAnchor: "start",
    dy: weight === "bold" ? 0 : FONT_SHIFT,
    fontWeight: weight,
    fill: "currentColor",
    stroke: "var(--page)",
    strokeWidth: 4,
  });
}
