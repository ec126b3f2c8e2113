/** The picture of a figure as an `<svg>` element. */
// @ts-types="npm:@types/d3-scale@4.0.9"
import { scaleLinear } from "d3-scale";
import type { Drawing, FigureBlock } from "../../pages/blocks.ts";
import { COLOURS, type DrawingText, escaped, FIGURE_WIDTH, named } from "./drawing.ts";
import { enlargedDrawing } from "./enlarged.ts";
import { intervalDrawing, PHONE } from "./intervals.ts";
import { labelledDrawing } from "./labelled.ts";
import { panelDrawing } from "./panels.ts";

const HEIGHT = 220;
const LEFT = 44, RIGHT = FIGURE_WIDTH - 54, TOP = 14, BOTTOM = HEIGHT - 40;

/** Draws a figure; its title and description are inside. */
export function figureSvg({ id, caption, description, drawing }: FigureBlock): string {
  const text = { id, title: caption, description };
  switch (drawing.kind) {
    case "intervals":
      return intervalDrawing(drawing, text);
    case "panels":
      return panelDrawing(drawing, text);
    case "enlarged":
      return enlargedDrawing(drawing, text);
    case "labelled":
      return labelledDrawing(drawing, text);
    case "curve":
      return curveDrawing(drawing, text);
  }
}

/** Draws a figure for a phone, if it has another form there; null: it has one form. */
export function phoneSvg({ id, caption, description, drawing }: FigureBlock): string | null {
  if (drawing.kind !== "intervals") return null;
  return intervalDrawing(drawing, { id: `${id}-phone`, title: caption, description }, PHONE);
}

/** Colours of the site's style sheet, for a file of its own; `page` is GitHub's. */
const SCHEMES = {
  light: "--page: #ffffff; --ours: #0062a3; --published: #b34700; --reference: #767d86; --rebuilt: #8a3f8f; " +
    "--control: #00725a; --baseline: #57606a; color: #1f2328;",
  dark: "--page: #0d1117; --ours: #63b8f2; --published: #ff9d4d; --reference: #8d96a1; --rebuilt: #d99ae0; " +
    "--control: #4cc9a4; --baseline: #a4adb8; color: #e6edf3;",
};
const HEAD = 52;

/** Draws a figure as a file of its own, with its title above, in the colours of the reader's scheme. */
export function standaloneSvg(figure: FigureBlock): string {
  const { id, caption, note = "", description } = figure;
  const inner = figureSvg(figure).replace(/^<svg role="img" aria-labelledby="[^"]*" /, "<svg ")
    .replace(/<title .*?<\/desc>/, "");
  const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(inner)!;
  const style =
    `svg { ${SCHEMES.light} font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; } ` +
    `@media (prefers-color-scheme: dark) { svg { ${SCHEMES.dark} } }`;
  return named(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${Number(height) + HEAD}" width="${width}" ` +
      `height="${Number(height) + HEAD}" fill="currentColor"><style>${style}</style>` +
      `<rect width="100%" height="100%" style="fill: var(--page)"/>` +
      `<text x="8" y="20" font-size="16" font-weight="bold">${escaped(caption)}</text>` +
      `<text x="8" y="40" fill-opacity=".75">${escaped(note)}</text>` +
      `${inner.replace("<svg ", `<svg y="${HEAD}" `)}</svg>`,
    { id, title: caption, description },
  ) + "\n";
}

/**
 * Draws the curve of one run by d3's scales alone: a site has one page per run, and Plot, which needs a document, would take
 * minutes for ten thousand of them.
 *
 * Top-1 by epoch: on the test images as a full line, on the training images as a dashed one.
 */
export function curveDrawing(
  { test: tests, train: trains }: Extract<Drawing, { kind: "curve" }>,
  text: DrawingText,
): string {
  const x = scaleLinear([0, tests.length], [LEFT, RIGHT]);
  const y = scaleLinear([Math.min(...tests, ...trains), Math.max(...tests, ...trains)], [BOTTOM, TOP]).nice(5);
  const at = (value: number) => Math.round(value * 10) / 10;
  const rows = y.ticks(5).map((tick) =>
    `<path d="M${LEFT},${at(y(tick))}H${RIGHT}" stroke="currentColor" stroke-opacity=".12"/>` +
    `<text x="${LEFT - 6}" y="${at(y(tick))}" dy=".32em" text-anchor="end">${tick}</text>`
  );
  const columns = x.ticks(Math.min(6, tests.length)).filter(Number.isInteger).map((tick) =>
    `<text x="${at(x(tick))}" y="${BOTTOM + 18}" text-anchor="middle">${tick}</text>`
  );
  const series = (values: readonly number[], radius: number, style: string) =>
    values.length > 1
      ? `<polyline fill="none" ${style} points="${
        values.map((value, index) => `${at(x(index + 1))},${at(y(value))}`).join(" ")
      }"/>`
      : `<circle cx="${at(x(1))}" cy="${at(y(values[0]!))}" r="${radius}" ${style} fill="none"/>`;
  return named(
    `<svg viewBox="0 0 ${FIGURE_WIDTH} ${HEIGHT}" font-size="13" font-family="system-ui, sans-serif" fill="currentColor">` +
      rows.join("") + columns.join("") +
      `<text x="${(LEFT + RIGHT) / 2}" y="${HEIGHT - 4}" text-anchor="middle">Epoch</text>` +
      series(trains, 3, `stroke="${COLOURS.reference}" stroke-width="1.5" stroke-dasharray="4 3"`) +
      series(tests, 4, `stroke="${COLOURS.ours}" stroke-width="2"`) +
      ends([["test", tests.at(-1)!], ["train", trains.at(-1)!]], y) +
      `</svg>`,
    text,
  );
}

/** Names at the lines' ends, moved apart where they would overlap. */
function ends(series: readonly (readonly [name: string, value: number])[], y: (value: number) => number): string {
  const placed = series.map(([name, value]) => ({ name, top: y(value) })).sort((a, b) => a.top - b.top);
  const [upper, lower] = placed as [{ name: string; top: number }, { name: string; top: number }];
  const push = Math.max(0, 14 - (lower.top - upper.top)) / 2;
  return [{ ...upper, top: upper.top - push }, { ...lower, top: lower.top + push }].map(({ name, top }) =>
    `<text x="${RIGHT + 6}" y="${Math.round(top * 10) / 10}" dy=".32em">${name}</text>`
  ).join("");
}
