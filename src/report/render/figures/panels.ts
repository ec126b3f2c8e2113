/** Lines over a common axis: a small plot a method, each with the baseline in grey behind it. */
import * as Plot from "@observablehq/plot";
// @ts-types="npm:@types/d3-scale@4.0.9"
import { scaleLinear } from "d3-scale";
import type { Drawing, Point } from "../../pages/blocks.ts";
import { meanLine, spread } from "../../pages/figures.ts";
import { COLOURS, drawing, type DrawingText } from "./drawing.ts";

const COLUMNS = 2;
const PANEL_HEIGHT = 120;
/** A panel is less than 200 pixels wide: more points of a line would make the page large and show nothing. */
const MAXIMUM_POINTS = 100;

/** About 4 whole numbers over the range of the values. */
function wholeTicks(values: readonly number[]): number[] {
  return scaleLinear([Math.min(...values), Math.max(...values)], [0, 1]).ticks(4).filter(Number.isInteger);
}

/** Evenly spread points of a long line, both ends among them. */
function thinned(line: readonly Point[]): readonly Point[] {
  if (line.length <= MAXIMUM_POINTS) return line;
  return [line[0]!, ...spread(line.length, MAXIMUM_POINTS - 1).map((number) => line[number - 1]!)];
}

/** Draws the panels in reading order: bold the mean, thin the single lines, grey and dashed the baseline's mean. */
export function panelDrawing(
  { panels, axes, baseline }: Extract<Drawing, { kind: "panels" }>,
  text: DrawingText,
): string {
  const columns = Math.min(COLUMNS, panels.length);
  const placed = panels.map((panel, index) => ({ ...panel, fx: index % columns, fy: Math.floor(index / columns) }));
  const points = (line: readonly Point[], { fx, fy }: { fx: number; fy: number }, series: string) =>
    thinned(line).map((point) => ({ ...point, fx, fy, series }));
  const line = { x: "x", y: "y", fx: "fx", fy: "fy" } as const;
  const means = placed.flatMap((panel) => points(meanLine(panel.lines), panel, "mean"));
  const behind = baseline === null ? [] : meanLine(baseline.lines);
  return drawing({
    height: Math.ceil(panels.length / columns) * PANEL_HEIGHT + 60,
    marginLeft: 46,
    marginTop: 24,
    marginBottom: 44,
    marginRight: 8,
    x: {
      label: axes.x,
      labelAnchor: "center",
      labelArrow: "none",
      ...(axes.whole ? { ticks: wholeTicks(means.map(({ x }) => x)), tickFormat: "d" } : { ticks: 4 }),
    },
    y: {
      label: null,
      grid: true,
      ticks: 4,
      ...(axes.logarithmic ? { type: "log", tickFormat: "~g" } : { nice: true }),
    },
    fx: { axis: null, padding: 0.06 },
    fy: { axis: null, padding: 0.22 },
    marks: [
      Plot.line(placed.flatMap((panel) => points(behind, panel, "baseline")), {
        ...line,
        stroke: COLOURS.reference,
        strokeDasharray: "4 3",
      }),
      Plot.line(
        placed.flatMap((panel) =>
          panel.lines.length > 1 ? panel.lines.flatMap((one, seed) => points(one, panel, `seed ${seed}`)) : []
        ),
        { ...line, z: "series", stroke: COLOURS.ours, strokeWidth: 0.75, strokeOpacity: 0.6 },
      ),
      Plot.line(means, { ...line, stroke: COLOURS.ours, strokeWidth: 2 }),
      // a line of one point would be invisible
      Plot.dot(means.length === panels.length ? means : [], { ...line, fill: COLOURS.ours }),
      Plot.text(placed, {
        fx: "fx",
        fy: "fy",
        text: "label",
        frameAnchor: "top-left",
        dy: -10,
        dx: 2,
        fontWeight: "bold",
        lineWidth: columns === 1 ? 28 : 12,
        textOverflow: "ellipsis",
        fill: "currentColor",
        stroke: "var(--page)",
        strokeWidth: 4,
      }),
    ],
  }, text);
}
