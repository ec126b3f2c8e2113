import type { RunRecord } from "../runs/record.ts";
import type { ProtocolName } from "../runs/spec.ts";
import { type Aggregate, type Cell, cellKey, keyText, type RowKey } from "./aggregate.ts";
import { modelTitle } from "./labels.ts";
import { top1Percent } from "./records.ts";
import { differenceTo, likeRuns, teachers } from "./pairs.ts";
import { mean, type PairedDifference, standardDeviation } from "./statistics.ts";
import type { ArmTitle, PageTable, PaperPage, PublishedCell } from "./types.ts";
import { judge, type Verdict } from "./verdict.ts";

/** What the other arms are compared with. */
const BASELINE = "lsq";

/** One row of a table: one arm on one model at one width. */
export interface ReportRow {
  readonly table: string;
  readonly dataset: string;
  readonly model: string;
  readonly arm: ArmTitle;
  readonly weightBits: number | null;
  readonly activationBits: number | null;
  readonly protocol: ProtocolName;
  /** Null: the paper has no such cell. */
  readonly published: PublishedCell | null;
  /** Published arm less published LSQ, in points; null: not known, or not a comparison. */
  readonly publishedDifference: number | null;
  /** Finished seeds. */
  readonly n: number;
  readonly notDone: number;
  readonly mean: number | null;
  readonly sd: number | null;
  readonly differenceToLsq: PairedDifference | null;
  /** Less the full-precision run that each run started from. */
  readonly gapToFp: PairedDifference | null;
  readonly verdict: Verdict;
  /** Numbers of the page's anomalies, from 1. */
  readonly anomalies: readonly number[];
}

/** A table of one protocol. */
export interface ReportTable {
  readonly table: PageTable;
  readonly rows: readonly ReportRow[];
}

/** Everything of one protocol on a page. */
export interface ReportSection {
  readonly protocol: ProtocolName;
  readonly tables: readonly ReportTable[];
  /** All runs of the tables, each once, in the order of the rows. */
  readonly runs: readonly RunRecord[];
}

const SECTION_ORDER: readonly ProtocolName[] = ["paper", "reduced", "smoke"];

/**
 * Lays a paper's published cells and the runs of its tables side by side, a section a protocol: paper, reduced, smoke.
 *
 * Published cells without a run stand in the section `paper`, which is always there (last, if it has no run); the other
 * sections hold only rows with runs, and are left out where there is none.
 */
export function reportSections(page: PaperPage, { cells }: Aggregate): ReportSection[] {
  const sections = SECTION_ORDER.map((protocol) => section(page, { protocol, cells }));
  const [paper, ...others] = sections as [ReportSection, ...ReportSection[]];
  const filled = others.filter(({ runs }) => runs.length > 0);
  return paper.runs.length > 0 ? [paper, ...filled] : [...filled, paper];
}

interface Ground {
  readonly protocol: ProtocolName;
  readonly cells: readonly Cell[];
}

function section(page: PaperPage, { protocol, cells }: Ground): ReportSection {
  const ground = { protocol, cells: cells.filter((cell) => cell.protocol === protocol) };
  const tables = page.tables.map((table) => ({ table, rows: tableRows(page, table, ground) }));
  const shown = new Set(tables.flatMap(({ rows }) => rows.map((row) => keyText({ ...row, arm: row.arm.id }))));
  const runs = ground.cells.filter((cell) => shown.has(keyText(cell)))
    .sort((a, b) => compareCells(page, a, b))
    .flatMap(({ done, notDone }) => [...done, ...notDone].sort((a, b) => a.spec.seed - b.spec.seed));
  return { protocol, tables, runs };
}

/** The runs that belong to a table of the page, of any protocol and model. */
export function runsOf(page: PaperPage, records: readonly RunRecord[]): RunRecord[] {
  return records.filter(({ spec }) => page.tables.some((table) => belongs(table, cellKey(spec))));
}

function belongs(table: PageTable, { dataset, arm, weightBits, activationBits }: RowKey): boolean {
  if (dataset !== table.dataset || !table.arms.includes(arm)) return false;
  return weightBits === null ||
    table.bits.some(({ weights, activations }) => weights === weightBits && activations === activationBits);
}

