import type { EngineName, Precision } from "../engine/types.ts";
import { InputError, unknownValue } from "../errors.ts";
import { orderRuns } from "./plan.ts";
import { baseOf, type BaseProtocol, canonicalJson, type PlannedRun, runId, type RunSpec } from "../record/spec.ts";
import { type Bits, formatBits } from "../catalog/bits.ts";
import { onQuantizer } from "../catalog/moved_arm.ts";
import type { Arm, Paper, Table } from "../catalog/paper.ts";
import type { Protocol } from "../catalog/protocol.ts";
import type { Suite } from "../catalog/suite.ts";
import { type GridSpec, gridSpecs } from "./grid_specs.ts";

/** Choices of a user; null: as the paper and the protocol have it. */
export interface PlanRequest {
  readonly suite: Suite;
  /** The papers of the suite that are run. */
  readonly papers: readonly Paper[];
  readonly table: string | null;
  readonly protocol: Protocol;
  readonly engine: EngineName;
  /** @default float32 */
  readonly precision?: Precision;
  /** Arm ids. */
  readonly methods: readonly string[] | null;
  readonly models: readonly string[] | null;
  readonly bits: readonly Bits[] | null;
  readonly seeds: readonly number[] | null;
  /** Quantizer of every quantized arm, in place of its own. */
  readonly quantizer?: string | null;
  /** Imported network that takes the place of full precision of a model on a data set; null: none. Left out: none at all. */
  readonly imported?: (place: Pick<RunSpec, "model"> & { readonly dataset: string }) => RunSpec | null;
}

/** One cell of a table, with its runs: one per seed. */
export interface PlannedCell {
  readonly paper: string;
  readonly table: string;
  readonly dataset: string;
  readonly model: string;
  readonly arm: string;
  /** Null: full precision. */
  readonly bits: Bits | null;
  readonly runs: readonly PlannedRun[];
}

/**
 * Lists the runs of a request, teachers first, each once: equal runs of several tables or papers are one run.
 * @throws {InputError} If a table, method or model is not known.
 */
export function planRuns(request: PlanRequest): PlannedRun[] {
  return orderRuns(placedSpecs(request).map(({ spec }) => spec));
}

/**
 * Lists every cell of every table of a request, in the tables' order. A run of several tables is in a cell of each. A
 * teacher that is no row of the table is in none.
 * @throws {InputError} If a table, method or model is not known.
 */
export function planCells(request: PlanRequest): PlannedCell[] {
  const cells = new Map<string, PlannedCell & { runs: PlannedRun[] }>();
  for (const { paper, table, spec, isCell } of placedSpecs(request)) {
    if (!isCell) continue;
    const { arm, model, quantization, seed } = spec;
    const bits = quantization && { weights: quantization.weightBits, activations: quantization.activationBits };
    const cell = { paper: paper.id, table: table.id, dataset: table.dataset, model, arm, bits };
    const key = canonicalJson(cell), found = cells.get(key) ?? { ...cell, runs: [] };
    if (!found.runs.some((run) => run.spec.seed === seed)) found.runs.push({ id: runId(spec), spec });
    cells.set(key, found);
  }
  const tables = [...cells.values()].map(({ paper, table }) => `${paper} ${table}`);
  // specs come seed by seed and model by model: a table's cells are put together again
  return [...new Set(tables)].flatMap((name) =>
    [...cells.values()].filter(({ paper, table }) => `${paper} ${table}` === name)
  );
}

/** A run and the table that it stands in. */
interface PlacedSpec extends GridSpec {
  readonly paper: Paper;
  readonly table: Table;
}

function placedSpecs(request: PlanRequest): PlacedSpec[] {
  const tables = request.papers.flatMap((paper) => tablesOf(paper, request).map((table) => ({ paper, table })));
  requireTables(request, tables.length);
  checkMethods(request, tables.map(({ table }) => table));
  checkModels(request);
  const specs = tables.flatMap(({ paper, table }) => tableRuns(paper, table, request));
  if (specs.length > 0) return specs;
  throw new InputError(
    `Cannot plan a run as ${
      leftOutArms(request, []).join(", ")
    } must start from an imported network: import one with ` +
      "`deno task teacher`, and name its folder with --teachers",
  );
}

/** Arms of the tables of a request that are in no run, as no imported network is there that they could start from. */
export function leftOutArms(request: PlanRequest, runs: readonly PlannedRun[]): string[] {
  const planned = new Set(runs.map(({ spec }) => spec.arm));
  const arms = request.papers.flatMap((paper) =>
    tablesOf(paper, request).flatMap((table) => armsOf(paper, table, request))
  );
  return [...new Set(arms.filter(({ id, needsImport }) => needsImport && !planned.has(id)).map(({ id }) => id))];
}

