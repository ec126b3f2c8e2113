import { relative } from "node:path";
import { pathToFileURL } from "node:url";
import { styleText } from "node:util";
import type { ArmTitle, Paper } from "../catalog/paper.ts";
import type { PoolOutcome } from "../pool/pool.ts";
import type { RunRecord } from "../record/record.ts";
import { redact } from "../queue/url.ts";
import { baseOf, describeRun, type ProtocolLabel, PROTOCOLS } from "../record/spec.ts";
import { aggregate, keyText } from "../report/judge/aggregate.ts";
import { differenceWords } from "../report/judge/decision.ts";
import { type ReportRow, reportSections } from "../report/judge/tables.ts";
import { bitsTitle } from "../catalog/bits.ts";
import { protocolTitle } from "../catalog/protocol.ts";
import { armTitle, datasetTitle, modelTitle } from "../catalog/titles.ts";
import { counted, points, verdictTitle } from "../report/labels.ts";
import { resultsOf } from "../report/read/result.ts";
import { terminalText } from "../terminal_text.ts";
import type { BenchOptions } from "./bench_options.ts";
import { wrapped } from "./columns.ts";
import type { Console } from "./console.ts";

/** Everything that the last screen of a grid shows. */
export interface ScreenInput {
  readonly pages: readonly Paper<ArmTitle>[];
  /** Options, the protocols of the plan (runs from an imported network have one of their own), and the words that gave them. */
  readonly options: Pick<BenchOptions, "paper" | "out"> & {
    readonly protocols: readonly ProtocolLabel[];
    readonly args: readonly string[];
  };
  readonly outcome: PoolOutcome;
  /** Runs of the plan. */
  readonly planned: number;
  /** Front page of the site; null: none was written. */
  readonly site: string | null;
}

type Format = Parameters<typeof styleText>[0];

/** A piece of a line. Its width is that of its text. */
interface Piece {
  readonly text: string;
  readonly format?: Format;
}

const COLOURS: Readonly<Record<string, Format>> = {
  failed: "red",
  timeout: "red",
  diverged: "yellow",
  reproduced: "green",
  not_reproduced: "red",
};
const GAP = "  ";
/** Title in two lines and protocol, next steps and page, and a line for the prompt. */
const LINES_AROUND = 10;
/** Columns of a method's title that are always shown. */
const LEAST_TITLE = 16;

/**
 * Writes what came of a grid on one screen: its rows, a line per cause of failure, the page and the next step.
 *
 * @param console Without a screen, as in a log, nothing is cut.
 * @returns Lines with the escapes of colours and links, if the console has them; all else in them is `terminalText`.
 */
export function benchScreen(
  input: ScreenInput,
  { screen, colours }: Pick<Console, "screen" | "colours">,
): string {
  const { pages, options, outcome, planned, site } = input,
    { columns, rows } = screen ?? { columns: Infinity, rows: Infinity };
  const notDone = outcome.records.filter(({ status }) => status !== "done");
  const done = outcome.records.length - notDone.length;
  const title = pages.length === 1 ? pages[0]!.title : `Papers ${pages.map(({ id }) => id).join(", ")}`;
  const causes = causeLines(notDone);
  const blocks = pages.flatMap((page) =>
    options.protocols.flatMap((protocol) => tableBlocks(page, { records: outcome.records, protocol, columns }))
  );
  const shown = fitting(blocks, rows - LINES_AROUND - causes.length);
  const hidden = blocks.length - shown.length;
  const lines: Piece[][] = [
    ...wrapped(title, columns).map((text): Piece[] => [{ text, format: "bold" }]),
    [{
      text: `Protocol ${options.protocols.map(protocolTitle).join("; ")}, ${done} of ${counted(planned, "run")} done`,
    }],
    ...shown.flatMap((block) => [[], ...block]),
    ...(hidden > 0 ? [[{ text: `${counted(hidden, "more table")} on the page`, format: "dim" as const }]] : []),
    [],
    ...causes,
  ];
  const printed = lines.map((line) => printLine(line, { columns, colours }));
  const page = site === null ? [] : [`Page  ${link(site, colours)}`];
  const [advice, ...commands] = nextSteps(input, notDone);
  return [
    ...printed,
    ...page,
    printLine([{ text: advice }], { columns, colours }),
    ...commands.map((words) => `  ${terminalText(redact(command(words)))}`), // whole, to be copied
    "",
  ].join("\n");
}

