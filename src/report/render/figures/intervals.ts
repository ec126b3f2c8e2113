/** Forest plot: one row per method, its name at the left, its interval in the middle, its numbers at the right. */
import * as Plot from "@observablehq/plot";
import type { Drawing, IntervalRow } from "../../pages/blocks.ts";
import { COLOURS, drawing, type DrawingText, FONT_SIZE, lettersIn, TEXT, usualRange, wrapped } from "./drawing.ts";
import { publishedDots, roleColour, roleDots, roleLegend } from "./roles.ts";

/** Room of a drawing. On a phone the name stands above its row, and the interval is not printed. */
interface Form {
  readonly width: number;
  /** Width of the names. */
  readonly gutter: number;
  /** Width of the numbers, and the right ends of their columns in it. */
  readonly numbers: number;
  readonly ends: { readonly value: number; readonly n: number };
  readonly isPhone: boolean;
}

export const DESK: Form = { width: 720, gutter: 236, numbers: 206, ends: { value: 62, n: 200 }, isPhone: false };
export const PHONE: Form = { width: 358, gutter: 20, numbers: 88, ends: { value: 60, n: 86 }, isPhone: true };

const LINE = 16;
const AXIS = 46;
/** Half the height of a seed's tick. */
const TICK = 6;

/** Draws the rows; what lies far outside the others is cut, with an arrow at the edge. */
export function intervalDrawing(
  { rows, axis }: Extract<Drawing, { kind: "intervals" }>,
  text: DrawingText,
  form: Form = DESK,
): string {
  const { width, gutter, numbers, ends, isPhone } = form;
  const domain = usualRange([...rows.flatMap(extremes), ...(axis.zero === null ? [] : [axis.zero])]);
  const { lines, height } = laidOut(rows, form);
  const heads = lines.filter(({ row }) => row === null);
  const placed = lines.flatMap(({ row, ...line }) => row === null ? [] : [{ ...line, ...row }]);
  const clipped = placed.map((row) => ({ ...row, from: within(row.low, domain), to: within(row.high, domain) }));
  const top = LINE + 10;
  const legend = roleLegend(rows, {
    left: 0 - gutter + 8,
    bottom: top,
    width: width - 16,
    published: rows.some(({ published }) => published.length > 0),
  });
  const column = (dx: number, textAnchor: "start" | "end") =>
    ({ frameAnchor: "right", dx, textAnchor, fill: "currentColor" }) as const;
  const columns = [
    { title: axis.heads.value, dx: ends.value, anchor: "end", text: ({ texts }: IntervalRow) => texts.value },
    ...(isPhone ? [] : [
      {
        title: axis.heads.spread,
        dx: ends.value + 10,
        anchor: "start",
        text: ({ texts }: IntervalRow) => texts.spread,
      },
    ] as const),
    { title: "n", dx: ends.n, anchor: "end", text: ({ n }: IntervalRow) => String(n) },
  ] as const;
  const isInside = (value: number) => value >= domain[0] && value <= domain[1];
  const ours = placed.map((row) => ({
    ...row,
    colour: roleColour(row.role),
    values: extremes({ ...row, published: [] }),
  }));
  const printed = placed.map((row) => ({ ...row, colour: COLOURS.published, values: row.published }));
  const cut = [...ours, ...printed];
  const arrows = [
    { side: -90, x: domain[0], rows: cut.filter(({ values }) => values.some((value) => value < domain[0])) },
    { side: 90, x: domain[1], rows: cut.filter(({ values }) => values.some((value) => value > domain[1])) },
  ];
  return drawing({
    width,
    height: height + top + legend.height + 8 + AXIS,
    marginLeft: gutter,
    marginRight: numbers,
    marginTop: top + legend.height + 8,
    marginBottom: AXIS,
    x: { label: axis.label, labelAnchor: "center", labelArrow: "none", domain, grid: true, ticks: isPhone ? 4 : 6 },
    y: { axis: null, domain: [height, 0] },
    marks: [
      Plot.ruleY(lines, { y: "middle", stroke: "currentColor", strokeOpacity: 0.07 }),
      ...(axis.zero === null ? [] : [Plot.ruleX([axis.zero], { stroke: COLOURS.reference, strokeWidth: 1.5 })]),
      Plot.link(clipped.filter(({ from, to }) => from !== null && to !== null), {
        x1: "from",
        x2: "to",
        y1: "middle",
        y2: "middle",
        stroke: ({ role }: IntervalRow) => roleColour(role),
        strokeWidth: 2.5,
      }),
      Plot.ruleX(
        placed.flatMap(({ middle, role, seeds }) => seeds.filter(isInside).map((seed) => ({ middle, role, seed }))),
        {
          x: "seed",
          y1: ({ middle }: Line) => middle - TICK,
          y2: ({ middle }: Line) => middle + TICK,
          stroke: ({ role }: IntervalRow) => roleColour(role),
        },
      ),
      ...arrows.flatMap(({ side, x, rows }) =>
        rows.length === 0 ? [] : [Plot.dot(rows, {
          x: () => x,
          y: "middle",
          symbol: "triangle",
          rotate: side,
          r: 5,
          fill: "colour",
        })]
      ),
      publishedDots(
        placed.flatMap(({ middle, published }) => published.filter(isInside).map((value) => ({ middle, value }))),
        { x: "value", y: "middle" },
      ),
      ...roleDots(placed.filter(({ value }) => isInside(value)), { x: "value", y: "middle" }),
      ...nameMarks(lines, form),
      ...columns.flatMap(({ title, dx, anchor, text }) => [
        Plot.text(placed, { ...column(dx, anchor), y: "middle", text, fontVariant: "tabular-nums" }),
        Plot.text([title], {
          ...column(dx, anchor),
          frameAnchor: "top-right",
          dy: -LINE,
          text: (title: string) => title,
          fillOpacity: 0.75,
        }),
      ]),
      ...(heads.length > 1
        ? [Plot.ruleY(heads.slice(1), { y: "top", stroke: "currentColor", strokeOpacity: 0.25 })]
        : []),
      ...legend.marks,
    ],
  }, text);
}

