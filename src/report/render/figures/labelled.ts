/** Lines and points with their names in a gutter at the left, each tied to its first point. */
import * as Plot from "@observablehq/plot";
// @ts-types="npm:@types/d3-scale@4.0.9"
import { scaleLinear } from "d3-scale";
import type { Drawing, LabelledSeries } from "../../pages/blocks.ts";
import {
  apart,
  COLOURS,
  drawing,
  type DrawingText,
  FIGURE_WIDTH,
  FONT_SIZE,
  lettersIn,
  LINE_HEIGHT,
  TEXT,
  wrapped,
} from "./drawing.ts";
import { roleColour, roleDots, roleLegend } from "./roles.ts";

const GUTTER = 186;
const RIGHT = 46;
const BOTTOM = 46;
const LEAST_HEIGHT = 230;
/** Points that the y axis has at least: differences within the noise of seeds must not fill the picture. */
const LEAST_SPAN = 2;
/** Room for the ties, in margins. */
const TIES = 4;

/** A name with the height on the page where it stands. */
interface Name {
  readonly lines: readonly string[];
  readonly at: LabelledSeries["points"][number];
  readonly place: number;
}

export function labelledDrawing(
  { series, axes, reference }: Extract<Drawing, { kind: "labelled" }>,
  text: DrawingText,
): string {
  const points = series.flatMap(({ points, role }) => points.map((point) => ({ ...point, role })));
  const labels = series.map(({ label }) => wrapped(label, lettersIn(GUTTER - 16)));
  const heights = labels.map(({ length }) => length * LINE_HEIGHT + 4);
  const height = Math.max(LEAST_HEIGHT, heights.reduce((sum, own) => sum + own, 0));
  const xs = points.map(({ x }) => x), ys = [...points.map(({ y }) => y), ...(reference ? [reference.y] : [])];
  const short = Math.max(0, LEAST_SPAN - (Math.max(...ys) - Math.min(...ys))) / 2;
  const y = scaleLinear([Math.min(...ys) - short, Math.max(...ys) + short], [height, 0]).nice(6);
  const room = 0.06 * (Math.max(...xs) - Math.min(...xs)) || 1, left = Math.min(...xs) - TIES * room;
  const places = apart(series.map(({ points }) => y(points[0]!.y)), heights, height);
  const names = series.map(({ points }, index): Name => ({
    lines: labels[index]!,
    at: points[0]!,
    place: y.invert(places[index]!),
  }));
  const legend = roleLegend(series, { left: 8 - GUTTER, bottom: 2 * LINE_HEIGHT, width: FIGURE_WIDTH - 16 });
  const nameOf = (at: number) => axes.names?.find((place) => place.at === at)?.name ?? "";
  return drawing({
    height: height + legend.height + 2 * LINE_HEIGHT + BOTTOM,
    marginLeft: GUTTER,
    marginRight: RIGHT,
    marginTop: legend.height + 2 * LINE_HEIGHT,
    marginBottom: BOTTOM,
    x: {
      label: axes.x,
      labelAnchor: "center",
      labelArrow: "none",
      domain: [left, Math.max(...xs) + room],
      ...(axes.names ? { ticks: axes.names.map(({ at }) => at), tickFormat: nameOf } : { ticks: 4 }),
    },
    y: { label: null, axis: "right", grid: true, domain: y.domain(), ticks: 6 },
    marks: [
      Plot.text([axes.y], {
        text: (title: string) => title,
        frameAnchor: "top-right",
        textAnchor: "end",
        dx: RIGHT - 4,
        dy: -LINE_HEIGHT - 4,
      }),
      ...(reference
        ? [
          Plot.ruleY([reference.y], { stroke: COLOURS.reference, strokeDasharray: "4 3" }),
          Plot.text([reference], { ...TEXT, y: "y", text: "label", frameAnchor: "right", textAnchor: "end", dy: -9 }),
        ]
        : []),
      Plot.link(names, {
        x1: () => left,
        x2: ({ at }: Name) => at.x,
        y1: "place",
        y2: ({ at }: Name) => at.y,
        stroke: "currentColor",
        strokeOpacity: 0.25,
      }),
      ...series.map(({ points, role }) =>
        Plot.line([...points], { x: "x", y: "y", stroke: roleColour(role), strokeWidth: 2 })
      ),
      ...roleDots(points, { x: "x", y: "y" }),
      Plot.text(names, {
        ...TEXT,
        y: "place",
        text: ({ lines }: Name) => lines.join("\n"),
        frameAnchor: "left",
        textAnchor: "end",
        dx: -6,
        lineHeight: LINE_HEIGHT / FONT_SIZE,
      }),
      ...legend.marks,
    ],
  }, text);
}