/** The first blocks that fit, and at least one. */
function fitting(blocks: readonly Piece[][][], room: number): readonly Piece[][][] {
  let used = 0;
  const count = blocks.findIndex((block) => (used += block.length + 1) > room);
  return count === -1 ? blocks : blocks.slice(0, Math.max(1, count));
}

/** Writes a line within the columns; the piece that does not fit is cut. */
function printLine(line: readonly Piece[], { columns, colours }: { columns: number; colours: boolean }): string {
  let room = columns;
  return line.map(({ text, format }) => {
    const plain = cut(terminalText(text).replaceAll("\n", " "), room);
    room -= plain.length;
    return colours && format !== undefined ? styleText(format, plain, { validateStream: false }) : plain;
  }).join("").trimEnd();
}

function cut(text: string, room: number): string {
  return text.length <= room ? text : room < 1 ? "" : `${text.slice(0, room - 1)}…`;
}

/** Writes a file's path, as short as it can be, as a link where terminals know links. */
function link(path: string, colours: boolean): string {
  const short = relative(Deno.cwd(), path), text = terminalText(short.startsWith("..") ? path : short);
  return colours ? `\x1b]8;;${pathToFileURL(path).href}\x1b\\${text}\x1b]8;;\x1b\\` : text;
}

/** One block per table, model and bits, with full precision above its quantized rows. */
function tableBlocks(
  page: Paper<ArmTitle>,
  { records, protocol, columns }: { records: readonly RunRecord[]; protocol: ProtocolLabel; columns: number },
): Piece[][][] {
  const tables = reportSections(page, aggregate(resultsOf(records))).find((section) => section.protocol === protocol)
    ?.tables ?? [];
  const seen = new Set<string>();
  const groups = tables.flatMap(({ rows }) =>
    [...Map.groupBy(rows.filter(({ n, notDone }) => n + notDone > 0), ({ model }) => model).values()].flatMap(
      (ofModel) => {
        const full = ofModel.filter(({ weightBits }) => weightBits === null);
        const byBits = Map.groupBy(ofModel.filter((row) => !full.includes(row)), bitsTitle);
        return byBits.size === 0 ? [full] : [...byBits.values()].map((quantized) => [...full, ...quantized]);
      },
    )
  );
  // tables share runs: one that shows nothing new is left out
  const isNew = (group: readonly ReportRow[]) => {
    const keys = group.map((row) => keyText({ ...row, arm: row.arm.id })), before = seen.size;
    for (const key of keys) seen.add(key);
    return seen.size > before;
  };
  return groups.filter(isNew).map((group) => block(group, { records, columns }));
}

function block(
  rows: readonly ReportRow[],
  { records, columns }: { records: readonly RunRecord[]; columns: number },
): Piece[][] {
  const { model, dataset } = rows[0]!, last = rows.at(-1)!;
  const bits = last.weightBits === null ? [] : [bitsTitle(last)];
  const head = [modelTitle(model), ...bits, datasetTitle(dataset)].join(" ");
  const cells = [
    [{ text: head, format: "bold" as const }, { text: "top-1" }, { text: "to LSQ [95 %]" }, { text: "n" }, {
      text: "verdict",
    }],
    ...rows.map((row) => rowPieces(row, records)),
  ];
  const widths = cells[0]!.map((_, i) => Math.max(...cells.map((line) => line[i]!.text.length)));
  const others = widths.slice(1).reduce((sum, width) => sum + width + GAP.length, 0);
  const titleWidth = Math.min(widths[0]!, Math.max(LEAST_TITLE, columns - others));
  if (titleWidth + others > columns) return [[cells[0]![0]!], ...cells.slice(1).flatMap(narrow)]; // a narrow terminal
  return cells.map((line) =>
    line.flatMap(({ text, ...piece }, i) => {
      const width = i === 0 ? titleWidth : widths[i]!, shown = cut(text, width);
      const isNumber = i > 0 && i < 4;
      return [{ text: `${i === 0 ? "" : GAP}${isNumber ? shown.padStart(width) : shown.padEnd(width)}`, ...piece }];
    })
  );
}

