/** The figures of a table, each with its numbers. */
import { type Drawing, type FigureBlock, type IntervalRow, naming, numbers, tableOf, words } from "./blocks.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import { armTitle, modelTitle, shortTitle } from "../../catalog/titles.ts";
import type { ArmTitle, Paper } from "../../catalog/paper.ts";
import { points, signed } from "../labels.ts";
import type { ClaimResult } from "../judge/claims.ts";
import { armOf } from "../judge/rows.ts";
import type { ReportRow, ReportTable } from "../judge/tables.ts";
import { bitsFigures, costFigure, type CostOf } from "./labelled_figures.ts";
import { curveFigures, type RecordsById, seedFigure } from "./panel_figures.ts";
import { intervalText, roleOf } from "./results.ts";
import { protocolTitle } from "../../catalog/protocol.ts";

/** A drawing of more rows than this would be longer than its table is useful. */
const MAXIMUM_ROWS = 40;
/** Models and widths of a table that have figures of their own; the pages of the runs have the other curves. */
const MAXIMUM_GROUPS = 6;

const OUTLIERS = "arrow: beyond the axis";

/** Everything that figures need beside a table. */
export interface FigureContext {
  readonly records: RecordsById;
  readonly idPrefix: string;
  readonly costOf: CostOf;
}

/** All figures of one table; none where nothing ran. */
export function figureBlocks({ table, rows, suites }: ReportTable, context: FigureContext): FigureBlock[] {
  const { records, idPrefix, costOf } = context;
  const ran = rows.filter(({ n }) => n > 0), id = `${idPrefix}-${table.id}`;
  const figure = { title: table.title, arms: table.arms };
  return [
    ...differenceFigure(ran, { id: `${id}-difference`, ...figure }),
    ...accuracyFigure(ran, { id: `${id}-top1`, ...figure }),
    ...bitsFigures({ table, rows, suites }, { id: `${id}-bits` }),
    ...[...Map.groupBy(ran, groupTitle)].slice(0, MAXIMUM_GROUPS).flatMap(([group, members], index) => {
      const of = (kind: string) => ({ id: `${id}-${kind}-${index + 1}`, group, records });
      return [
        ...curveFigures(members, of("curves")),
        ...seedFigure(members, of("seeds")),
        ...costFigure(members, { ...of("cost"), arms: table.arms, costOf }),
      ];
    }),
  ];
}

function groupTitle(row: ReportRow): string {
  return `${modelTitle(row.model)}, ${bitsTitle(row)}`;
}

interface TableFigure {
  readonly id: string;
  readonly title: string;
  readonly arms: readonly ArmTitle[];
}

function differenceFigure(ran: readonly ReportRow[], { id, title, arms }: TableFigure): FigureBlock[] {
  const rows = ran.flatMap((row): IntervalRow[] => {
    const { differenceToLsq, publishedDifference, arm } = row;
    if (differenceToLsq === null) return [];
    const { mean, interval, n } = differenceToLsq;
    return [{
      group: groupTitle(row),
      label: armTitle(row),
      role: roleOf(arm, arms),
      value: mean,
      low: interval?.low ?? null,
      high: interval?.high ?? null,
      n,
      seeds: [],
      published: publishedDifference === null ? [] : [publishedDifference],
      texts: { value: signed(mean), spread: intervalText(interval) },
    }];
  });
  return intervalFigure(rows, {
    id,
    caption: `${title}: top-1 less LSQ's, points`,
    note: `Line: 95 % interval of the mean over n seeds, each less the LSQ run of its seed; ${OUTLIERS}.`,
    axis: { label: "Points above LSQ", zero: 0, heads: DIFFERENCE_HEADS },
    write: signed,
  });
}

const DIFFERENCE_HEADS = { value: "Points", spread: "95 % interval" };

function accuracyFigure(ran: readonly ReportRow[], { id, title, arms }: TableFigure): FigureBlock[] {
  const rows = ran.map((row): IntervalRow => ({
    group: groupTitle(row),
    label: armTitle(row),
    role: roleOf(row.arm, arms),
    value: row.mean!,
    low: null,
    high: null,
    n: row.n,
    seeds: row.seeds.map(({ top1Percent }) => top1Percent),
    published: row.published?.top1Percent == null ? [] : [row.published.top1Percent],
    texts: { value: points(row.mean!), spread: row.sd === null ? "" : `± ${points(row.sd)}` },
  }));
  return intervalFigure(rows, {
    id,
    caption: `${title}: top-1 accuracy, percent`,
    note: `Mark: mean over n seeds; ticks: the seeds; ${OUTLIERS}.`,
    axis: { label: "Top-1, percent", zero: null, heads: { value: "Mean", spread: "sd" } },
    write: points,
  });
}

