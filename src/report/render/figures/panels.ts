/** Lines over a common axis: a small plot a method, each with the baseline in grey behind it. */
import * as Plot from "@observablehq/plot";
// @ts-types="npm:@types/d3-scale@4.0.9"
import { scaleLinear } from "d3-scale";
import type { Drawing, PanelAxes, Point } from "../../pages/blocks.ts";
import { meanLine, spread } from "../../pages/panel_figures.ts";
import {
  BOLD,
  COLOURS,
  drawing,
  type DrawingText,
  FIGURE_WIDTH,
  FONT_SIZE,
  lettersIn,
  LINE_HEIGHT,
  TEXT,
  usualRange,
  wrapped,
} from "./drawing.ts";

const COLUMNS = 2;
const PANEL_HEIGHT = 100;
const LEFT = 46;
const RIGHT = 10;
/** Share of a column that parts it from the next: ticks at both ends need room. */
const GAP = 0.14;
/** A panel is less than 200 pixels wide: more points of a line would make the page large and show nothing. */
const MAXIMUM_POINTS = 60;
const MAXIMUM_LOGARITHMIC_TICKS = 5;

/** About 4 whole numbers over the range of the values. */
export function wholeTicks(values: readonly number[]): number[] {
  return scaleLinear([Math.min(...values), Math.max(...values)], [0, 1]).ticks(4).filter(Number.isInteger);
}

/** Evenly spread points of a long line, both ends among them. */
function thinned(line: readonly Point[]): readonly Point[] {
  if (line.length <= MAXIMUM_POINTS) return line;
  return [line[0]!, ...spread(line.length, MAXIMUM_POINTS - 1).map((number) => line[number - 1]!)];
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** A power of ten as people write it: `0.001`, `1,000`; far from 1 as `10⁻⁷`. */
export function powerText(exponent: number): string {
  if (exponent >= 0 && exponent <= 5) return (10 ** exponent).toLocaleString("en");
  if (exponent < 0 && exponent >= -4) return (10 ** exponent).toFixed(-exponent);
  return `10${exponent < 0 ? "⁻" : ""}${
    [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[Number(digit)]).join("")
  }`;
}

/** A logarithmic axis from power to power of ten, with few ticks. */
function logarithmic(values: readonly number[]): Plot.ScaleOptions {
  const least = Math.floor(Math.log10(Math.min(...values))), most = Math.ceil(Math.log10(Math.max(...values)));
  const step = Math.ceil((most - least) / (MAXIMUM_LOGARITHMIC_TICKS - 1)) || 1;
  const powers = Array.from({ length: Math.floor((most - least) / step) + 1 }, (_, index) => least + index * step);
  return {
    type: "log",
    domain: [10 ** least, 10 ** Math.max(most, least + 1)],
    ticks: powers.map((power) => 10 ** power),
    tickFormat: (value: number) => powerText(Math.round(Math.log10(value))),
  };
}

function horizontal({ x, whole, names, barWidth }: PanelAxes, xs: readonly number[]): Plot.ScaleOptions {
  const label = { label: x, labelAnchor: "center", labelArrow: "none" } as const;
  if (names !== undefined) {
    return {
      ...label,
      domain: [Math.min(...xs) - 0.25, Math.max(...xs) + 0.25],
      ticks: names.map(({ at }) => at),
      tickFormat: (at: number) => names.find((place) => place.at === at)!.name,
    };
  }
  if (barWidth !== undefined) return { ...label, ticks: [0, 0.5, 1] };
  return { ...label, ...(whole ? { ticks: wholeTicks(xs), tickFormat: "d" } : { ticks: 4 }) };
}

/**
 * Draws the panels in reading order: bold the mean, thin the single lines, grey and dashed the baseline's mean; or the mean
 * as bars.
 */
export function panelDrawing(
  { panels, axes, baseline }: Extract<Drawing, { kind: "panels" }>,
  text: DrawingText,
): string {
  const columns = Math.min(COLUMNS, panels.length), rows = Math.ceil(panels.length / columns);
  const letters = lettersIn((FIGURE_WIDTH - LEFT - RIGHT) / columns * (1 - GAP / columns) / BOLD);
  const placed = panels.map((panel, index) => ({
    ...panel,
    title: wrapped(panel.label, letters),
    fx: index % columns,
    fy: Math.floor(index / columns),
  }));
  const titles = Math.max(...placed.map(({ title }) => title.length)) * LINE_HEIGHT + 10;
  const points = (line: readonly Point[], { fx, fy }: { fx: number; fy: number }, series: string) =>
    thinned(line).map((point) => ({ ...point, fx, fy, series }));
  const line = { x: "x", y: "y", fx: "fx", fy: "fy", clip: axes.isUsual ?? false } as const;
  const means = placed.flatMap((panel) => points(meanLine(panel.lines), panel, "mean"));
  const singles = placed.flatMap((panel) =>
    panel.lines.length > 1 ? panel.lines.flatMap((one, seed) => points(one, panel, `seed ${seed}`)) : []
  );
  const most = Math.max(...means.map(({ x }) => x)), ends = [...means, ...singles].filter(({ x }) => x === most);
  const behind = baseline === null ? [] : meanLine(baseline.lines);
  const { barWidth } = axes;
  const marks: Plot.Markish[] = barWidth === undefined
    ? [
      Plot.line(placed.flatMap((panel) => points(behind, panel, "baseline")), {
        ...line,
        stroke: COLOURS.reference,
        strokeDasharray: "4 3",
      }),
      Plot.line(singles, { ...line, z: "series", stroke: COLOURS.ours, strokeWidth: 0.75, strokeOpacity: 0.6 }),
      Plot.line(means, { ...line, stroke: COLOURS.ours, strokeWidth: 2 }),
      // a line of one point would be invisible, and named places are measured ones
      Plot.dot(means.length === panels.length || axes.names ? means : [], { ...line, fill: COLOURS.ours }),
    ]
    : [
      Plot.rectY(means, {
        ...{ y: "y", fx: "fx", fy: "fy" },
        x1: ({ x }: Point) => x - barWidth / 2,
        x2: ({ x }: Point) => x + barWidth / 2,
        fill: COLOURS.ours,
        inset: 0.5,
      }),
      Plot.ruleY([0], { stroke: "currentColor" }),
    ];
  // panels and the room of the titles above them are the steps of a band scale
  const step = PANEL_HEIGHT + titles;
  return drawing({
    height: rows * step + 46,
    marginLeft: LEFT,
    marginTop: titles,
    marginBottom: 46,
    marginRight: RIGHT,
    x: horizontal(axes, means.map(({ x }) => x)),
    y: {
      label: null,
      grid: true,
      ...(axes.isUsual
        ? { domain: usualRange(ends.map(({ y }) => y)), ticks: 4 }
        : axes.logarithmic
        ? logarithmic([...means, ...singles].map(({ y }) => y))
        : { nice: true, ticks: 4 }),
    },
    fx: { axis: null, paddingInner: GAP, paddingOuter: 0 },
    fy: { axis: null, paddingInner: titles / step, paddingOuter: 0 },
    marks: [
      ...marks,
      Plot.text(placed, {
        ...TEXT,
        fx: "fx",
        fy: "fy",
        text: ({ title }: { title: string[] }) => title.join("\n"),
        frameAnchor: "top-left",
        textAnchor: "start",
        lineAnchor: "bottom",
        lineHeight: LINE_HEIGHT / FONT_SIZE,
        dy: -6,
        fontWeight: "bold",
      }),
    ],
  }, text);
}
