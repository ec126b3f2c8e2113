/** What changed between two sets of records: the cells whose numbers or verdict moved. */
import type { Aggregate } from "../judge/aggregate.ts";
import { type Block, heading, paragraph, type TableCell } from "./blocks.ts";
import { bitsTitle, counted, modelTitle, points, signed, verdictTitle } from "../labels.ts";
import { armTitle } from "./results.ts";
import { type ReportRow, reportSections } from "../judge/tables.ts";
import type { ArmTitle, Paper } from "../../catalog/paper.ts";

/** The runs of two moments, judged by the same rules: today's. */
export interface Moments {
  /** Name of the earlier one. */
  readonly since: string;
  readonly before: Moment;
  readonly now: Moment;
}

interface Moment {
  readonly aggregate: Aggregate;
  readonly runs: number;
}

interface Move {
  readonly page: Paper<ArmTitle>;
  /** Of the row in the later records, or of the one that is gone. */
  readonly row: ReportRow;
  readonly before: ReportRow | null;
  readonly now: ReportRow | null;
}

/**
 * Names the moved cells. A cell has moved if its seeds, mean, spread, paired difference or verdict changed; a cell that has
 * no run in one of the two is new or gone.
 */
export function movedCellBlocks(
  pages: readonly Paper<ArmTitle>[],
  { since, before: then, now: today }: Moments,
): Block[] {
  const moves = pages.flatMap((page) => {
    const old = ranRows(page, then.aggregate), fresh = ranRows(page, today.aggregate);
    return [...new Set([...fresh.keys(), ...old.keys()])].flatMap((key): Move[] => {
      const before = old.get(key) ?? null, now = fresh.get(key) ?? null;
      const isSame = before !== null && now !== null && told(before) === told(now);
      return isSame ? [] : [{ page, row: (now ?? before)!, before, now }];
    });
  });
  return [
    heading(1, `Cells that moved since ${since}`),
    paragraph(
      moves.length === 0
        ? `No cell moved: ${counted(then.runs, "run")} then, ${counted(today.runs, "run")} now.`
        : `${counted(moves.length, "cell")} moved: ${counted(then.runs, "run")} then, ${
          counted(today.runs, "run")
        } now. ` +
          "Both are judged by today's rules.",
    ),
    ...(moves.length === 0 ? [] : [moveTable(moves)]),
  ];
}

function ranRows(page: Paper<ArmTitle>, all: Aggregate): Map<string, ReportRow> {
  const rows = reportSections(page, all).flatMap(({ tables }) => tables.flatMap(({ rows }) => rows));
  return new Map(rows.filter(({ n, notDone }) => n + notDone > 0).map((row) => [rowKey(row), row]));
}

function rowKey({ table, protocol, model, arm, weightBits, activationBits }: ReportRow): string {
  return [table, protocol, model, arm.id, weightBits, activationBits].join(" ");
}

/** Equal text for equal results. */
function told({ n, notDone, mean, sd, differenceToLsq, gapToFp, verdict }: ReportRow): string {
  return JSON.stringify({ n, notDone, mean, sd, differenceToLsq, gapToFp, verdict: verdict.name });
}

function moveTable(moves: readonly Move[]): Block {
  return {
    kind: "table",
    caption: "Top-1 in percent, mean ± sd (n)",
    columns: [
      { title: "Paper", align: "left" },
      { title: "Table", align: "left" },
      { title: "Protocol", align: "left" },
      { title: "Model", align: "left" },
      { title: "Bits", align: "left" },
      { title: "Method", align: "left", names: true },
      { title: "Then", align: "right" },
      { title: "Now", align: "right" },
      { title: "Change", align: "right" },
      { title: "Verdict", align: "left" },
    ],
    rows: moves.map(({ page, row, before, now }): TableCell[] => [
      page.id,
      row.table,
      row.protocol,
      modelTitle(row.model),
      bitsTitle(row),
      armTitle(row),
      resultText(before),
      resultText(now),
      before === null || now === null || before.mean === null || now.mean === null
        ? ""
        : signed(now.mean - before.mean),
      verdictText(before, now),
    ]),
  };
}

function resultText(row: ReportRow | null): string {
  if (row === null) return "no run";
  if (row.mean === null) return `none of ${row.notDone} finished`;
  return `${points(row.mean)}${row.sd === null ? "" : ` ± ${points(row.sd)}`} (${row.n})`;
}

function verdictText(before: ReportRow | null, now: ReportRow | null): string {
  const names = [before, now].map((row) => verdictTitle(row?.verdict.name ?? "not_run"));
  return names[0] === names[1] ? names[0]! : names.join(" -> ");
}
