import { baseOf, type BaseProtocol, type ProtocolLabel, type RunSpec } from "../../record/spec.ts";
import { type CellKey, cellOf, type Result, type RowKey } from "../read/result.ts";
import { type Aggregate, type Cell, keyText } from "./aggregate.ts";
import { teachers } from "./pairs.ts";
import { type ReportRow, type ScoredRow, scoredRows } from "./rows.ts";
import { type SuiteSummary, suiteSummary } from "./statistics/suite.ts";
import { type ArmTitle, isInTable, modelFor, type Paper, type PublishedCell, type Table } from "../../catalog/paper.ts";

export type { ControlDifference } from "./decision.ts";
export type { ReportRow } from "./rows.ts";

/** An arm over all models and widths of a table that it shares with LSQ, at least 2; only seeds that both have. */
export interface ArmSuite {
  readonly arm: ArmTitle;
  readonly summary: SuiteSummary;
}

/** A table of one protocol. */
export interface ReportTable {
  readonly table: Table<ArmTitle>;
  readonly rows: readonly ReportRow[];
  /** In the order of the page's arms. */
  readonly suites: readonly ArmSuite[];
}

/** Everything of one protocol on a page. */
export interface ReportSection {
  readonly protocol: ProtocolLabel;
  readonly tables: readonly ReportTable[];
  /** All runs of the tables, each once, in the order of the rows. */
  readonly runs: readonly Result[];
}

/** Protocols as pages have them. */
export const SECTION_ORDER: readonly BaseProtocol[] = ["paper", "full", "reduced", "smoke"];

/** Orders by protocol: as `SECTION_ORDER`, then by name. */
export function byProtocol(a: Pick<CellKey, "protocol">, b: Pick<CellKey, "protocol">): number {
  const place = ({ protocol }: Pick<CellKey, "protocol">) =>
    SECTION_ORDER.findIndex((base) => base === baseOf(protocol));
  return place(a) - place(b) || (a.protocol < b.protocol ? -1 : Number(a.protocol > b.protocol));
}

/**
 * Lays a paper's published cells and the runs of its tables side by side, one section for each protocol.
 *
 * Published cells without a run stand in the section of their table's own protocol, which is always there; the other
 * sections, those of changed protocols too, hold only rows with runs, and are left out where there is none. Sections without a run come last.
 */
export function reportSections(page: Paper<ArmTitle>, { cells, byKey }: Aggregate): ReportSection[] {
  const found = [...new Set(cells.map(({ protocol }) => protocol))].sort();
  const protocols = SECTION_ORDER.flatMap((base) => [
    base,
    ...found.filter((name) => name !== base && baseOf(name) === base),
  ]);
  const sections = protocols.map((protocol) => section(page, { protocol, cells, byKey }));
  const homes = new Set<ProtocolLabel>(page.tables.map(homeOf));
  const empty = sections.filter(({ protocol, runs }) => runs.length === 0 && homes.has(protocol));
  return [...sections.filter(({ runs }) => runs.length > 0), ...empty];
}

interface Ground {
  readonly protocol: ProtocolLabel;
  readonly cells: readonly Cell[];
  readonly byKey: Aggregate["byKey"];
}

function section(page: Paper<ArmTitle>, { protocol, cells, byKey }: Ground): ReportSection {
  const ground = { protocol, byKey, cells: cells.filter((cell) => cell.protocol === protocol) };
  const tables = page.tables.map((table): ReportTable => {
    const scored = tableRows(page, table, ground);
    return { table, rows: scored.map(({ row }) => row), suites: suites(page, scored) };
  });
  const shown = new Set(tables.flatMap(({ rows }) => rows.map((row) => keyText({ ...row, arm: row.arm.id }))));
  const runs = ground.cells.filter((cell) => shown.has(keyText(cell)))
    .sort(cellOrder(page))
    .flatMap(({ done, notDone }) => [...done, ...notDone].sort((a, b) => a.seed - b.seed));
  return { protocol, tables, runs };
}

