/** A table of results as blocks, and what stands below it: verdicts with reasons, single seeds, tests, controls, the whole. */
import { type Block, type Field, naming, numbers, paragraph, type Role, tableOf, words } from "./blocks.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import type { ArmTitle } from "../../catalog/paper.ts";
import { armTitle, modelTitle } from "../../catalog/titles.ts";
import { counted, noteMark, points, pText, signed, verdictTitle } from "../labels.ts";
import type { Cell } from "../judge/aggregate.ts";
import { differenceWords, MINIMUM_SEEDS } from "../judge/decision.ts";
import { BASELINE } from "../judge/rows.ts";
import { type Interval, mean, standardDeviation } from "../judge/statistics/basics.ts";
import type { PairedDifference } from "../judge/statistics/paired.ts";
import type { ArmSuite, ReportRow, ReportTable } from "../judge/tables.ts";

/** The columns that name a row. */
export const NAMES: readonly Field<ReportRow>[] = [
  words("Model", ({ model }) => modelTitle(model)),
  words("Bits", bitsTitle),
  naming("Method", armTitle),
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
    tableOf(caption, rows, {
      fields: [
        ...COMPARED,
        ...(rows.some((row) => sameSeedsText(row) !== "") ? [numbers(SAME_SEEDS, sameSeedsText)] : []),
        numbers("Our gap to own FP [95 %]", ({ gapToFp, n }) => differenceText(gapToFp, n)),
        words("Verdict", ({ verdict: { name, reason } }) => ({
          text: `${verdictTitle(name)} (${noteMark(reasons.indexOf(reason))})`,
          verdict: name,
        })),
      ],
    }),
    { kind: "list", items: reasons.map((reason, index) => `(${noteMark(index)}) ${reason}`) },
  ];
}

/** The columns of what was published beside ours. */
export const COMPARED: readonly Field<ReportRow>[] = [
  ...NAMES,
  numbers("Published", publishedText),
  numbers("Ours, mean ± sd (n)", reproducedText),
  numbers(
    "Published difference to LSQ",
    ({ publishedDifference }) => publishedDifference === null ? "" : signed(publishedDifference),
  ),
  numbers("Our difference to LSQ [95 %]", ({ differenceToLsq, n }) => differenceText(differenceToLsq, n)),
];

/** Title of the column that shows what a difference is taken to, where that is not LSQ's mean as its own row has it. */
export const SAME_SEEDS = "LSQ over the seeds of the difference";

/** Empty where the means of both rows are over the seeds of their difference. */
export function sameSeedsText({ lsqOnSameSeeds }: ReportRow): string {
  return lsqOnSameSeeds === null ? "" : points(lsqOnSameSeeds);
}

/**
 * Tells the kind of a method within a table: rebuilt where its paper is not known in full; a paper's own where a gain
 * counts only against controls; a control where it is one of another arm's.
 */
export function roleOf({ id, label, controls = [] }: ArmTitle, arms: readonly ArmTitle[]): Role {
  if (label !== null) return "rebuilt";
  if (controls.length > 0) return "method";
  const isControl = id !== BASELINE && arms.some((arm) => arm.controls?.includes(id));
  return isControl ? "control" : "baseline";
}

/** The published number with its anomaly marks; `unknown`; or `none`, where the paper has no such cell. */
function publishedText({ published, anomalies }: ReportRow): string {
  if (published === null) return "none";
  if (published.top1Percent === null) return "unknown";
  return [points(published.top1Percent), ...anomalies.map((number) => `†${number}`)].join(" ");
}

/** `88.43 ± 0.12 (3 of 4)`: mean, standard deviation and number of seeds, and of runs where some did not finish. */
export function reproducedText({ mean, sd, n, notDone }: ReportRow): string {
  if (mean === null) return `none of ${notDone} finished`;
  return meanText({ mean, sd, n: notDone === 0 ? n : `${n} of ${n + notDone}` });
}

/** `88.43 ± 0.12 (3)`; empty where there is no mean. */
export function meanText(
  { mean, sd, n }: { readonly mean: number | null; readonly sd: number | null; readonly n: number | string },
): string {
  return mean === null ? "" : `${points(mean)}${sd === null ? "" : ` ± ${points(sd)}`} (${n})`;
}

