/** Figures of small plots, one a method: learning curves, seeds beside LSQ's, lines and histograms of measurements. */
import type { RunRecord } from "../../record/record.ts";
import {
  type Drawing,
  type Field,
  type FigureBlock,
  naming,
  numbers,
  type Panel,
  type PanelAxes,
  type Point,
  tableOf,
} from "./blocks.ts";
import { points, signed } from "../labels.ts";
import { BASELINE } from "../judge/rows.ts";
import { mean } from "../judge/statistics/basics.ts";
import { armTitle } from "../../catalog/titles.ts";
import type { ReportRow } from "../judge/tables.ts";

/** More methods than this are left to the table. */
const MAXIMUM_PANELS = 16;
/** Places of the x axis in the table under a figure of panels; all bars of a histogram. */
const MAXIMUM_COLUMNS = 10;

/** The records behind the results that a page shows. */
export type RecordsById = ReadonlyMap<string, RunRecord>;

/** Everything of a figure of one model and width but its rows. */
export interface GroupFigure {
  readonly id: string;
  /** `ResNet-20, W2A2`. */
  readonly group: string;
  readonly records: RecordsById;
}

/** Learning curves less LSQ's of the same seed; without a pair, as they are. */
export function curveFigures(rows: readonly ReportRow[], { id, group, records }: GroupFigure): FigureBlock[] {
  const curveOf = (run: string) => records.get(run)!.curve.map(({ testTop1Percent }) => testTop1Percent);
  const pairs = pairedRuns(rows);
  if (pairs.length === 0) {
    const panels = rows.map((row) => ({
      arm: row.arm.id,
      label: armTitle(row),
      lines: row.seeds.map(({ run }) => curveOf(run).map((y, index) => ({ x: index + 1, y }))),
    }));
    return panelFigure(panels, {
      id,
      caption: `${group}: test accuracy by epoch, percent`,
      axes: { x: "Epoch", whole: true },
      place: (epoch) => `Epoch ${epoch}`,
      write: points,
    });
  }
  const panels = pairs.map(({ row, runs }) => ({
    label: armTitle(row),
    lines: runs.map(({ own, lsq }) => {
      const others = curveOf(lsq);
      return curveOf(own).map((y, index) => ({ x: index + 1, y: y - others[index]! }));
    }),
  }));
  return [figureOf(panels.slice(0, MAXIMUM_PANELS), {
    id,
    caption: `${group}: test accuracy less LSQ's, by epoch, points`,
    note:
      "Left: all epochs; right: the shaded last three, enlarged, and the difference after the last. Bold: mean over " +
      "seeds; thin: single seeds, each less the LSQ run of its seed. What lies far off leaves the enlarged frame, a mean too.",
    place: (epoch) => `Epoch ${epoch}`,
    write: signed,
    drawing: (panels) => ({ kind: "enlarged", panels, axes: { x: "Epoch" } }),
  })];
}

/** LSQ's and a method's accuracy with one line per seed, for methods with two seeds. */
export function seedFigure(rows: readonly ReportRow[], { id, group, records }: GroupFigure): FigureBlock[] {
  const last = (run: string) => records.get(run)!.metrics!["top1Percent"]!;
  const panels = pairedRuns(rows).filter(({ runs }) => runs.length > 1).map(({ row, runs }) => ({
    arm: row.arm.id,
    label: armTitle(row),
    lines: runs.map(({ own, lsq }) => [{ x: 0, y: last(lsq) }, { x: 1, y: last(own) }]),
  }));
  const names = [{ at: 0, name: "LSQ" }, { at: 1, name: "method" }];
  return panelFigure(panels, {
    id,
    caption: `${group}: each seed under LSQ and under the method, top-1 in percent`,
    axes: { x: "", names, isUsual: true },
    place: (x) => `${names[x]!.name}, mean`,
    write: points,
  });
}

/** Rows with the ids of their runs and of the LSQ runs that these are compared with. */
function pairedRuns(rows: readonly ReportRow[]) {
  const lsq = new Map(rows.find(({ arm }) => arm.id === BASELINE)?.seeds.map(({ seed, run }) => [seed, run]));
  return rows.flatMap((row) => {
    const paired = new Set(row.differenceToLsq?.pairs.map(({ seed }) => seed));
    const runs = row.seeds.filter(({ seed }) => paired.has(seed)).map(({ seed, run }) => ({
      own: run,
      lsq: lsq.get(seed)!,
    }));
    return runs.length === 0 ? [] : [{ row, runs }];
  });
}

/** Everything of a figure of panels but its lines. */
export interface PanelFigure {
  readonly id: string;
  readonly caption: string;
  readonly axes: PanelAxes;
  /** Title of the table's column for a place on the x axis: `Epoch 3`. */
  readonly place: (x: number) => string;
  readonly write: (y: number) => string;
}

/** Makes a figure of panels with its numbers, LSQ behind the others; nothing where there is no line. */
export function panelFigure(
  all: readonly (Panel & { readonly arm: string })[],
  { axes, ...figure }: PanelFigure,
): FigureBlock[] {
  const panels = all.filter(({ lines }) => lines.some(({ length }) => length > 0)).slice(0, MAXIMUM_PANELS);
  if (panels.length === 0) return [];
  const isLines = axes.barWidth === undefined;
  const behind = panels.length > 1 && isLines ? panels.find(({ arm }) => arm === BASELINE) ?? null : null;
  const several = panels.some(({ lines }) => lines.length > 1) ? "Bold: mean over seeds; thin: single seeds" : "";
  const marks = [
    isLines ? several : "Bars: mean over seeds",
    behind === null ? "" : "dashed grey: our LSQ's mean",
  ].filter((text) => text !== "").join("; ");
  return [figureOf(panels, {
    ...figure,
    ...(marks === "" ? {} : { note: `${marks}.` }),
    ...(isLines ? {} : { columns: Infinity }),
    drawing: () => ({ kind: "panels", panels, baseline: behind, axes }),
  })];
}

function figureOf<P extends Panel>(panels: readonly P[], { id, caption, note, place, write, columns, drawing }: {
  readonly id: string;
  readonly caption: string;
  readonly note?: string;
  readonly place: (x: number) => string;
  readonly write: (y: number) => string;
  readonly columns?: number;
  readonly drawing: (panels: readonly P[]) => Drawing;
}): FigureBlock {
  const rows = panels.map(({ label, lines }) => ({ label, points: meanLine(lines) }));
  const xs = longest(rows.map(({ points }) => points)).map(({ x }) => x);
  const last = rows.map(({ label, points }) => `${label} ${write(points.at(-1)!.y)}`);
  return {
    kind: "figure",
    id,
    caption,
    ...(note === undefined ? {} : { note }),
    description: `Means at the right end: ${last.join("; ")}. More are in the table below.`,
    drawing: drawing(panels),
    data: tableOf("", rows, {
      fields: [
        naming("Method", ({ label }) => label),
        ...spread(xs.length, columns ?? MAXIMUM_COLUMNS).map((number): Field<typeof rows[number]> =>
          numbers(
            place(xs[number - 1]!),
            ({ points }) => points[number - 1] === undefined ? "" : write(points[number - 1]!.y),
          )
        ),
      ],
    }),
  };
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
  const step = Math.ceil(last / count) || 1;
  return Array.from({ length: Math.ceil(last / step) }, (_, index) => last - index * step).reverse();
}
