/** Changes between two sets of records: the cells whose numbers or verdict moved. */
import type { Aggregate } from "../judge/aggregate.ts";
import { type Block, heading, naming, numbers, paragraph, tableOf, words } from "./blocks.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import { armTitle, modelTitle } from "../../catalog/titles.ts";
import { counted, signed, verdictTitle } from "../labels.ts";
import { meanText } from "./results.ts";
import { type ReportRow, reportSections } from "../judge/tables.ts";
import type { ArmTitle, Paper } from "../../catalog/paper.ts";
import { protocolTitle } from "../../catalog/protocol.ts";

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
  /** Row in the later records, or the earlier row if it is gone. */
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
  return tableOf("Top-1 in percent, mean ± sd (n)", moves, {
    fields: [
      words("Paper", ({ page }) => page.id),
      words("Table", ({ row }) => row.table),
      words("Protocol", ({ row }) => protocolTitle(row.protocol)),
      words("Model", ({ row }) => modelTitle(row.model)),
      words("Bits", ({ row }) => bitsTitle(row)),
      naming("Method", ({ row }) => armTitle(row)),
      numbers("Then", ({ before }) => resultText(before)),
      numbers("Now", ({ now }) => resultText(now)),
      numbers(
        "Change",
        ({ before, now }) => before?.mean == null || now?.mean == null ? "" : signed(now.mean - before.mean),
      ),
      words("Verdict", ({ before, now }) => verdictText(before, now)),
    ],
  });
}

function resultText(row: ReportRow | null): string {
  if (row === null) return "no run";
  return row.mean === null ? `none of ${row.notDone} finished` : meanText(row);
}

function verdictText(before: ReportRow | null, now: ReportRow | null): string {
  const names = [before, now].map((row) => verdictTitle(row?.verdict.name ?? "not_run"));
  return names[0] === names[1] ? names[0]! : names.join(" -> ");
}