/** Full precision first, then the table's bits in its order. */
function compareCells(page: PaperPage, a: RowKey, b: RowKey): number {
  const models = [...new Set(page.published.map(({ model }) => model))];
  const place = (list: readonly string[], id: string) => list.includes(id) ? list.indexOf(id) : list.length;
  const width = (key: RowKey) => key.weightBits === null ? -1000 : -(10 * key.weightBits + key.activationBits!);
  const arms = page.arms.map(({ id }) => id);
  return place(models, a.model) - place(models, b.model) || a.model.localeCompare(b.model, "en") ||
    width(a) - width(b) || place(arms, a.arm) - place(arms, b.arm);
}

function tableRows(page: PaperPage, table: PageTable, { protocol, cells }: Ground): ReportRow[] {
  const published = page.published.filter((cell) => cell.table === table.id);
  const own = cells.filter((cell) => belongs(table, cell));
  const text = (key: RowKey) => keyText({ protocol, ...key });
  const keys = new Map<string, RowKey>(own.map((cell) => [text(cell), cell]));
  if (protocol === "paper") { for (const cell of published) keys.set(text(cell), cell); }
  return [...keys.values()].sort((a, b) => compareCells(page, a, b)).map((key) =>
    row({
      page,
      table,
      protocol,
      key,
      cells,
      cell: own.find((cell) => text(cell) === text(key)) ?? null,
      published: published.find((cell) => text(cell) === text(key)) ?? null,
      modelIsPapers: published.some(({ model }) => model === key.model),
    })
  );
}

interface RowInput extends Ground {
  readonly page: PaperPage;
  readonly table: PageTable;
  readonly key: RowKey;
  readonly cell: Cell | null;
  readonly published: PublishedCell | null;
  readonly modelIsPapers: boolean;
}

function row({ page, table, protocol, key, cells, cell, published, modelIsPapers }: RowInput): ReportRow {
  const arm = page.arms.find(({ id }) => id === key.arm) ?? { id: key.arm, title: key.arm, label: null };
  const done = cell?.done ?? [], notDone = cell?.notDone ?? [];
  const values = done.map(top1Percent);
  const publishedDifference = published && publishedDifferenceToLsq(page, published);
  const differenceToLsq = isCompared(key) ? differenceTo(done, likeRuns(cells, { ...key, arm: BASELINE })) : null;
  const verdict = judge({
    protocol,
    arm: arm.id,
    label: arm.label,
    model: modelTitle(key.model),
    modelIsPapers,
    published,
    publishedDifference,
    runs: done.length + notDone.length,
    done: done.length,
    difference: differenceToLsq,
  });
  return {
    table: table.id,
    dataset: key.dataset,
    model: key.model,
    arm,
    weightBits: key.weightBits,
    activationBits: key.activationBits,
    protocol,
    published,
    publishedDifference,
    n: values.length,
    notDone: notDone.length,
    mean: values.length > 0 ? mean(values) : null,
    sd: standardDeviation(values),
    differenceToLsq,
    gapToFp: differenceTo(done, teachers(cells)),
    verdict,
    anomalies: published ? touching(page, published) : [],
  };
}

function isCompared({ arm, weightBits }: RowKey): boolean {
  return arm !== BASELINE && weightBits !== null;
}

/** To the LSQ cell of the same table, else of any table of the paper with the same model and bits. */
function publishedDifferenceToLsq(page: PaperPage, cell: PublishedCell): number | null {
  if (cell.top1Percent === null || !isCompared(cell)) return null;
  const baselines = page.published.filter((other) =>
    other.arm === BASELINE && other.dataset === cell.dataset && other.model === cell.model &&
    other.weightBits === cell.weightBits && other.activationBits === cell.activationBits
  );
  const baseline = baselines.find(({ table }) => table === cell.table) ?? baselines[0];
  const lsq = baseline?.top1Percent ?? null;
  // both have two decimals: so has their difference
  return lsq === null ? null : Math.round(100 * (cell.top1Percent - lsq)) / 100;
}

function touching(page: PaperPage, cell: PublishedCell): number[] {
  return page.anomalies.flatMap(({ touches }, index) =>
    touches.some((fields) =>
        Object.entries(fields).every(([name, value]) => cell[name as keyof PublishedCell] === value)
      )
      ? [index + 1]
      : []
  );
}
