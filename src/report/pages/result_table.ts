/** A table of results as blocks: published and reproduced in columns of their own, verdicts with their reasons below. */
import { type Block, type Column, paragraph, type TableCell } from "./blocks.ts";
import { bitsTitle, counted, modelTitle, noteMark, points, signed, verdictTitle } from "../labels.ts";
import { differenceWords } from "../judge/decision.ts";
import type { PairedDifference } from "../judge/statistics/paired.ts";
import type { ReportRow, ReportTable } from "../judge/tables.ts";

const COLUMNS: readonly Column[] = [
  { title: "Model", align: "left" },
  { title: "Bits", align: "left" },
  { title: "Method", align: "left", names: true },
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
    modelTitle(row.model),
    bitsTitle(row),
    armTitle(row),
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
  const lines = new Map<string, ReportRow[]>();
  for (const row of rows) {
    const key = `${bitsTitle(row)} ${row.arm.id}`;
    lines.set(key, [...(lines.get(key) ?? []), row]);
  }
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
