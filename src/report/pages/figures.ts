/** The figures of a paper's table: intervals and learning curves, each with its numbers. */
import type { RunRecord } from "../../record/record.ts";
import {
  type Block,
  type Drawing,
  type FigureBlock,
  type IntervalRow,
  naming,
  numbers,
  type Panel,
  type Point,
  tableOf,
  words,
} from "./blocks.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import { modelTitle } from "../../catalog/titles.ts";
import { points, signed } from "../labels.ts";
import { armTitle } from "./results.ts";
import { BASELINE } from "../judge/rows.ts";
import { mean } from "../judge/statistics/basics.ts";
import type { ReportRow, ReportTable } from "../judge/tables.ts";

/** A drawing of more rows than this would be longer than its table is useful. */
const MAXIMUM_ROWS = 40;
/** Drawings of learning curves a table, one a model and width; the pages of the runs have the others. */
const MAXIMUM_CURVE_FIGURES = 6;

/** More methods than this are left to the table. */
const MAXIMUM_PANELS = 16;
/** Places of the x axis in the table under a figure of panels. */
const MAXIMUM_COLUMNS = 10;

const MARKS = "Filled circle: our mean; line: its 95 % interval; open diamond: published";

/** The records behind the results that a page shows. */
export type RecordsById = ReadonlyMap<string, RunRecord>;

/** All figures of one table; none where nothing ran. */
export function figureBlocks(
  { table, rows }: ReportTable,
  { records, idPrefix }: { readonly records: RecordsById; readonly idPrefix: string },
): Block[] {
  const ran = rows.filter(({ n }) => n > 0);
  const id = `${idPrefix}-${table.id}`;
  return [
    ...differenceFigure(ran, { id: `${id}-difference`, title: table.title }),
    ...accuracyFigure(ran, { id: `${id}-top1`, title: table.title }),
    ...curveFigures(ran, { id: `${id}-curves`, title: table.title, records }),
  ];
}

function groupTitle(row: ReportRow): string {
  return `${modelTitle(row.model)}, ${bitsTitle(row)}`;
}

function differenceFigure(ran: readonly ReportRow[], { id, title }: { id: string; title: string }): FigureBlock[] {
  const rows = ran.filter(({ differenceToLsq }) => differenceToLsq !== null).map((row): IntervalRow => ({
    group: groupTitle(row),
    label: armTitle(row),
    value: row.differenceToLsq!.mean,
    low: row.differenceToLsq!.interval?.low ?? null,
    high: row.differenceToLsq!.interval?.high ?? null,
    seeds: [],
    published: row.publishedDifference,
  }));
  return intervalFigure(rows, {
    id,
    caption: `${title}: difference to LSQ, in points. ${MARKS}; grey line: no difference`,
    axis: { label: "Top-1 less LSQ's, points", zero: 0 },
    write: signed,
  });
}

function accuracyFigure(ran: readonly ReportRow[], { id, title }: { id: string; title: string }): FigureBlock[] {
  const rows = ran.map((row): IntervalRow => ({
    group: groupTitle(row),
    label: armTitle(row),
    value: row.mean,
    low: null,
    high: null,
    seeds: row.seeds.map(({ top1Percent }) => top1Percent),
    published: row.published?.top1Percent ?? null,
  }));
  return intervalFigure(rows, {
    id,
    caption: `${title}: top-1 accuracy in percent. Filled circle: our mean; ticks: its seeds; open diamond: published`,
    axis: { label: "Top-1, percent", zero: null },
    write: points,
  });
}

interface IntervalFigure {
  readonly id: string;
  readonly caption: string;
  readonly axis: Extract<Drawing, { kind: "intervals" }>["axis"];
  readonly write: (value: number) => string;
}

function intervalFigure(all: readonly IntervalRow[], { id, caption, axis, write }: IntervalFigure): FigureBlock[] {
  if (all.length === 0) return [];
  const rows = all.slice(0, MAXIMUM_ROWS);
  const told = rows.length < all.length ? `${caption}. First ${rows.length} of ${all.length} rows` : caption;
  const withSeeds = rows.some(({ seeds }) => seeds.length > 0);
  const valueText = (value: number | null) => value === null ? "" : write(value);
  return [{
    kind: "figure",
    id,
    caption: told,
    description: described(rows, write),
    drawing: { kind: "intervals", rows, axis },
    data: tableOf(told, rows, {
      fields: [
        words("Model and bits", ({ group }) => group),
        naming("Method", ({ label }) => label),
        numbers("Ours", ({ value }) => valueText(value)),
        withSeeds
          ? words("Seeds", ({ seeds }) => seeds.map(write).join(", "))
          : words("95 % interval", ({ low, high }) =>
            low === null || high === null ? "" : `${write(low)} to ${write(high)}`),
        numbers("Published", ({ published }) => valueText(published)),
      ],
    }),
  }];
}