/** Published differences beside ours, a row for each pair of methods and width; nothing where no run speaks of them. */
export function publishedFigure(page: Paper<ArmTitle>, claims: readonly ClaimResult[]): FigureBlock[] {
  const found = claims.flatMap(({ claim, evidence }) => {
    const item = evidence.find(({ difference }) => difference !== null);
    return claim.published === null || claim.quantity.kind !== "top1" || item === undefined ? [] : [{ claim, item }];
  });
  const alike = Map.groupBy(
    found,
    ({ claim, item }) => [claim.arm, claim.baseline, item.protocol, item.model, bitsTitle(item)].join("\n"),
  );
  const rows = [...alike.values()].map((members): IntervalRow => {
    const { claim, item } = members[0]!, { mean, interval, n } = item.difference!;
    const arm = armOf(page, claim.arm), baseline = armOf(page, claim.baseline);
    return {
      group: `${modelTitle(item.model)}, ${bitsTitle(item)}, protocol ${protocolTitle(item.protocol)}`,
      label: `${armTitle({ arm })} less ${baseline.title === claim.baseline ? "full precision" : baseline.title}`,
      role: roleOf(arm, page.arms),
      value: mean,
      low: interval?.low ?? null,
      high: interval?.high ?? null,
      n,
      seeds: [],
      published: members.map(({ claim }) => claim.published!),
      texts: { value: signed(mean), spread: intervalText(interval) },
    };
  });
  return intervalFigure(rows, {
    id: "published",
    caption: `${shortTitle(page)}: published differences against ours, top-1 points`,
    note: `Ours: mean over n seeds with its 95 % interval, on the network and protocol that the heading names; each ` +
      `diamond: a difference that the paper prints; ${OUTLIERS}.`,
    axis: { label: "Difference, points", zero: 0, heads: DIFFERENCE_HEADS },
    write: signed,
  });
}

interface IntervalFigure {
  readonly id: string;
  readonly caption: string;
  readonly note: string;
  readonly axis: Extract<Drawing, { kind: "intervals" }>["axis"];
  readonly write: (value: number) => string;
}

/** Rows of a group stand from the highest to the lowest. */
function intervalFigure(
  all: readonly IntervalRow[],
  { id, caption, note, axis, write }: IntervalFigure,
): FigureBlock[] {
  if (all.length === 0) return [];
  const sorted = [...Map.groupBy(all, ({ group }) => group).values()]
    .flatMap((rows) => rows.toSorted((a, b) => b.value - a.value));
  const rows = sorted.slice(0, MAXIMUM_ROWS);
  const withSeeds = rows.some(({ seeds }) => seeds.length > 0);
  return [{
    kind: "figure",
    id,
    caption,
    note: rows.length < all.length ? `${note} First ${rows.length} of ${all.length} rows.` : note,
    description: described(rows, write),
    drawing: { kind: "intervals", rows, axis },
    data: tableOf("", rows, {
      fields: [
        words("Model and bits", ({ group }) => group),
        naming("Method", ({ label }) => label),
        numbers("Ours", ({ value }) => write(value)),
        numbers(axis.heads.spread, ({ texts }) => texts.spread),
        numbers("n", ({ n }) => String(n)),
        ...(withSeeds ? [words<IntervalRow>("Seeds", ({ seeds }) => seeds.map(write).join(", "))] : []),
        ...(rows.some(({ published }) => published.length > 0)
          ? [words<IntervalRow>("Published", ({ published }) => published.map(write).join(", "))]
          : []),
      ],
    }),
  }];
}

/** The extremes in words; the table below the figure has the rest. */
function described(rows: readonly IntervalRow[], write: (value: number) => string): string {
  const place = ({ group, label, value }: IntervalRow) => `${label} on ${group}, ${write(value)}`;
  const highest = rows.reduce((a, b) => b.value > a.value ? b : a),
    lowest = rows.reduce((a, b) => b.value < a.value ? b : a);
  return `${rows.length} rows; highest: ${place(highest)}; lowest: ${
    place(lowest)
  }. All numbers are in the table below.`;
}