/** A row on lines of its own, for terminals that no table fits on. */
function narrow([title, top1, difference, n, verdict]: readonly Piece[]): Piece[][] {
  return [
    [title!],
    [{ text: "  " }, top1!, { text: ` (n ${n!.text})` }],
    ...(difference!.text === "" ? [] : [[{ text: `  ${difference!.text} to LSQ` }]]),
    [{ text: "  " }, verdict!],
  ];
}

function rowPieces(row: ReportRow, records: readonly RunRecord[]): Piece[] {
  const { arm, n, notDone, mean, sd, differenceToLsq, verdict } = row;
  const ended = notDone === 0
    ? []
    : records.filter(({ spec, status }) =>
      status !== "done" && spec.arm === arm.id && spec.model === row.model && spec.dataset.name === row.dataset &&
      (spec.quantization?.weightBits ?? null) === row.weightBits &&
      (spec.quantization?.activationBits ?? null) === row.activationBits
    );
  const status = ended[0]?.status ?? "failed";
  return [
    { text: armTitle({ arm }) },
    mean === null ? coloured(status) : { text: `${points(mean)}${sd === null ? "" : ` ± ${points(sd)}`}` },
    { text: differenceToLsq === null ? "" : differenceWords(differenceToLsq) },
    { text: notDone === 0 ? String(n) : `${n}/${n + notDone}` },
    { ...coloured(verdict.name), text: verdictTitle(verdict.name) },
  ];
}

function coloured(name: string): Piece {
  const format = COLOURS[name];
  return format === undefined ? { text: name } : { text: name, format };
}

/** One line per cause: students whose teacher has no network were skipped, and count under its cause. */
function causeLines(notDone: readonly RunRecord[]): Piece[][] {
  const byId = new Map(notDone.map((record) => [record.id, record]));
  const isSkipped = ({ spec }: RunRecord) => spec.teacher !== null && byId.has(spec.teacher);
  // numbers, such as a step's, make no other cause
  const causeOf = ({ status, reason }: RunRecord) => `${status} ${reason?.replace(/\d+/g, "#")}`;
  return [...Map.groupBy(notDone.filter((record) => !isSkipped(record)), causeOf).values()].map((runs) => {
    const { spec, status, reason } = runs[0]!, ids = new Set(runs.map(({ id }) => id));
    const skipped = notDone.filter(({ spec: { teacher } }) => teacher !== null && ids.has(teacher)).length;
    const who = runs.length === 1 ? describeRun(spec) : counted(runs.length, "run");
    const more = skipped === 0 ? "" : `, ${counted(skipped, "student")} skipped`;
    return [coloured(status), { text: `  ${who}${more}: ${reason ?? "no reason known"}` }];
  });
}

/** Gives a sentence and the commands to continue with, as words. */
function nextSteps({ pages, options, outcome }: ScreenInput, notDone: readonly RunRecord[]): [string, ...string[][]] {
  const { paper, protocols, out, args } = options, again = ["bench", ...args];
  const outFlag = args.some((word) => word === "--out" || word.startsWith("--out=")) ? ["--out", out] : [];
  const left = outcome.unfinished.length;
  if (left > 0) return [`Stopped with ${counted(left, "run")} to go. Next`, again];
  const failed = notDone.find(({ status }) => status !== "diverged");
  if (failed !== undefined) {
    return ["Next, see why, then run those that failed again", ["runs", "show", failed.id, ...outFlag], again];
  }
  if (baseOf(protocols[0]!) === "smoke" && paper !== undefined) {
    const tables = pages.flatMap(({ tables }) => tables);
    const next = PROTOCOLS.find((name) =>
      name !== "smoke" && tables.some(({ protocols }) => protocols?.includes(name) ?? true)
    );
    const real = ["bench", "--paper", paper, "--protocol", next ?? "paper", "--dry-run", ...outFlag];
    return ["Smoke tests the software only. Next, see what real runs take", real];
  }
  return ["Next, add the records to reports/records and write the pages", ["report", "--collect", out]];
}

function command(words: readonly string[]): string {
  const quoted = words.map((word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
  return `deno task ${quoted.join(" ")}`;
}
