/** What was measured of the networks: flatness, noise, spectra. A table a measurement, and its lines as figures. */
import type { Measurement } from "../../record/measurement.ts";
import { type Block, type FigureBlock, heading, paragraph } from "./blocks.ts";
import { bitsTitle, modelTitle } from "../labels.ts";
import {
  type MeasuredCell,
  measuredCells,
  measurementTable,
  measurementTitle,
  type Series,
  seriesOf,
  withError,
} from "../judge/measurements.ts";
import { armTitle } from "./result_table.ts";
import { armOf, BASELINE } from "../judge/rows.ts";
import { runsOf } from "../judge/tables.ts";
import type { PaperPage } from "../../catalog/paper.ts";
import { panelFigure } from "../render/figures/panel_figure.ts";

/** A scale is logarithmic from this ratio of the largest to the smallest value on. */
const LOGARITHMIC_FROM = 50;

/** Nothing where nothing was measured of the page's runs. */
export function measurementBlocks(page: PaperPage, measurements: readonly Measurement[]): Block[] {
  const own = runsOf(page, measurements);
  const names = [...new Set(own.map(({ name }) => name))].sort();
  if (names.length === 0) return [];
  const armTitleOf = (arm: string) => armTitle({ arm: armOf(page, arm) });
  return [
    heading(2, "Measurements of the trained networks"),
    paragraph(
      "Made by `deno task measure` on finished runs, of the network after the last epoch (docs/methods.md). They describe; no " +
        "verdict on an accuracy rests on them.",
    ),
    ...names.flatMap((name) => {
      const table = measurementTable(own, name, armTitleOf);
      if (table === null) return [];
      return [heading(3, measurementTitle(name)), table, ...figures(measuredCells(own, name), { name, armTitleOf })];
    }),
  ];
}

interface FigureContext {
  readonly name: string;
  readonly armTitleOf: (arm: string) => string;
}

/** A figure a protocol, model, width and series; a panel an arm. */
function figures(cells: readonly MeasuredCell[], { name, armTitleOf }: FigureContext): FigureBlock[] {
  const groups = new Map<string, MeasuredCell[]>();
  for (const cell of cells) {
    const key = `${modelTitle(cell.model)}, ${bitsTitle(cell)}, protocol ${cell.protocol}`;
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  return [...groups].flatMap(([group, members], groupIndex) => {
    const titles = new Map(
      members.flatMap(({ measurements }) => measurements.flatMap(seriesOf)).map((series) => [series.title, series]),
    );
    return [...titles.values()].flatMap((series, index) =>
      seriesFigure(members, {
        series,
        id: `${name}-${groupIndex + 1}-${index + 1}`.replaceAll("_", "-"),
        caption: `${measurementTitle(name)}, ${series.title}: ${group}`,
        armTitleOf,
      })
    );
  });
}

function seriesFigure(
  cells: readonly MeasuredCell[],
  { series, id, caption, armTitleOf }: {
    readonly series: Series;
    readonly id: string;
    readonly caption: string;
    readonly armTitleOf: (arm: string) => string;
  },
): FigureBlock[] {
  const linesOf = ({ measurements }: MeasuredCell) =>
    measurements.flatMap(seriesOf).filter(({ title }) => title === series.title).map(({ points }) => points);
  const values = cells.flatMap(linesOf).flat().map(({ y }) => y);
  const least = Math.min(...values.filter((value) => value > 0));
  const logarithmic = Math.max(...values) / least > LOGARITHMIC_FROM && values.every((value) => value >= 0);
  const panels = cells.map((cell) => ({
    arm: cell.arm,
    label: armTitleOf(cell.arm),
    // on a logarithmic scale a zero has no place
    lines: linesOf(cell).map((points) => logarithmic ? points.filter(({ y }) => y > 0) : points),
  }));
  return panelFigure(panels, {
    id,
    caption: `${caption}. Vertical: ${series.yTitle.toLowerCase()}${logarithmic ? ", logarithmic" : ""}`,
    axes: { x: series.xTitle, logarithmic },
    baseline: { arm: BASELINE, title: "our LSQ's mean" },
    place: (x) => `${series.xTitle.split(",")[0]} ${x}`,
    write: (y) => withError(y, null),
  });
}
