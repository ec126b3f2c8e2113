/** Measurements of the networks: flatness, noise, spectra. One table per measurement, and its lines as figures. */
import type { Measurement } from "../../record/measurement.ts";
import {
  type Block,
  type FigureBlock,
  heading,
  naming,
  numbers,
  paragraph,
  type TableBlock,
  tableOf,
  words,
} from "./blocks.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import { armTitle, modelTitle, shortTitle } from "../../catalog/titles.ts";
import { cellQuantities, type CellQuantity, type MeasuredCell, measuredCells } from "../judge/measured_cells.ts";
import { kindOf, type Series, seriesOf, withError } from "../judge/measurements.ts";
import { armOf } from "../judge/rows.ts";
import { panelFigure } from "./panel_figures.ts";
import { InputError } from "../../errors.ts";
import { byProtocol, cellOrder, runsOf } from "../judge/tables.ts";
import { baseOf } from "../../record/spec.ts";
import type { ArmTitle, Paper } from "../../catalog/paper.ts";
import { protocolTitle } from "../../catalog/protocol.ts";

/** A scale is logarithmic from this ratio of the largest to the smallest value on. */
const LOGARITHMIC_FROM = 50;

/** Nothing where nothing was measured of the page's runs. */
export function measurementBlocks(page: Paper<ArmTitle>, measurements: readonly Measurement[]): Block[] {
  const own = runsOf(page, measurements), order = cellOrder(page);
  const cellsOf = (name: string) => {
    const cells = measuredCells(own, name), real = cells.filter(({ protocol }) => baseOf(protocol) !== "smoke");
    return (real.length > 0 ? real : cells).toSorted((a, b) => byProtocol(a, b) || order(a, b));
  };
  const names = [...new Set(own.map(({ name }) => name))].sort();
  if (names.length === 0) return [];
  const armTitleOf = (arm: string) => armTitle({ arm: armOf(page, arm) });
  return [
    heading(2, "Measurements of the trained networks"),
    paragraph(
      "Made by deno task measure on finished runs, of the network after the last epoch (docs/methods.md). They describe; no " +
        "verdict on an accuracy rests on them.",
    ),
    ...names.flatMap((name) => {
      const cells = cellsOf(name);
      if (cells.length === 0) return [];
      const title = kindOf(name).title, id = shortTitle(page);
      const head = heading(3, title, { href: `${page.id}_${name}.html`, title: `${id}: ${title}` });
      return [head, measurementTable(cells, { name, armTitleOf }), ...figures(cells, { name, armTitleOf })];
    }),
  ];
}

interface Context {
  readonly name: string;
  readonly armTitleOf: (arm: string) => string;
}

/** One figure per protocol, model, width and series; one panel per arm. */
function figures(cells: readonly MeasuredCell[], { name, armTitleOf }: Context): FigureBlock[] {
  const groups = Map.groupBy(
    cells,
    (cell) => `${modelTitle(cell.model)}, ${bitsTitle(cell)}, protocol ${protocolTitle(cell.protocol)}`,
  );
  return [...groups].flatMap(([group, members], groupIndex) => {
    const titles = new Map(
      members.flatMap(({ measurements }) => measurements.flatMap(seriesOf)).map((series) => [series.title, series]),
    );
    return [...titles.values()].flatMap((series, index) =>
      seriesFigure(members, {
        series,
        id: `${name}-${groupIndex + 1}-${index + 1}`.replaceAll("_", "-"),
        caption: `${kindOf(name).title}, ${series.title}: ${group}`,
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
  const logarithmic = series.barWidth === undefined && Math.max(...values) / least > LOGARITHMIC_FROM &&
    values.every((value) => value >= 0);
  const panels = cells.map((cell) => ({
    arm: cell.arm,
    label: armTitleOf(cell.arm),
    // on a logarithmic scale a zero has no place
    lines: linesOf(cell).map((points) => logarithmic ? points.filter(({ y }) => y > 0) : points),
  }));
  return panelFigure(panels, {
    id,
    caption: `${caption}. ${series.yTitle}${logarithmic ? ", logarithmic" : ""}`,
    axes: {
      x: series.xTitle,
      logarithmic,
      ...(series.barWidth === undefined ? {} : { barWidth: series.barWidth }),
    },
    place: (x) => `${series.xTitle.split(",")[0]} ${x}`,
    write: (y) => withError(y, null),
  });
}

function requireOneHead(rows: readonly { cell: MeasuredCell; quantities: readonly CellQuantity[] }[]): void {
  const headOf = (row: typeof rows[number]) => row.quantities.map(({ title }) => title).join("; ");
  const first = rows[0]!, other = rows.find((row) => headOf(row) !== headOf(first));
  if (!other) return;
  const [left, right] = [first, other].map(({ cell }) => cell.measurements[0]!);
  throw new InputError(
    `Cannot put ${left!.name} of runs ${left!.run} and ${right!.run} into one table as one has ` +
      `${headOf(first)} and the other ${headOf(other)}: measure one of them again with \`deno task measure --force\``,
  );
}

/**
 * A table of one measurement: one row per cell, at least one.
 * @throws {InputError} If its cells were measured at different values, such as σ.
 */
export function measurementTable(cells: readonly MeasuredCell[], { name, armTitleOf }: Context): TableBlock {
  const rows = cells.map((cell) => ({ cell, quantities: cellQuantities(cell) }));
  requireOneHead(rows);
  const caption = `${
    kindOf(name).title
  }: mean over seeds ± its standard error; of a single run ± that of the measurement`;
  return tableOf(caption, rows, {
    fields: [
      naming("Method", ({ cell }) => armTitleOf(cell.arm)),
      words("Model", ({ cell }) => modelTitle(cell.model)),
      words("Bits", ({ cell }) => bitsTitle(cell)),
      words("Protocol", ({ cell }) => protocolTitle(cell.protocol)),
      numbers("Runs", ({ cell }) => String(cell.measurements.length)),
      ...rows[0]!.quantities.map(({ title }, index) =>
        numbers<typeof rows[number]>(
          title,
          ({ quantities }) => withError(quantities[index]!.mean, quantities[index]!.error),
        )
      ),
    ],
  });
}
