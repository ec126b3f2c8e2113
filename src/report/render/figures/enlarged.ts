/** Lines around zero: one row per method, all of x at the left, its last places enlarged at the right. */
import * as Plot from "@observablehq/plot";
// @ts-types="npm:@types/d3-scale@4.0.9"
import { scaleLinear } from "d3-scale";
import type { Drawing, Panel, Point } from "../../pages/blocks.ts";
import { meanLine } from "../../pages/panel_figures.ts";
import {
  BOLD,
  COLOURS,
  type DrawingText,
  FIGURE_WIDTH,
  FONT_SIZE,
  lettersIn,
  LINE_HEIGHT,
  named,
  plotted,
  TEXT,
  usualRange,
  widened,
  wrapped,
} from "./drawing.ts";
import { wholeTicks } from "./panels.ts";

/** Places of x that are enlarged. */
export const ENLARGED = 3;

const ROW = 66;
const BOTTOM = 44;
const LEFT = 232;
const MARGIN = 40;
/** Room of the difference at the right of the name. */
const VALUE = 70;
const LEAST_TICK_PIXELS = 17;
const SHADE = 0.08;

export function enlargedDrawing(
  { panels, axes }: Extract<Drawing, { kind: "enlarged" }>,
  text: DrawingText,
): string {
  const last = Math.max(...panels.flatMap(({ lines }) => lines.flat().map(({ x }) => x)));
  const from = Math.max(1, last - ENLARGED + 1);
  const whole = panels.map(({ label, lines }) => ({
    title: wrapped(label, lettersIn((FIGURE_WIDTH - MARGIN - VALUE) / BOLD)),
    lines,
  }));
  const end = panels.map(({ lines }) => ({
    title: [difference(meanLine(lines).at(-1)!.y)],
    lines: lines.map((line) => line.filter(({ x }) => x >= from)),
  }));
  const head = 16 + LINE_HEIGHT * Math.max(...whole.map(({ title }) => title.length));
  const size = { head, height: panels.length * (ROW + head) + BOTTOM };
  const means = whole.flatMap(({ lines }) => meanLine(lines).map(({ y }) => y));
  const seeds = end.flatMap(({ lines }) => lines.flat().map(({ y }) => y));
  const left = rowsPlot(whole, {
    ...size,
    width: LEFT,
    x: axes.x,
    domain: widened([0, ...means]),
    shaded: [from, last],
  });
  const right = rowsPlot(end, {
    ...size,
    width: FIGURE_WIDTH - LEFT,
    x: from < last ? `${axes.x}s ${from} to ${last}` : axes.x,
    domain: usualRange([0, ...seeds]),
    shaded: null,
  });
  return named(
    `<svg viewBox="0 0 ${FIGURE_WIDTH} ${size.height}" class="plot" fill="currentColor">` +
      left.replace("<svg ", `<svg aria-hidden="true" overflow="visible" `) +
      right.replace("<svg ", `<svg aria-hidden="true" x="${LEFT}" `) + "</svg>",
    text,
  );
}

/** `+1.35`, as the axis has its signs. */
function difference(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}

/** Round values of a row's domain, as many as have room. */
function spacedTicks([least, most]: readonly [number, number]): number[] {
  const found = [3, 2, 1].map((count) => scaleLinear([least, most], [0, ROW]).ticks(count));
  return found.find(([a, b]) => b === undefined || (b - a!) * ROW / (most - least) >= LEAST_TICK_PIXELS) ??
    found.at(-1)!;
}

interface Row {
  readonly title: readonly string[];
  readonly lines: Panel["lines"];
}

interface RowsPlot {
  readonly width: number;
  readonly height: number;
  /** Room for the titles above each row. */
  readonly head: number;
  readonly x: string;
  readonly domain: readonly [number, number];
  /** Part of x with a background, which the other plot enlarges; null: this is the enlarged one. */
  readonly shaded: readonly [number, number] | null;
}

function rowsPlot(rows: readonly Row[], { width, height, head, x, domain, shaded }: RowsPlot): string {
  const line = { x: "x", y: "y", fy: "fy", clip: true, stroke: COLOURS.ours } as const;
  const points = (points: readonly Point[], fy: number, seed = 0) => points.map((point) => ({ ...point, fy, seed }));
  const means = rows.flatMap(({ lines }, fy) => points(meanLine(lines), fy));
  const seeds = rows.flatMap(({ lines }, fy) =>
    lines.length > 1 ? lines.flatMap((line, seed) => points(line, fy, seed)) : []
  );
  const place = shaded === null
    ? { frameAnchor: "top-right", textAnchor: "end", fontVariant: "tabular-nums" } as const
    : { frameAnchor: "top-left", textAnchor: "start" } as const;
  return plotted({
    width,
    height,
    marginLeft: MARGIN,
    marginRight: 10,
    marginTop: head,
    marginBottom: BOTTOM,
    x: {
      label: x,
      labelAnchor: "center",
      labelArrow: "none",
      ticks: wholeTicks(means.map(({ x }) => x)),
      tickFormat: "d",
    },
    y: {
      label: null,
      grid: true,
      domain: [...domain],
      ticks: spacedTicks(domain),
      tickFormat: (tick: number) => tick === 0 ? "0" : `${tick > 0 ? "+" : "−"}${Math.abs(tick)}`,
    },
    fy: { axis: null, paddingInner: head / (ROW + head), paddingOuter: 0, domain: rows.map((_, index) => index) },
    marks: [
      ...(shaded === null ? [] : [Plot.rect([shaded], {
        x1: ([from]: readonly number[]) => from,
        x2: ([, to]: readonly number[]) => to,
        fill: "currentColor",
        fillOpacity: SHADE,
      })]),
      Plot.ruleY([0], { stroke: COLOURS.reference, strokeWidth: 1.5 }),
      Plot.line(seeds, { ...line, z: "seed", strokeWidth: 0.75, strokeOpacity: 0.6 }),
      Plot.line(means, { ...line, strokeWidth: 2 }),
      // a line of one point would be invisible
      ...(new Set(means.map(({ x }) => x)).size === 1 ? [Plot.dot(means, { ...line, fill: COLOURS.ours })] : []),
      Plot.text(rows.map(({ title }, fy) => ({ title, fy })), {
        ...TEXT,
        ...place,
        fy: "fy",
        text: ({ title }: Row) => title.join("\n"),
        lineAnchor: "bottom",
        lineHeight: LINE_HEIGHT / FONT_SIZE,
        dy: -9,
        fontWeight: "bold",
      }),
    ],
  });
}
