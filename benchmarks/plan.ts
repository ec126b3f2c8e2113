import type { EngineName } from "../src/engine/types.ts";
import { InputError } from "../src/errors.ts";
import { revisionField } from "../src/runs/revisions.ts";
import { orderRuns, type PlannedRun } from "../src/runs/plan.ts";
import { canonicalJson, runId, type RunSpec } from "../src/runs/spec.ts";
import { FP, onQuantizer } from "./arms.ts";
import { PAPERS } from "./mod.ts";
import { PROTOCOL_DEFINITIONS } from "./protocols.ts";
import type { Arm, Bits, Paper, Protocol, TableGrid } from "./types.ts";

/** The paper rule of QDrop that FPQ follows and the others take over: first and last layer in 8 bit. */
const FIRST_LAST_BITS = 8;

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
interface PlacedSpec {
  readonly paper: Paper;
  readonly grid: TableGrid;
  readonly spec: RunSpec;
  /** Whether it fills a cell: a teacher may be there for its students alone. */
  readonly isCell: boolean;
}

function placedSpecs(request: PlanRequest): PlacedSpec[] {
  const tables = request.papers.flatMap((paper) => tablesOf(paper, request).map((grid) => ({ paper, grid })));
  checkKnown("method", request.methods, tables.flatMap(({ grid }) => grid.arms.map(({ id }) => id)));
  checkKnown("model", request.models, knownModels());
  return tables.flatMap(({ paper, grid }) => tableRuns(paper, grid, request));
}

/** Every model that a protocol or a table names: the list of `src/nn` would load tensor code. */
export function knownModels(): string[] {
  const ofProtocols = Object.values(PROTOCOL_DEFINITIONS).flatMap(({ models }) => models ?? []);
  return [...new Set([...ofProtocols, ...PAPERS.flatMap(({ grids }) => grids.flatMap(({ models }) => models))])];
}

function checkKnown(kind: string, values: readonly string[] | null, known: readonly string[]): void {
  for (const value of values ?? []) {
    if (!known.includes(value)) throw unknownValue(kind, value, [...new Set(known)]);
  }
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
  const placed: PlacedSpec[] = [];
  const add = (spec: RunSpec, isCell = true) => placed.push({ paper, grid, spec, isCell });
  for (const seed of request.seeds ?? request.protocol.seeds) {
    for (const model of request.models ?? request.protocol.models ?? grid.models) {
      const place = { grid, model, seed, request };
      for (const arm of armsOf(paper, grid, request)) {
        if (arm.quantizer === null) {
          add(fullPrecisionSpec(arm, place));
          continue;
        }
        const teacher = fullPrecisionSpec(arm.start ?? FP, place);
        if (arm.fromTeacher) add(teacher, false);
        for (const bits of bitsOf(grid, request)) {
          add(quantizedSpec(arm, { ...place, bits, teacher: arm.fromTeacher ? runId(teacher) : null }));
        }
      }
    }
  }
  return placed;
}

interface Place {
  readonly grid: TableGrid;
  readonly model: string;
  readonly seed: number;
  readonly request: PlanRequest;
}

function fullPrecisionSpec(arm: Arm, { grid, model, seed, request }: Place): RunSpec {
  const { protocol, engine } = request, { labelledFraction } = arm;
  return {
    schema: 1,
    protocol: protocol.name,
    arm: arm.id,
    method: arm.method,
    model,
    dataset: {
      name: grid.dataset,
      ...protocol.dataset,
      ...(labelledFraction === undefined ? {} : { labelledFraction }),
    },
    quantization: null,
    recipe: protocol.fullPrecision,
    seed,
    engine,
    teacher: null,
  };
}

function quantizedSpec(arm: Arm, place: Place & { readonly bits: Bits; readonly teacher: string | null }): RunSpec {
  const { protocol } = place.request;
  return {
    ...fullPrecisionSpec({ ...arm, method: methodOf(arm, protocol) }, place),
    quantization: {
      quantizer: arm.quantizer!,
      ...revisionField(arm.quantizer!),
      weightBits: place.bits.weights,
      activationBits: place.bits.activations,
      firstLastBits: FIRST_LAST_BITS,
      calibrationExamples: protocol.calibrationExamples,
    },
    recipe: protocol.quantized,
    teacher: place.teacher,
  };
}

/** The arm's method, with what the protocol has chosen for it. */
function methodOf({ method, tuned }: Arm, { chosen }: Protocol): Arm["method"] {
  if (tuned === undefined || chosen === undefined) return method;
  return { ...method, options: { ...method.options, [tuned]: chosen[tuned] } };
}