/** Lists every model that a protocol or a table names. (The list of `src/nn` would load tensor code.) */
export function knownModels({ protocols, papers }: Suite): string[] {
  const ofProtocols = Object.values(protocols).flatMap(({ models }) => models ?? []);
  return [...new Set([...ofProtocols, ...papers.flatMap(({ tables }) => tables.flatMap(({ models }) => models))])];
}

function checkModels({ models, suite }: PlanRequest): void {
  const known = knownModels(suite), unknown = models?.find((model) => !known.includes(model));
  if (unknown !== undefined) throw unknownValue("model", unknown, known);
}

function requireTables({ papers, protocol }: PlanRequest, count: number): void {
  if (count > 0) return;
  const tables = papers.flatMap((paper) => paper.tables.map(({ id }) => `--paper ${paper.id} --table ${id}`));
  throw new InputError(
    `Cannot plan protocol ${protocol.name} as ${
      papers.map(({ id }) => id).join(", ")
    } has no table that it runs unasked: ` +
      `give another --protocol, or one of ${tables.join(", ")}`,
  );
}

function hasRow({ arms }: Table, method: string): boolean {
  return arms.some(({ id }) => id === method);
}

/** @throws {InputError} If one is a row of none of the tables. Tables that have it are named, the same paper's first. */
function checkMethods({ methods, papers, suite }: PlanRequest, tables: readonly Table[]): void {
  const absent = methods?.find((method) => !tables.some((table) => hasRow(table, method)));
  if (absent === undefined) return;
  const homes = [...new Set([...papers, ...suite.papers])].flatMap(({ id, tables }) => {
    const own = tables.filter((table) => hasRow(table, absent)).map((table) => table.id);
    return own.length === 0 ? [] : [`--paper ${id} --table ${own.join(" or ")}`];
  });
  if (homes.length === 0) {
    throw unknownValue("method", absent, [...new Set(tables.flatMap(({ arms }) => arms.map(({ id }) => id)))]);
  }
  const asked = tables.map(({ id }) => id).join(", ");
  throw new InputError(
    `Cannot use method "${absent}" as it is no row of the tables to be run (${asked}): give ${homes.join(", or ")}`,
  );
}

function tablesOf(paper: Paper, { table, protocol }: PlanRequest): readonly Table[] {
  if (table === null) {
    if (baseOf(protocol.name) === "smoke") return paper.tables.slice(0, 1);
    return paper.tables.filter(({ dataset, protocols }) =>
      (protocol.datasets?.includes(dataset) ?? true) &&
      (protocols?.includes(baseOf(protocol.name) as BaseProtocol) ?? true)
    );
  }
  const found = paper.tables.filter(({ id }) => id === table);
  if (found.length === 0) throw unknownValue(`table of paper ${paper.id}`, table, paper.tables.map(({ id }) => id));
  return found;
}

function armsOf(paper: Paper, table: Table, request: PlanRequest): readonly Arm[] {
  const arms = ownArms(paper, table, request), { quantizer, suite } = request;
  if (!quantizer) return arms;
  const moved = arms.map((arm) => onQuantizer(arm, { quantizer, suite }));
  return [...new Map(moved.map((arm) => [arm.id, arm])).values()];
}

function ownArms(paper: Paper, { arms }: Table, { methods, protocol, table, suite }: PlanRequest): readonly Arm[] {
  if (methods !== null) return arms.filter(({ id }) => methods.includes(id));
  if (baseOf(protocol.name) !== "smoke" || table !== null) return arms;
  const { baseline } = suite;
  return arms.filter(({ id }) => [baseline.start?.id, baseline.id, paper.id].includes(id));
}

/** Chooses bits: those of the table that the protocol has too; if there are none, the table's first. */
function bitsOf(table: Table, { bits, protocol }: PlanRequest): readonly Bits[] {
  if (bits !== null) return bits;
  if (protocol.bits === null) return table.bits;
  const wanted = protocol.bits.map(formatBits);
  const own = table.bits.filter((item) => wanted.includes(formatBits(item)));
  return own.length > 0 ? own : table.bits.slice(0, 1);
}

function tableRuns(paper: Paper, table: Table, request: PlanRequest): PlacedSpec[] {
  const { protocol, engine, precision = "float32", imported, suite } = request;
  const specs = gridSpecs({
    ...table,
    models: request.models ?? protocol.models ?? table.models,
    arms: armsOf(paper, table, request),
    bits: bitsOf(table, request),
    seeds: request.seeds ?? protocol.seeds,
    protocol,
    engine,
    precision,
    taken: { arm: suite.baseline.start?.id ?? null, network: imported ?? (() => null) },
  });
  return specs.map((item) => ({ ...item, paper, table }));
}
