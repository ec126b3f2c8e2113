/** What stands below a table of results: single seeds, tests, controls, and the table as a whole. */
import { type Block, type Column, type TableCell } from "./blocks.ts";
import { differenceWords, MINIMUM_SEEDS } from "../judge/decision.ts";
import { bitsTitle, modelTitle, points, signed } from "../labels.ts";
import { armTitle } from "./result_table.ts";
import type { PairedDifference } from "../judge/statistics/paired.ts";
import type { Interval } from "../judge/statistics/basics.ts";
import type { ArmSuite, ReportRow, ReportTable } from "../judge/tables.ts";

const NAMES: readonly Column[] = [
  { title: "Model", align: "left" },
  { title: "Bits", align: "left" },
  { title: "Method", align: "left", names: true },
];

/** Nothing where nothing ran. */
export function statisticsBlocks({ table, rows, suites }: ReportTable): Block[] {
  const ran = rows.filter(({ n }) => n > 0);
  return [
    ...seedBlocks(table.title, ran),
    ...controlBlocks(table.title, ran),
    ...suiteBlocks(table.title, suites),
    ...markBlocks(table.title, ran),
  ];
}

function nameCells(row: ReportRow): TableCell[] {
  return [modelTitle(row.model), bitsTitle(row), armTitle(row)];
}

function seedBlocks(title: string, rows: readonly ReportRow[]): Block[] {
  if (rows.length === 0) return [];
  return [{
    kind: "table",
    caption: `${title}: single seeds, and tests of the difference to LSQ`,
    aside: true,
    columns: [
      ...NAMES,
      { title: "Top-1 by seed", align: "left" },
      { title: "Difference to LSQ by seed", align: "left" },
      { title: "BCa bootstrap 95 %", align: "right" },
      { title: "Sign-flip p", align: "right" },
      { title: "t-test p", align: "right" },
      { title: "Holm's p", align: "right" },
    ],
    rows: rows.map((row) => [
      ...nameCells(row),
      row.seeds.map(({ seed, top1Percent }) => `${seed}: ${points(top1Percent)}`).join(", "),
      bySeed(row.differenceToLsq),
      intervalText(row.differenceToLsq?.bootstrap ?? null),
      signFlipText(row.differenceToLsq),
      pText(row.differenceToLsq?.tTestP ?? null),
      pText(row.holmP),
    ]),
  }];
}

function bySeed(difference: PairedDifference | null): string {
  return difference?.pairs.map(({ seed, difference }) => `${seed}: ${signed(difference)}`).join(", ") ?? "";
}

function intervalText(interval: Interval | null, write: (value: number) => string = signed): string {
  return interval === null ? "" : `[${write(interval.low)}, ${write(interval.high)}]`;
}

/** Three decimals; never 0. */
function pText(p: number | null): string {
  if (p === null) return "";
  return p < 0.0005 ? "< 0.001" : p.toFixed(3);
}

/** Empty for so few seeds that no p could be small: p = 1 of one seed is not "no difference". */
function signFlipText(difference: PairedDifference | null): string {
  return difference === null || difference.n < MINIMUM_SEEDS ? "" : pText(difference.signFlipP);
}

function controlBlocks(title: string, rows: readonly ReportRow[]): Block[] {
  const lines = rows.flatMap((row) => row.differencesToControls.map((item) => ({ row, ...item })));
  if (lines.length === 0) return [];
  return [{
    kind: "table",
    caption:
      `${title}: differences to the control arms, which have a part of the method; a gain counts only against them too`,
    columns: [
      ...NAMES,
      { title: "Control", align: "left" },
      { title: "Common seeds", align: "right" },
      { title: "Difference [95 %]", align: "right" },
      { title: "BCa bootstrap 95 %", align: "right" },
      { title: "Sign-flip p", align: "right" },
    ],
    rows: lines.map(({ row, control, difference }) => [
      ...nameCells(row),
      armTitle({ arm: control }),
      String(difference?.n ?? 0),
      difference === null ? "" : differenceWords(difference),
      intervalText(difference?.bootstrap ?? null),
      signFlipText(difference),
    ]),
  }];
}

function suiteBlocks(title: string, suites: readonly ArmSuite[]): Block[] {
  if (suites.length === 0) return [];
  return [{
    kind: "table",
    caption:
      `${title}: over all models and widths that an arm shares with LSQ, seeds of both only; mean and interquartile mean of ` +
      "the paired differences to LSQ in points, and probability that a run is above a run of LSQ, with stratified bootstrap " +
      "95 % intervals, which are too short for few seeds; the interquartile mean leaves a quarter out at each end, so also a " +
      "collapse",
    columns: [
      { title: "Method", align: "left", names: true },
      { title: "Cells", align: "right" },
      { title: "Runs", align: "right" },
      { title: "Mean difference", align: "right" },
      { title: "Interquartile mean (IQM)", align: "right" },
      { title: "IQM, 95 %", align: "right" },
      { title: "Probability of improvement", align: "right" },
      { title: "Probability, 95 %", align: "right" },
    ],
    rows: suites.map(({ arm, summary }) => [
      armTitle({ arm }),
      String(summary.tasks),
      String(summary.runs),
      signed(summary.meanDifference),
      signed(summary.iqm),
      intervalText(summary.iqmInterval),
      points(summary.probabilityOfImprovement),
      intervalText(summary.probabilityInterval, points),
    ]),
  }];
}

/** Rows of code that nobody can look up. */
function markBlocks(title: string, rows: readonly ReportRow[]): Block[] {
  const items = rows.filter(({ flags }) => flags.length > 0).map((row) =>
    `${armTitle(row)}, ${modelTitle(row.model)}, ${bitsTitle(row)}: ${row.flags.join("; ")}`
  );
  if (items.length === 0) return [];
  return [{ kind: "paragraph", text: `${title}: marked rows` }, { kind: "list", items }];
}
