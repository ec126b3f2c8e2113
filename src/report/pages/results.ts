/** A table of results as blocks, and what stands below it: verdicts with reasons, single seeds, tests, controls, the whole. */
import { type Block, type Column, paragraph, type TableCell } from "./blocks.ts";
import { bitsTitle, counted, modelTitle, noteMark, points, signed, verdictTitle } from "../labels.ts";
import { differenceWords, MINIMUM_SEEDS } from "../judge/decision.ts";
import type { Interval } from "../judge/statistics/basics.ts";
import type { PairedDifference } from "../judge/statistics/paired.ts";
import type { ArmSuite, ReportRow, ReportTable } from "../judge/tables.ts";

const NAMES: readonly Column[] = [
  { title: "Model", align: "left" },
  { title: "Bits", align: "left" },
  { title: "Method", align: "left", names: true },
];

const COLUMNS: readonly Column[] = [
  ...NAMES,
  { title: "Published", align: "right" },
  { title: "Reproduced, mean ± sd (n)", align: "right" },
  { title: "Published difference to LSQ", align: "right" },
  { title: "Our difference to LSQ [95 %]", align: "right" },
  { title: "Our gap to own FP [95 %]", align: "right" },
  { title: "Verdict", align: "left" },
];

/** The rows with runs as one table, the published cells without a run as a second one, wide, as the papers print them. */
export function resultBlocks({ table, rows }: ReportTable): Block[] {
  const run = rows.filter(({ n, notDone }) => n + notDone > 0);
  const notRun = rows.filter((row) => !run.includes(row));
  const known = notRun.filter(({ published }) => published?.top1Percent != null);
  const unknown = notRun.length - known.length;
  return [
    ...(run.length > 0 ? comparison(table.title, run) : []),
    ...(known.length > 0 ? [publishedTable(`${table.title}: published, not run`, known)] : []),
    ...(unknown > 0
      ? [
        paragraph(
          `${table.title}: not run and without a published number: ${counted(unknown, "cell")} (${
            unknownReasons(notRun)
          }).`,
        ),
      ]
      : []),
  ];
}

function unknownReasons(rows: readonly ReportRow[]): string {
  return [...new Set(rows.flatMap(({ published }) => published?.reason ?? []))].join("; ");
}

function comparison(caption: string, rows: readonly ReportRow[]): Block[] {
  const reasons = [...new Set(rows.map(({ verdict }) => verdict.reason))];
  return [
    { kind: "table", caption, columns: COLUMNS, rows: rows.map((row) => resultCells(row, reasons)) },
    { kind: "list", items: reasons.map((reason, index) => `(${noteMark(index)}) ${reason}`) },
  ];
}

function resultCells(row: ReportRow, reasons: readonly string[]): TableCell[] {
  const { verdict } = row;
  return [
    ...nameCells(row),
    publishedText(row),
    reproducedText(row),
    row.publishedDifference === null ? "" : signed(row.publishedDifference),
    differenceText(row.differenceToLsq, row.n),
    differenceText(row.gapToFp, row.n),
    { text: `${verdictTitle(verdict.name)} (${noteMark(reasons.indexOf(verdict.reason))})`, verdict: verdict.name },
  ];
}

/** The arm's title; a reconstruction or stand-in says so wherever it stands. */
export function armTitle({ arm }: Pick<ReportRow, "arm">): string {
  return arm.label === null ? arm.title : `${arm.title} (${arm.label})`;
}

/** The published number with its anomaly marks; `unknown`; or `none`, where the paper has no such cell. */
function publishedText({ published, anomalies }: ReportRow): string {
  if (published === null) return "none";
  if (published.top1Percent === null) return "unknown";
  return [points(published.top1Percent), ...anomalies.map((number) => `†${number}`)].join(" ");
}

/** `88.43 ± 0.12 (3)`: mean, standard deviation and number of seeds. */
export function reproducedText({ mean, sd, n, notDone }: ReportRow): string {
  if (mean === null) return `none of ${notDone} finished`;
  const lost = notDone === 0 ? `${n}` : `${n} of ${n + notDone}`;
  return sd === null ? `${points(mean)} (${lost})` : `${points(mean)} ± ${points(sd)} (${lost})`;
}

/** `+0.50 [-0.10, +1.10]`; with ` (2 seeds)` where fewer are common than the row has; empty where there is none. */
export function differenceText(difference: PairedDifference | null, seeds: number): string {
  if (difference === null) return "";
  const text = differenceWords(difference);
  return difference.n === seeds ? text : `${text} (${counted(difference.n, "seed")})`;
}

/** Methods by bits down, models across. */
function publishedTable(caption: string, rows: readonly ReportRow[]): Block {
  const models = [...new Set(rows.map(({ model }) => model))];
  const lines = Map.groupBy(rows, (row) => `${bitsTitle(row)} ${row.arm.id}`);
  const ofModel = (line: readonly ReportRow[], model: string) => line.find((row) => row.model === model);
  return {
    kind: "table",
    caption,
    columns: [
      { title: "Bits", align: "left" },
      { title: "Method", align: "left", names: true },
      ...models.map((model): Column => ({ title: modelTitle(model), align: "right" })),
    ],
    rows: [...lines.values()].map((line) => [
      bitsTitle(line[0]!),
      armTitle(line[0]!),
      ...models.map((model) => {
        const row = ofModel(line, model);
        return row ? publishedText(row) : "";
      }),
    ]),
  };
}

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