/** `meanText` of the finished runs of a cell. */
export function overSeeds({ done }: Cell): string {
  const values = done.map(({ top1 }) => top1);
  return meanText({ mean: mean(values), sd: standardDeviation(values), n: values.length });
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
  const lines = [...Map.groupBy(rows, (row) => `${bitsTitle(row)} ${row.arm.id}`).values()];
  return tableOf(caption, lines as [ReportRow, ...ReportRow[]][], {
    fields: [
      words("Bits", ([row]) => bitsTitle(row)),
      naming("Method", ([row]) => armTitle(row)),
      ...models.map((model) =>
        numbers<readonly ReportRow[]>(modelTitle(model), (line) => {
          const row = line.find((member) => member.model === model);
          return row ? publishedText(row) : "";
        })
      ),
    ],
  });
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

function seedBlocks(title: string, rows: readonly ReportRow[]): Block[] {
  if (rows.length === 0) return [];
  const toLsq = (write: (difference: PairedDifference) => string) => ({ differenceToLsq }: ReportRow) =>
    differenceToLsq === null ? "" : write(differenceToLsq);
  return [tableOf(`${title}: single seeds, and tests of the difference to LSQ`, rows, {
    aside: true,
    fields: [
      ...NAMES,
      words(
        "Top-1 by seed",
        ({ seeds }) => seeds.map(({ seed, top1Percent }) => `${seed}: ${points(top1Percent)}`).join(", "),
      ),
      words(
        "Difference to LSQ by seed",
        toLsq(({ pairs }) => pairs.map(({ seed, difference }) => `${seed}: ${signed(difference)}`).join(", ")),
      ),
      numbers("BCa bootstrap 95 %", toLsq(({ bootstrap }) => intervalText(bootstrap))),
      numbers("Sign-flip p", toLsq(signFlipText)),
      numbers("t-test p", toLsq(({ tTestP }) => pText(tTestP))),
      numbers("Holm's p", ({ holmP }) => pText(holmP)),
    ],
  })];
}

export function intervalText(interval: Interval | null, write: (value: number) => string = signed): string {
  return interval === null ? "" : `[${write(interval.low)}, ${write(interval.high)}]`;
}

/** Three decimals; never 0. */
/** Empty for so few seeds that no p could be small: p = 1 of one seed is not "no difference". */
function signFlipText({ n, signFlipP }: PairedDifference): string {
  return n < MINIMUM_SEEDS ? "" : pText(signFlipP);
}

function controlBlocks(title: string, rows: readonly ReportRow[]): Block[] {
  const lines = rows.flatMap((row) => row.differencesToControls.map((item) => ({ row, ...item })));
  if (lines.length === 0) return [];
  const caption =
    `${title}: differences to the control arms, which have a part of the method; a gain counts only against them too`;
  const names = NAMES.map((field) => ({ ...field, cell: ({ row }: typeof lines[number]) => field.cell(row) }));
  return [tableOf(caption, lines, {
    fields: [
      ...names,
      words("Control", ({ control }) => armTitle({ arm: control })),
      numbers("Common seeds", ({ difference }) => String(difference?.n ?? 0)),
      numbers("Difference [95 %]", ({ difference }) => difference === null ? "" : differenceWords(difference)),
      numbers("BCa bootstrap 95 %", ({ difference }) => intervalText(difference?.bootstrap ?? null)),
      numbers("Sign-flip p", ({ difference }) => difference === null ? "" : signFlipText(difference)),
    ],
  })];
}

function suiteBlocks(title: string, suites: readonly ArmSuite[]): Block[] {
  if (suites.length === 0) return [];
  const caption =
    `${title}: over all models and widths that an arm shares with LSQ, seeds of both only; mean and interquartile mean of ` +
    "the paired differences to LSQ in points, and probability that a run is above a run of LSQ, with stratified bootstrap " +
    "95 % intervals, which are too short for few seeds; the interquartile mean leaves a quarter out at each end, so also a " +
    "collapse";
  return [tableOf(caption, suites, {
    fields: [
      naming("Method", armTitle),
      numbers("Cells", ({ summary }) => String(summary.tasks)),
      numbers("Runs", ({ summary }) => String(summary.runs)),
      numbers("Mean difference", ({ summary }) => signed(summary.meanDifference)),
      numbers("Interquartile mean (IQM)", ({ summary }) => signed(summary.iqm)),
      numbers("IQM, 95 %", ({ summary }) => intervalText(summary.iqmInterval)),
      numbers("Probability of improvement", ({ summary }) => points(summary.probabilityOfImprovement)),
      numbers("Probability, 95 %", ({ summary }) => intervalText(summary.probabilityInterval, points)),
    ],
  })];
}

/** Rows of code that nobody can look up. */
function markBlocks(title: string, rows: readonly ReportRow[]): Block[] {
  const items = rows.filter(({ flags }) => flags.length > 0).map((row) =>
    `${armTitle(row)}, ${modelTitle(row.model)}, ${bitsTitle(row)}: ${row.flags.join("; ")}`
  );
  if (items.length === 0) return [];
  return [{ kind: "paragraph", text: `${title}: marked rows` }, { kind: "list", items }];
}
