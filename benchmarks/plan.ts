import type { EngineName } from "../src/engine/types.ts";
import { InputError } from "../src/errors.ts";
import { orderRuns, type PlannedRun } from "../src/runs/plan.ts";
import { runId, type RunSpec } from "../src/runs/spec.ts";
import { FP } from "./arms.ts";
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
  const tables = request.papers.flatMap((paper) => tablesOf(paper, request).map((grid) => ({ paper, grid })));
  checkKnown("method", request.methods, tables.flatMap(({ grid }) => grid.arms.map(({ id }) => id)));
  checkKnown("model", request.models, knownModels());
  return orderRuns(tables.flatMap(({ paper, grid }) => tableRuns(paper, grid, request)));
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
  if (table === null) return protocol.name === "smoke" ? paper.grids.slice(0, 1) : paper.grids;
  const found = paper.grids.filter(({ id }) => id === table);
  if (found.length === 0) throw unknownValue(`table of paper ${paper.id}`, table, paper.grids.map(({ id }) => id));
  return found;
}

function armsOf(paper: Paper, grid: TableGrid, { methods, protocol, table }: PlanRequest): readonly Arm[] {
  if (methods !== null) return grid.arms.filter(({ id }) => methods.includes(id));
  if (protocol.name !== "smoke" || table !== null) return grid.arms;
  return grid.arms.filter(({ id }) => ["fp", "lsq", paper.id].includes(id));
}

/** A table keeps those of its own bits that the protocol has; a table with none of them takes the protocol's. */
function bitsOf(grid: TableGrid, { bits, protocol }: PlanRequest): readonly Bits[] {
  if (bits !== null) return bits;
  if (protocol.bits === null) return grid.bits;
  const wanted = protocol.bits.map(formatBits);
  const own = grid.bits.filter((item) => wanted.includes(formatBits(item)));
  return own.length > 0 ? own : protocol.bits;
}

function tableRuns(paper: Paper, grid: TableGrid, request: PlanRequest): RunSpec[] {
  const specs: RunSpec[] = [];
  for (const seed of request.seeds ?? request.protocol.seeds) {
    for (const model of request.models ?? request.protocol.models ?? grid.models) {
      const place = { grid, model, seed, request };
      for (const arm of armsOf(paper, grid, request)) {
        if (arm.quantizer === null) {
          specs.push(fullPrecisionSpec(arm, place));
          continue;
        }
        const teacher = fullPrecisionSpec(FP, place);
        if (arm.fromTeacher) specs.push(teacher);
        for (const bits of bitsOf(grid, request)) {
          specs.push(quantizedSpec(arm, { ...place, bits, teacher: arm.fromTeacher ? runId(teacher) : null }));
        }
      }
    }
  }
  return specs;
}

interface Place {
  readonly grid: TableGrid;
  readonly model: string;
  readonly seed: number;
  readonly request: PlanRequest;
}

function fullPrecisionSpec(arm: Arm, { grid, model, seed, request }: Place): RunSpec {
  const { protocol, engine } = request;
  return {
    schema: 1,
    protocol: protocol.name,
    arm: arm.id,
    method: arm.method,
    model,
    dataset: { name: grid.dataset, ...protocol.dataset },
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
    ...fullPrecisionSpec(arm, place),
    quantization: {
      quantizer: arm.quantizer!,
      weightBits: place.bits.weights,
      activationBits: place.bits.activations,
      firstLastBits: FIRST_LAST_BITS,
      calibrationExamples: protocol.calibrationExamples,
    },
    recipe: protocol.quantized,
    teacher: place.teacher,
  };
}
