/** The figures of a paper's table: intervals and learning curves, each with its numbers. */
import type { RunRecord } from "../../record/record.ts";
import { cellKey, keyText } from "../judge/aggregate.ts";
import type { Block, FigureBlock } from "./blocks.ts";
import { bitsTitle, modelTitle, points, signed } from "../labels.ts";
import { armTitle } from "./result_table.ts";
import { BASELINE } from "../judge/rows.ts";
import type { ReportRow, ReportSection, ReportTable } from "../judge/tables.ts";
import { type IntervalAxis, intervalDrawing, type IntervalRow } from "../render/figures/intervals.ts";
import { panelFigure } from "../render/figures/panel_figure.ts";

/** A drawing of more rows than this would be longer than its table is useful. */
const MAXIMUM_ROWS = 40;
/** Drawings of learning curves a table, one a model and width; the pages of the runs have the others. */
const MAXIMUM_CURVE_FIGURES = 6;

const MARKS = "Filled circle: our mean; line: its 95 % interval; open diamond: published";

/** The runs of a section by cell. */
export type RunsByCell = ReadonlyMap<string, readonly RunRecord[]>;

/** Groups the done runs of a section. */
export function runsByCell({ runs }: Pick<ReportSection, "runs">): RunsByCell {
  const groups = new Map<string, RunRecord[]>();
  for (const run of runs) {
    if (run.status !== "done") continue;
    const key = keyText(cellKey(run.spec));
    const group = groups.get(key);
    if (group) group.push(run);
    else groups.set(key, [run]);
  }
  return groups;
}

/** All figures of one table; none where nothing ran. */
export function figureBlocks(
  { table, rows }: ReportTable,
  { runs, idPrefix }: { readonly runs: RunsByCell; readonly idPrefix: string },
): Block[] {
  const ran = rows.filter(({ n }) => n > 0);
  const runsOfRow = (row: ReportRow) => runs.get(keyText({ ...row, arm: row.arm.id })) ?? [];
  const id = `${idPrefix}-${table.id}`;
  return [
    ...differenceFigure(ran, { id: `${id}-difference`, title: table.title }),
    ...accuracyFigure(ran, { id: `${id}-top1`, title: table.title }),
    ...curveFigures(ran, { id: `${id}-curves`, title: table.title, runsOfRow }),
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

interface RunContext {
  readonly id: string;
  readonly title: string;
  readonly runsOfRow: (row: ReportRow) => readonly RunRecord[];
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
  readonly axis: IntervalAxis;
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
    svg: intervalDrawing(rows, { axis, text: { id, title: told, description: described(rows, write) } }),
    data: {
      columns: [
        { title: "Model and bits", align: "left" },
        { title: "Method", align: "left", names: true },
        { title: "Ours", align: "right" },
        withSeeds ? { title: "Seeds", align: "left" } : { title: "95 % interval", align: "left" },
        { title: "Published", align: "right" },
      ],
      rows: rows.map((row) => [
        row.group,
        row.label,
        valueText(row.value),
        withSeeds
          ? row.seeds.map(write).join(", ")
          : row.low === null || row.high === null
          ? ""
          : `${write(row.low)} to ${write(row.high)}`,
        valueText(row.published),
      ]),
    },
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

function curveFigures(ran: readonly ReportRow[], { id, title, runsOfRow }: RunContext): FigureBlock[] {
  const groups = new Map<string, ReportRow[]>();
  for (const row of ran) groups.set(groupTitle(row), [...(groups.get(groupTitle(row)) ?? []), row]);
  return [...groups].slice(0, MAXIMUM_CURVE_FIGURES).flatMap(([group, rows], index) =>
    curveFigure(rows.map((row) => ({ row, runs: runsOfRow(row) })), {
      id: `${id}-${index + 1}`,
      caption: `${title}, ${group}: test accuracy by epoch, percent`,
    })
  );
}

function curveFigure(
  all: readonly { row: ReportRow; runs: readonly RunRecord[] }[],
  { id, caption }: { id: string; caption: string },
): FigureBlock[] {
  const panels = all.map(({ row, runs }) => ({
    arm: row.arm.id,
    label: armTitle(row),
    lines: runs.map(({ curve }) => curve.map(({ testTop1Percent }, index) => ({ x: index + 1, y: testTop1Percent })))
      .filter(({ length }) => length > 0),
  }));
  return panelFigure(panels, {
    id,
    caption,
    axes: { x: "Epoch", whole: true },
    baseline: { arm: BASELINE, title: "our LSQ's mean" },
    place: (epoch) => `Epoch ${epoch}`,
    write: points,
  });
}
