import type { EngineName } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import { orderRuns, type PlannedRun } from "./plan.ts";
import { canonicalJson, runId } from "../record/spec.ts";
import { onQuantizer } from "../../benchmarks/arms.ts";
import { type GridSpec, gridSpecs } from "./grid_specs.ts";
import { PAPERS } from "../../benchmarks/mod.ts";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";
import type { Arm, Bits, Paper, Protocol, TableGrid } from "../catalog/grid.ts";

/** What of the papers is run; null: what the paper and the protocol say. */
export interface PlanRequest {
  readonly papers: readonly Paper[];
  readonly table: string | null;
  readonly protocol: Protocol;
  readonly engine: EngineName;
  /** Arm ids. */
  readonly methods: readonly string[] | null;
  readonly models: readonly string[] | null;
  readonly bits: readonly Bits[] | null;
  readonly seeds: readonly number[] | null;
  /** Takes the place of every quantized arm's own. */
  readonly quantizer?: string | null;
}

/** One cell of a table, with its runs: one a seed. */
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

/** Bits as people write them: `W2A4`. */
export function formatBits(bits: Bits): string {
  return `W${bits.weights}A${bits.activations}`;
}

/** One sentence that names a value that is not known and those that are. */
export function unknownValue(kind: string, value: string, known: readonly string[]): InputError {
  return new InputError(`Cannot use ${kind} "${value}" as it is not known: choose one of ${known.join(", ")}`);
}

/**
 * The runs of a request, teachers first, each once: equal runs of several tables or papers are one run.
 * @throws {InputError} If a table, method or model is not known.
 */
export function planRuns(request: PlanRequest): PlannedRun[] {
  return orderRuns(placedSpecs(request).map(({ spec }) => spec));
}

/**
 * Every cell of every table of a request, in the tables' order. A run of several tables is in a cell of each; a teacher that
 * is no row of the table is in none.
 * @throws {InputError} If a table, method or model is not known.
 */
export function planCells(request: PlanRequest): PlannedCell[] {
  const cells = new Map<string, PlannedCell & { runs: PlannedRun[] }>();
  for (const { paper, grid, spec, isCell } of placedSpecs(request)) {
    if (!isCell) continue;
    const { arm, model, quantization, seed } = spec;
    const bits = quantization && { weights: quantization.weightBits, activations: quantization.activationBits };
    const cell = { paper: paper.id, table: grid.id, dataset: grid.dataset, model, arm, bits };
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
  readonly grid: TableGrid;
}

function placedSpecs(request: PlanRequest): PlacedSpec[] {
  const tables = request.papers.flatMap((paper) => tablesOf(paper, request).map((grid) => ({ paper, grid })));
  checkMethods(request, tables.map(({ grid }) => grid));
  checkModels(request.models);
  return tables.flatMap(({ paper, grid }) => tableRuns(paper, grid, request));
}

/** Every model that a protocol or a table names: the list of `src/nn` would load tensor code. */
export function knownModels(): string[] {
  const ofProtocols = Object.values(PROTOCOL_DEFINITIONS).flatMap(({ models }) => models ?? []);
  return [...new Set([...ofProtocols, ...PAPERS.flatMap(({ grids }) => grids.flatMap(({ models }) => models))])];
}

function checkModels(models: readonly string[] | null): void {
  const known = knownModels(), unknown = models?.find((model) => !known.includes(model));
  if (unknown !== undefined) throw unknownValue("model", unknown, known);
}

function hasRow({ arms }: TableGrid, method: string): boolean {
  return arms.some(({ id }) => id === method);
}

/** @throws {InputError} If one is a row of none of the tables; where others have it, they are named, the same paper's first. */
function checkMethods({ methods, papers }: PlanRequest, tables: readonly TableGrid[]): void {
  const absent = methods?.find((method) => !tables.some((grid) => hasRow(grid, method)));
  if (absent === undefined) return;
  const homes = [...new Set([...papers, ...PAPERS])].flatMap(({ id, grids }) => {
    const own = grids.filter((grid) => hasRow(grid, absent)).map((grid) => grid.id);
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

function tablesOf(paper: Paper, { table, protocol }: PlanRequest): readonly TableGrid[] {
  if (table === null) {
    if (protocol.name === "smoke") return paper.grids.slice(0, 1);
    return paper.grids.filter(({ dataset }) => protocol.datasets?.includes(dataset) ?? true);
  }
  const found = paper.grids.filter(({ id }) => id === table);
  if (found.length === 0) throw unknownValue(`table of paper ${paper.id}`, table, paper.grids.map(({ id }) => id));
  return found;
}

/** Every arm of every paper. */
export function knownArms(): Arm[] {
  return PAPERS.flatMap(({ grids }) => grids.flatMap(({ arms }) => arms));
}

function armsOf(paper: Paper, grid: TableGrid, request: PlanRequest): readonly Arm[] {
  const arms = ownArms(paper, grid, request), { quantizer } = request;
  if (!quantizer) return arms;
  const known = knownArms(), moved = arms.map((arm) => onQuantizer(arm, quantizer, known));
  return [...new Map(moved.map((arm) => [arm.id, arm])).values()];
}

function ownArms(paper: Paper, grid: TableGrid, { methods, protocol, table }: PlanRequest): readonly Arm[] {
  if (methods !== null) return grid.arms.filter(({ id }) => methods.includes(id));
  if (protocol.name !== "smoke" || table !== null) return grid.arms;
  return grid.arms.filter(({ id }) => ["fp", "lsq", paper.id].includes(id));
}

/** A table keeps those of its own bits that the protocol has; a table with none of them takes its first. */
function bitsOf(grid: TableGrid, { bits, protocol }: PlanRequest): readonly Bits[] {
  if (bits !== null) return bits;
  if (protocol.bits === null) return grid.bits;
  const wanted = protocol.bits.map(formatBits);
  const own = grid.bits.filter((item) => wanted.includes(formatBits(item)));
  return own.length > 0 ? own : grid.bits.slice(0, 1);
}

function tableRuns(paper: Paper, grid: TableGrid, request: PlanRequest): PlacedSpec[] {
  const { protocol, engine } = request;
  const specs = gridSpecs({
    ...grid,
    models: request.models ?? protocol.models ?? grid.models,
    arms: armsOf(paper, grid, request),
    bits: bitsOf(grid, request),
    seeds: request.seeds ?? protocol.seeds,
    protocol,
    engine,
  });
  return specs.map((item) => ({ ...item, paper, grid }));
}
