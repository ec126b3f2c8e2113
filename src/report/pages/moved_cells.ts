/** What changed between two sets of records: the cells whose numbers or verdict moved. */
import type { RunRecord } from "../../record/record.ts";
import { aggregate } from "../judge/aggregate.ts";
import { type Block, heading, paragraph, type TableCell } from "./blocks.ts";
import { bitsTitle, counted, modelTitle, points, signed, verdictTitle } from "../labels.ts";
import { toMarkdown } from "../render/markdown.ts";
import { armTitle } from "./result_table.ts";
import { type ReportRow, reportSections } from "../judge/tables.ts";
import type { PaperPage } from "../../catalog/paper.ts";

/** The records of two moments, judged by the same rules: today's. */
export interface Moments {
  /** What the earlier one is called. */
  readonly since: string;
  readonly before: readonly RunRecord[];
  readonly now: readonly RunRecord[];
}

interface Move {
  readonly page: PaperPage;
  /** Of the row in the later records, or of the one that is gone. */
  readonly row: ReportRow;
  readonly before: ReportRow | null;
  readonly now: ReportRow | null;
}

/**
 * The moved cells as Markdown. A cell has moved if its seeds, mean, spread, paired difference or verdict changed; a cell
 * that has no run in one of the two is new or gone.
 *
 * @throws {InputError} If the records of one cell do not belong together (see `aggregate`).
 */
export function movedCells(pages: readonly PaperPage[], { since, before, now }: Moments): string {
  const earlier = aggregate(before), later = aggregate(now);
  const moves = pages.flatMap((page) => {
    const old = ranRows(page, earlier), fresh = ranRows(page, later);
    return [...new Set([...fresh.keys(), ...old.keys()])].flatMap((key): Move[] => {
      const before = old.get(key) ?? null, now = fresh.get(key) ?? null;
      const isSame = before !== null && now !== null && told(before) === told(now);
      return isSame ? [] : [{ page, row: (now ?? before)!, before, now }];
    });
  });
  const blocks: Block[] = [
    heading(1, `Cells that moved since ${since}`),
    paragraph(
      moves.length === 0
        ? `No cell moved: ${counted(before.length, "run")} then, ${counted(now.length, "run")} now.`
        : `${counted(moves.length, "cell")} moved: ${counted(before.length, "run")} then, ${
          counted(now.length, "run")
        } now. ` +
          "Both are judged by today's rules.",
    ),
    ...(moves.length === 0 ? [] : [moveTable(moves)]),
  ];
  return toMarkdown(blocks);
}

function ranRows(page: PaperPage, all: ReturnType<typeof aggregate>): Map<string, ReportRow> {
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
