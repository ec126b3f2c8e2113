import type { EngineName, Precision } from "../engine/types.ts";
import { revisionField } from "../catalog/revisions.ts";
import { runId, type RunSpec } from "../record/spec.ts";
import type { Bits } from "../catalog/bits.ts";
import type { Arm, Table } from "../catalog/paper.ts";
import { type Protocol, startedProtocol } from "../catalog/protocol.ts";

/** Bits of the first and the last layer: the rule of QDrop, which FPQ follows; we take it for the others too. */
export const FIRST_LAST_BITS = 8;

/** A table with every choice made: each arm on each model, with each seed, at each pair of bits. */
export interface Grid extends Pick<Table, "dataset" | "models" | "bits" | "arms" | "changes"> {
  readonly seeds: readonly number[];
  readonly protocol: Protocol;
  readonly engine: EngineName;
  /** @default float32 */
  readonly precision?: Precision;
  /** Imported networks, and the full-precision arm whose place they take. Left out: none. */
  readonly taken?: {
    readonly arm: string | null;
    readonly network: (place: { readonly model: string; readonly dataset: string }) => RunSpec | null;
  };
}

/** A run of a grid. */
export interface GridSpec {
  readonly spec: RunSpec;
  /** False for a teacher that is there for its students alone. */
  readonly isCell: boolean;
}

/** Makes the specs of a grid, seed by seed. A teacher stands before each of its students, so it may be there twice. */
export function gridSpecs(grid: Grid): GridSpec[] {
  const specs: GridSpec[] = [];
  for (const seed of grid.seeds) {
    for (const model of grid.models) {
      const own = { grid, model, seed }, network = grid.taken?.network({ model, dataset: grid.dataset }) ?? null;
      for (const arm of grid.arms) {
        const taken = arm.start?.id === grid.taken?.arm ? network : null;
        if (arm.needsImport && taken === null) continue;
        if (arm.id === grid.taken?.arm && network !== null) {
          specs.push({ spec: network, isCell: true });
          continue;
        }
        const name = taken && startedProtocol(grid.protocol.name, runId(taken));
        const place = name === null ? own : { ...own, grid: { ...grid, protocol: { ...grid.protocol, name } } };
        const teacher = taken ?? (arm.start && fullPrecisionSpec(arm.start, place));
        if (teacher !== null) specs.push({ spec: teacher, isCell: false });
        const start = teacher && runId(teacher);
        if (arm.quantizer === null) {
          specs.push({ spec: start ? trainedOnSpec(arm, place, start) : fullPrecisionSpec(arm, place), isCell: true });
          continue;
        }
        for (const bits of grid.bits) {
          specs.push({ spec: quantizedSpec(arm, { ...place, bits, teacher: start }), isCell: true });
        }
      }
    }
  }
  return specs;
}

interface Place {
  readonly grid: Grid;
  readonly model: string;
  readonly seed: number;
}

function fullPrecisionSpec(arm: Arm, { grid, model, seed }: Place): RunSpec {
  const { protocol, engine, changes = {} } = grid, { labelledFraction } = arm;
  return {
    schema: 1,
    protocol: protocol.name,
    arm: arm.id,
    method: arm.method,
    model,
    dataset: {
      name: grid.dataset,
      ...protocol.dataset,
      ...changes.dataset,
      ...(labelledFraction === undefined ? {} : { labelledFraction }),
    },
    quantization: null,
    recipe: { ...protocol.fullPrecision, ...changes.recipe, ...arm.recipe },
    seed,
    engine,
    ...(grid.precision && grid.precision !== "float32" ? { precision: grid.precision } : {}),
    teacher: null,
  };
}

/** Makes the spec of full precision that continues from full precision by the quantized arms' recipe. */
function trainedOnSpec(arm: Arm, place: Place, teacher: string): RunSpec {
  return { ...fullPrecisionSpec(arm, place), recipe: quantizedRecipe(arm, place), teacher };
}

function quantizedRecipe({ recipe }: Arm, { grid: { protocol, changes = {} } }: Place): RunSpec["recipe"] {
  return { ...protocol.quantized, ...changes.recipe, ...recipe };
}

function quantizedSpec(arm: Arm, place: Place & { readonly bits: Bits; readonly teacher: string | null }): RunSpec {
  const { protocol } = place.grid;
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
    recipe: quantizedRecipe(arm, place),
    teacher: place.teacher,
  };
}

/** Gives an arm's method the value that the protocol chose for it. */
function methodOf({ method, tuned }: Arm, { chosen }: Protocol): Arm["method"] {
  if (tuned === undefined || chosen === undefined) return method;
  return { ...method, options: { ...method.options, [tuned]: chosen[tuned] } };
}
