import { isDeepStrictEqual } from "node:util";
import * as aq from "arquero";
import { InputError } from "../../errors.ts";
import type { RunRecord } from "../../record/record.ts";
import { canonicalJson, type ProtocolName, type RunSpec } from "../../record/spec.ts";
import { newestOnly } from "./newest.ts";

/** A row of a table, whatever its protocol. Null bits: full precision. */
export interface RowKey {
  readonly dataset: string;
  readonly model: string;
  readonly arm: string;
  readonly weightBits: number | null;
  readonly activationBits: number | null;
}

/** What makes runs belong together: everything but the seeds. */
export interface CellKey extends RowKey {
  readonly protocol: ProtocolName;
}

/** The runs of one cell: same spec but for seed and teacher. */
export interface Cell extends CellKey {
  /** By seed. */
  readonly done: readonly RunRecord[];
  /** Failed, diverged or timed out; never averaged. By seed. */
  readonly notDone: readonly RunRecord[];
  /** Recipe, data, engine and model: only cells of equal ground are compared. */
  readonly ground: string;
}

/** All cells, and what was left out of them. */
export interface Aggregate {
  readonly cells: readonly Cell[];
  /** The same cells by `keyText`. */
  readonly byKey: ReadonlyMap<string, Cell>;
  /** Runs evaluated on held-out training images: they choose hyper-parameters and fill no table. */
  readonly heldOut: readonly RunRecord[];
  /** Runs of an older recipe version, or of an older revision of their quantizer. */
  readonly outdated: readonly RunRecord[];
}

const KEYS = ["protocol", "dataset", "model", "arm", "weightBits", "activationBits"] as const;

/** The cell that a run belongs to. */
export function cellKey({ protocol, dataset, model, arm, quantization }: RunSpec): CellKey {
  return {
    protocol,
    dataset: dataset.name,
    model,
    arm,
    weightBits: quantization?.weightBits ?? null,
    activationBits: quantization?.activationBits ?? null,
  };
}

/** Equal text for equal cells. */
export function keyText(key: CellKey): string {
  return KEYS.map((name) => String(key[name])).join(" ");
}

/**
 * Groups records into cells.
 *
 * Two equal copies of a record count once (papers share their FP and LSQ runs, so files overlap). Only the newest recipe
 * versions and quantizers are kept (`newestOnly`).
 *
 * @throws {InputError} If a cell holds specs that differ in more than seed and teacher (so also two engines), runs on other
 *   data of the same name, or a seed twice.
 */
export function aggregate(records: readonly RunRecord[]): Aggregate {
  const unique = withoutCopies(records);
  const onTest = unique.filter(({ spec }) => spec.dataset.evaluateOn === "test");
  const isNewest = newestOnly(onTest.map(({ spec }) => spec));
  const isShown = ({ spec }: RunRecord) => isNewest(spec);
  const cells = cellsOf(onTest.filter(isShown));
  return {
    cells,
    byKey: new Map(cells.map((cell) => [keyText(cell), cell])),
    heldOut: unique.filter(({ spec }) => spec.dataset.evaluateOn === "heldOut"),
    outdated: onTest.filter((record) => !isShown(record)),
  };
}

/** Only records of one id can be equal, and few ids are there twice. */
function withoutCopies(records: readonly RunRecord[]): RunRecord[] {
  const byId = new Map<string, RunRecord[]>();
  for (const record of records) {
    const others = byId.get(record.id);
    if (others === undefined) byId.set(record.id, [record]);
    else if (!others.some((other) => canonicalJson(other) === canonicalJson(record))) others.push(record);
  }
  return [...byId.values()].flat();
}

function cellsOf(records: readonly RunRecord[]): Cell[] {
  if (records.length === 0) return [];
  const groups = aq.from(records.map(({ spec }, index) => ({ ...cellKey(spec), index })))
    .groupby([...KEYS])
    .rollup({ indices: aq.op.array_agg("index") })
    .objects() as (CellKey & { indices: number[] })[];
  return groups.map(({ indices, ...key }) => {
    const runs = indices.map((index) => records[index]!).sort((a, b) => a.spec.seed - b.spec.seed);
    requireOneSpec(runs);
    requireSameData(runs);
    requireDistinctSeeds(runs);
    return {
      ...key,
      done: runs.filter(({ status }) => status === "done"),
      notDone: runs.filter(({ status }) => status !== "done"),
      ground: groundOf(runs[0]!.spec),
    };
  });
}

function groundOf({ recipe, dataset, engine, model }: RunSpec): string {
  return canonicalJson({ recipe, dataset, engine, model });
}

/** In words: `lsq on resnet20, cifar10, W2A2, protocol reduced`. */
function cellWords({ spec }: RunRecord): string {
  const { arm, model, dataset, weightBits, activationBits, protocol } = cellKey(spec);
  const bits = weightBits === null ? "full precision" : `W${weightBits}A${activationBits}`;
  return `${arm} on ${model}, ${dataset}, ${bits}, protocol ${protocol}`;
}

function requireOneSpec(runs: readonly RunRecord[]): void {
  const first = runs[0]!;
  const shared = ({ spec }: RunRecord) => ({ ...spec, seed: 0, teacher: null });
  const own = shared(first);
  for (const run of runs) {
    if (isDeepStrictEqual(own, shared(run))) continue;
    const difference = firstDifference(own, shared(run), "");
    if (difference === null) continue;
    const { path, left, right } = difference;
    throw new InputError(
      `Cannot average the runs of ${cellWords(first)} as their specs must agree but for seed and teacher: ${path} is ` +
        `${left} in run ${first.id} and ${right} in run ${run.id}, so take one of them away`,
    );
  }
}

function requireSameData(runs: readonly RunRecord[]): void {
  const first = runs.find(({ dataSha256 }) => dataSha256 !== null);
  const other = runs.find(({ dataSha256 }) => dataSha256 !== null && dataSha256 !== first?.dataSha256);
  if (first === undefined || other === undefined) return;
  throw new InputError(
    `Cannot average the runs of ${cellWords(first)} as their data must be the same bytes: SHA-256 is ` +
      `${first.dataSha256} in run ${first.id} and ${other.dataSha256} in run ${other.id}, so take one of them away`,
  );
}

function firstDifference(a: unknown, b: unknown, path: string): { path: string; left: string; right: string } | null {
  if (canonicalJson(a) === canonicalJson(b)) return null;
  if (typeof a === "object" && a !== null && typeof b === "object" && b !== null) {
    const left = a as Record<string, unknown>, right = b as Record<string, unknown>;
    for (const key of Object.keys({ ...left, ...right }).sort()) {
      const found = firstDifference(left[key], right[key], path === "" ? key : `${path}.${key}`);
      if (found) return found;
    }
  }
  return { path, left: JSON.stringify(a) ?? "missing", right: JSON.stringify(b) ?? "missing" };
}

function requireDistinctSeeds(runs: readonly RunRecord[]): void {
  runs.forEach((run, index) => {
    const before = runs[index - 1];
    if (before?.spec.seed !== run.spec.seed) return;
    throw new InputError(
      `Cannot average the runs of ${cellWords(run)} as each seed must count once: seed ${run.spec.seed} is in runs ` +
        `${before.id} (started ${before.startedAt}) and ${run.id} (started ${run.startedAt}), so take one of them away`,
    );
  });
}