/** The runs, or what was measured of them, that belong to a table of the page, of any protocol and model. */
export function runsOf<T extends { readonly spec: RunSpec } | { readonly cell: CellKey }>(
  page: Paper<ArmTitle>,
  runs: readonly T[],
): T[] {
  return runs.filter((run) => {
    const cell = "cell" in run ? run.cell : cellOf(run.spec);
    return page.tables.some((table) => isInTable(table, cell));
  });
}

/** Models as the paper has them; full precision first, then the wider bits; arms as the page has them. */
export function cellOrder(page: Paper<ArmTitle>): (a: RowKey, b: RowKey) => number {
  const places = (ids: readonly string[]) => new Map([...new Set(ids)].map((id, index) => [id, index]));
  const models = places(page.published.map((cell) => modelIn(page, cell))),
    arms = places(page.arms.map(({ id }) => id));
  const place = (list: ReadonlyMap<string, number>, id: string) => list.get(id) ?? list.size;
  const width = (key: RowKey) => key.weightBits === null ? -1000 : -(10 * key.weightBits + key.activationBits!);
  return (a, b) =>
    place(models, a.model) - place(models, b.model) || a.model.localeCompare(b.model, "en") ||
    width(a) - width(b) || place(arms, a.arm) - place(arms, b.arm);
}

/** The model that stands for a published cell of the page. */
function modelIn({ tables }: Paper<ArmTitle>, cell: PublishedCell): string {
  return modelFor(tables.find(({ id }) => id === cell.table) ?? {}, cell);
}

function tableRows(page: Paper<ArmTitle>, table: Table<ArmTitle>, { protocol, cells, byKey }: Ground): ScoredRow[] {
  const published = page.published.filter((cell) => cell.table === table.id);
  const rowOf = (cell: PublishedCell): RowKey => ({ ...cell, model: modelFor(table, cell) });
  const text = (key: RowKey) => keyText({ ...key, protocol });
  const publishedByKey = new Map(published.map((cell) => [text(rowOf(cell)), cell]));
  const keys = new Map<string, RowKey>(
    cells.filter((cell) => isInTable(table, cell)).map((cell) => [text(cell), cell]),
  );
  if (protocol === homeOf(table)) { for (const cell of published) keys.set(text(rowOf(cell)), rowOf(cell)); }
  // a table of ours publishes nothing: its models are those that it plans
  const models = new Set(published.length > 0 ? published.map((cell) => modelFor(table, cell)) : table.models);
  const inputs = [...keys.values()].sort(cellOrder(page)).map((key) => ({
    page,
    table,
    key: { ...rowKey(key), protocol },
    cell: byKey.get(text(key)) ?? null,
    published: publishedByKey.get(text(key)) ?? null,
    modelIsPapers: table.modelsAreUnknown ? null : models.has(key.model),
  }));
  return scoredRows(inputs, { byKey, ownFp: teachers([...byKey.values()]) });
}

/** The protocol that the published numbers of a table are compared with. */
function homeOf({ protocols }: Table<ArmTitle>): ProtocolLabel {
  return protocols?.[0] ?? "paper";
}

function rowKey({ dataset, model, arm, weightBits, activationBits }: RowKey): RowKey {
  return { dataset, model, arm, weightBits, activationBits };
}

/** Seed of the stratified bootstrap: the same records give the same intervals. */
const BOOTSTRAP_SEED = 0;

function suites(page: Paper<ArmTitle>, scored: readonly ScoredRow[]): ArmSuite[] {
  return page.arms.flatMap((arm): ArmSuite[] => {
    const tasks = scored.flatMap(({ row, scores }) => row.arm.id === arm.id && scores ? [scores] : []);
    return tasks.length < 2 ? [] : [{ arm, summary: suiteSummary(tasks, { seed: BOOTSTRAP_SEED }) }];
  });
}
