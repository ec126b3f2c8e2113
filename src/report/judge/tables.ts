import type { RunRecord } from "../../record/record.ts";
import type { ProtocolName } from "../../record/spec.ts";
import { type Aggregate, type Cell, cellKey, keyText, type RowKey } from "./aggregate.ts";
import { teachers } from "./pairs.ts";
import { type ReportRow, type ScoredRow, scoredRows } from "./rows.ts";
import { type SuiteSummary, suiteSummary } from "./statistics/suite.ts";
import type { ArmTitle, PageTable, PaperPage } from "../../catalog/paper.ts";

export type { ControlDifference } from "./remarks.ts";
export type { ReportRow } from "./rows.ts";

/** An arm over all models and widths of a table that it shares with LSQ, at least 2; only seeds that both have. */
export interface ArmSuite {
  readonly arm: ArmTitle;
  readonly summary: SuiteSummary;
}

/** A table of one protocol. */
export interface ReportTable {
  readonly table: PageTable;
  readonly rows: readonly ReportRow[];
  /** In the order of the page's arms. */
  readonly suites: readonly ArmSuite[];
}

/** Everything of one protocol on a page. */
export interface ReportSection {
  readonly protocol: ProtocolName;
  readonly tables: readonly ReportTable[];
  /** All runs of the tables, each once, in the order of the rows. */
  readonly runs: readonly RunRecord[];
}

const SECTION_ORDER: readonly ProtocolName[] = ["paper", "full", "reduced", "smoke"];

/**
 * Lays a paper's published cells and the runs of its tables side by side, a section a protocol: paper, reduced, smoke.
 *
 * Published cells without a run stand in the section `paper`, which is always there (last, if it has no run); the other
 * sections hold only rows with runs, and are left out where there is none.
 */
export function reportSections(page: PaperPage, { cells, byKey }: Aggregate): ReportSection[] {
  const sections = SECTION_ORDER.map((protocol) => section(page, { protocol, cells, byKey }));
  const [paper, ...others] = sections as [ReportSection, ...ReportSection[]];
  const filled = others.filter(({ runs }) => runs.length > 0);
  return paper.runs.length > 0 ? [paper, ...filled] : [...filled, paper];
}

interface Ground {
  readonly protocol: ProtocolName;
  readonly cells: readonly Cell[];
  readonly byKey: Aggregate["byKey"];
}

function section(page: PaperPage, { protocol, cells, byKey }: Ground): ReportSection {
  const ground = { protocol, byKey, cells: cells.filter((cell) => cell.protocol === protocol) };
  const tables = page.tables.map((table): ReportTable => {
    const scored = tableRows(page, table, ground);
    return { table, rows: scored.map(({ row }) => row), suites: suites(page, scored) };
  });
  const shown = new Set(tables.flatMap(({ rows }) => rows.map((row) => keyText({ ...row, arm: row.arm.id }))));
  const runs = ground.cells.filter((cell) => shown.has(keyText(cell)))
    .sort(cellOrder(page))
    .flatMap(({ done, notDone }) => [...done, ...notDone].sort((a, b) => a.spec.seed - b.spec.seed));
  return { protocol, tables, runs };
}

/** The runs, or what was measured of them, that belong to a table of the page, of any protocol and model. */
export function runsOf<T extends Pick<RunRecord, "spec">>(page: PaperPage, records: readonly T[]): T[] {
  return records.filter(({ spec }) => page.tables.some((table) => belongs(table, cellKey(spec))));
}

function belongs(table: PageTable, { dataset, arm, weightBits, activationBits }: RowKey): boolean {
  if (dataset !== table.dataset || !table.arms.includes(arm)) return false;
  return weightBits === null ||
    table.bits.some(({ weights, activations }) => weights === weightBits && activations === activationBits);
}

/** Models as the paper has them; full precision first, then the wider bits; arms as the page has them. */
function cellOrder(page: PaperPage): (a: RowKey, b: RowKey) => number {
  const places = (ids: readonly string[]) => new Map([...new Set(ids)].map((id, index) => [id, index]));
  const models = places(page.published.map(({ model }) => model)), arms = places(page.arms.map(({ id }) => id));
  const place = (list: ReadonlyMap<string, number>, id: string) => list.get(id) ?? list.size;
  const width = (key: RowKey) => key.weightBits === null ? -1000 : -(10 * key.weightBits + key.activationBits!);
  return (a, b) =>
    place(models, a.model) - place(models, b.model) || a.model.localeCompare(b.model, "en") ||
    width(a) - width(b) || place(arms, a.arm) - place(arms, b.arm);
}

function tableRows(page: PaperPage, table: PageTable, { protocol, cells, byKey }: Ground): ScoredRow[] {
  const published = page.published.filter((cell) => cell.table === table.id);
  const text = (key: RowKey) => keyText({ ...key, protocol });
  const publishedByKey = new Map(published.map((cell) => [text(cell), cell]));
  const keys = new Map<string, RowKey>(cells.filter((cell) => belongs(table, cell)).map((cell) => [text(cell), cell]));
  if (protocol === "paper") { for (const cell of published) keys.set(text(cell), cell); }
  const models = new Set(published.map(({ model }) => model));
  const inputs = [...keys.values()].sort(cellOrder(page)).map((key) => ({
    page,
    table,
    key: { ...rowKey(key), protocol },
    cell: byKey.get(text(key)) ?? null,
    published: publishedByKey.get(text(key)) ?? null,
    modelIsPapers: table.modelsAreUnknown ? null : models.has(key.model),
  }));
  return scoredRows(inputs, { byKey, ownFp: teachers(cells) });
}

function rowKey({ dataset, model, arm, weightBits, activationBits }: RowKey): RowKey {
  return { dataset, model, arm, weightBits, activationBits };
}

/** Of the stratified bootstrap: the same records give the same intervals. */
const BOOTSTRAP_SEED = 0;

function suites(page: PaperPage, scored: readonly ScoredRow[]): ArmSuite[] {
  return page.arms.flatMap((arm): ArmSuite[] => {
    const tasks = scored.flatMap(({ row, scores }) => row.arm.id === arm.id && scores ? [scores] : []);
    return tasks.length < 2 ? [] : [{ arm, summary: suiteSummary(tasks, { seed: BOOTSTRAP_SEED }) }];
  });
}