/** The extremes in words; the table below the figure has the rest. */
function described(rows: readonly IntervalRow[], write: (value: number) => string): string {
  const known = rows.filter((row): row is IntervalRow & { value: number } => row.value !== null);
  const place = ({ group, label, value }: IntervalRow & { value: number }) => `${label} on ${group}, ${write(value)}`;
  const highest = known.reduce((a, b) => b.value > a.value ? b : a, known[0]!);
  const lowest = known.reduce((a, b) => b.value < a.value ? b : a, known[0]!);
  return `${rows.length} rows; highest: ${place(highest)}; lowest: ${
    place(lowest)
  }. All numbers are in the table below.`;
}

function curveFigures(
  ran: readonly ReportRow[],
  { id, title, records }: { readonly id: string; readonly title: string; readonly records: RecordsById },
): FigureBlock[] {
  return [...Map.groupBy(ran, groupTitle)].slice(0, MAXIMUM_CURVE_FIGURES).flatMap(([group, rows], index) =>
    panelFigure(
      rows.map((row) => ({
        arm: row.arm.id,
        label: armTitle(row),
        lines: row.seeds.map(({ run }) =>
          records.get(run)!.curve.map(({ testTop1Percent }, index) => ({ x: index + 1, y: testTop1Percent }))
        ).filter(({ length }) => length > 0),
      })),
      {
        id: `${id}-${index + 1}`,
        caption: `${title}, ${group}: test accuracy by epoch, percent`,
        axes: { x: "Epoch", whole: true },
        place: (epoch) => `Epoch ${epoch}`,
        write: points,
      },
    )
  );
}

/** Everything of a figure of panels but its lines. */
export interface PanelFigure {
  readonly id: string;
  readonly caption: string;
  readonly axes: Extract<Drawing, { kind: "panels" }>["axes"];
  /** Title of the table's column for a place on the x axis: `Epoch 3`. */
  readonly place: (x: number) => string;
  readonly write: (y: number) => string;
}

/** Makes a figure of panels with its numbers, LSQ behind the others; nothing where there is no line. */
export function panelFigure(
  all: readonly (Panel & { readonly arm: string })[],
  { id, caption, axes, place, write }: PanelFigure,
): FigureBlock[] {
  const panels = all.filter(({ lines }) => lines.some(({ length }) => length > 0)).slice(0, MAXIMUM_PANELS);
  if (panels.length === 0) return [];
  const behind = panels.length > 1 ? panels.find(({ arm }) => arm === BASELINE) ?? null : null;
  const title = `${caption}. Bold: mean over seeds; thin: single seeds` +
    (behind === null ? "" : "; dashed grey: our LSQ's mean");
  const means = panels.map(({ lines }) => meanLine(lines));
  const last = panels.map(({ label }, index) => `${label} ${write(means[index]!.at(-1)!.y)}`);
  return [{
    kind: "figure",
    id,
    caption: title,
    description: `Means at the right end: ${last.join("; ")}. More are in the table below.`,
    drawing: { kind: "panels", panels, baseline: behind, axes },
    data: tableOf(title, panels.map(({ label }, index) => ({ label, points: means[index]! })), {
      fields: [
        naming("Method", ({ label }) => label),
        ...spread(longest(means).length, MAXIMUM_COLUMNS).map((number) =>
          numbers<{ points: readonly Point[] }>(
            place(longest(means)[number - 1]!.x),
            ({ points }) => points[number - 1] === undefined ? "" : write(points[number - 1]!.y),
          )
        ),
      ],
    }),
  }];
}

/** Takes at each place the mean over the lines that reach it. */
export function meanLine(lines: readonly (readonly Point[])[]): Point[] {
  return longest(lines).map(({ x }, index) => ({ x, y: mean(lines.flatMap((line) => line[index]?.y ?? [])) }));
}

function longest<T>(lists: readonly (readonly T[])[]): readonly T[] {
  return lists.reduce((a, b) => b.length > a.length ? b : a, []);
}

/** Up to `count` of 1 .. `last`, evenly spread, the last always among them. */
export function spread(last: number, count: number): number[] {
  const step = Math.ceil(last / count);
  return Array.from({ length: Math.ceil(last / step) }, (_, index) => last - index * step).reverse();
}