/** A line of the drawing: a group's name or a row; distances from the top. */
interface Line {
  readonly row: IntervalRow | null;
  readonly name: readonly string[];
  readonly top: number;
  readonly middle: number;
}

function laidOut(rows: readonly IntervalRow[], { width, gutter, isPhone }: Form): { lines: Line[]; height: number } {
  const groups = Map.groupBy(rows, ({ group }) => group);
  const items = [...groups].flatMap((
    [group, members],
  ) => [{ name: group, row: null }, ...members.map((row) => ({ name: row.label, row }))]);
  const lines: Line[] = [];
  let top = 0;
  for (const { name, row } of items) {
    const text = wrapped(name, lettersIn(isPhone || row === null ? width - 16 : gutter - 20));
    const words = text.length * LINE;
    const isBelow = isPhone && row !== null; // the marks stand below the name
    const height = isBelow ? words + 22 : words + 8;
    lines.push({ row, name: text, top, middle: isBelow ? top + words + 11 : top + height / 2 });
    top += height;
  }
  return { lines, height: top + 6 };
}

function nameMarks(lines: readonly Line[], { gutter, isPhone }: Form): Plot.Markish[] {
  return [true, false].map((isHead) =>
    Plot.text(lines.filter(({ row }) => (row === null) === isHead), {
      ...TEXT,
      y: ({ row, middle, top, name }: Line) => isPhone && row !== null ? top + name.length * LINE / 2 + 1 : middle,
      text: ({ name }: Line) => name.join("\n"),
      frameAnchor: "left",
      dx: 8 - gutter,
      textAnchor: "start",
      lineHeight: LINE / FONT_SIZE,
      fontWeight: isHead ? "bold" : "normal",
    })
  );
}

function extremes({ value, low, high, seeds, published }: IntervalRow): number[] {
  return [value, low ?? value, high ?? value, ...seeds, ...published];
}

function within(value: number | null, [least, most]: readonly [number, number]): number | null {
  return value === null ? null : Math.min(most, Math.max(least, value));
}
