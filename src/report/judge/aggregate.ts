import { isDeepStrictEqual } from "node:util";
import { InputError } from "../../errors.ts";
import { canonicalJson, IMPORTED } from "../../record/spec.ts";
import { type CellKey, type Finished, isFinished, type Result, type Subject } from "../read/result.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import { protocolTitle } from "../../catalog/protocol.ts";

/** The runs of one cell: same spec but for seed and start. */
export interface Cell extends CellKey {
  /** By seed. */
  readonly done: readonly Finished[];
  /** Failed, diverged or timed out; never averaged. By seed. */
  readonly notDone: readonly Result[];
  /** Recipe, data, engine and model: only cells of equal ground are compared. */
  readonly ground: string;
}

/** All cells, and what was left out of them. */
export interface Aggregate {
  readonly cells: readonly Cell[];
  /** The same cells by `keyText`. */
  readonly byKey: ReadonlyMap<string, Cell>;
  /** Runs evaluated on held-out training images: they choose hyper-parameters and fill no table. */
  readonly heldOut: readonly Result[];
  /** Runs of an older recipe version, or of an older revision of their quantizer. */
  readonly outdated: readonly Result[];
}

const KEYS = ["protocol", "dataset", "model", "arm", "weightBits", "activationBits"] as const;

/** Equal text for equal cells. */
export function keyText(key: CellKey): string {
  return KEYS.map((name) => String(key[name])).join(" ");
}

/**
 * Groups results into cells. Only the newest recipe versions and quantizers are kept (`newestOnly`).
 *
 * @throws {InputError} If a cell holds specs that differ in more than seed and teacher (so also two engines), runs on other
 *   data of the same name, a seed twice, or one run under two seeds.
 */
export function aggregate(results: readonly Result[]): Aggregate {
  const onTest = results.filter(({ evaluateOn }) => evaluateOn === "test");
  const isNewest = newestOnly(onTest);
  const cells = cellsOf(onTest.filter(isNewest));
  return {
    cells,
    byKey: new Map(cells.map((cell) => [keyText(cell), cell])),
    heldOut: results.filter(({ evaluateOn }) => evaluateOn === "heldOut"),
    outdated: onTest.filter((result) => !isNewest(result)),
  };
}

/**
 * Finds what is shown: of each protocol the newest recipe version alone, and in it of each quantizer the newest revision.
 * Older runs are kept and counted, and never averaged with runs of the present code. Runs of other tools have no version.
 *
 * @param subjects All that there is, trials on held-out images apart.
 */
export function newestOnly(subjects: readonly Subject[]): (subject: Subject) => boolean {
  const recipes = new Map<string, number>(), revisions = new Map<string, number>();
  const raise = (map: Map<string, number>, key: string, value: number) =>
    map.set(key, Math.max(map.get(key) ?? 0, value));
  const quantizerKey = ({ cell, version }: Subject) => `${cell.protocol} ${version?.quantizer ?? ""}`;
  const isNewest = ({ cell, version }: Subject) => version === null || version.recipe === recipes.get(cell.protocol);
  for (const { cell, version } of subjects) if (version) raise(recipes, cell.protocol, version.recipe);
  for (const subject of subjects.filter(isNewest)) {
    raise(revisions, quantizerKey(subject), subject.version?.revision ?? 1);
  }
  return (subject) =>
    isNewest(subject) && (subject.version?.revision ?? 1) === (revisions.get(quantizerKey(subject)) ?? 1);
}

function cellsOf(results: readonly Result[]): Cell[] {
  // a network imported on two engines is two, each the start of its own runs
  const place = ({ cell, ground }: Result) => keyText(cell) + (cell.protocol === IMPORTED ? ` ${ground}` : "");
  return [...Map.groupBy(results, place).values()].map((members) => {
    const runs = members.sort((a, b) => a.seed - b.seed), { cell, ground } = runs[0]!;
    requireSameTerms(runs);
    requireSameData(runs);
    requireDistinctSeeds(runs);
    requireOwnTraining(runs);
    return { ...cell, done: runs.filter(isFinished), notDone: runs.filter((run) => !isFinished(run)), ground };
  });
}

/** A refusal in words: `Cannot average the runs of lsq on resnet20, cifar10, W2A2, protocol reduced as ...`. */
function refusal({ cell }: Result, reason: string): InputError {
  const bits = cell.weightBits === null ? "full precision" : bitsTitle(cell);
  return new InputError(
    `Cannot average the runs of ${cell.arm} on ${cell.model}, ${cell.dataset}, ${bits}, protocol ${
      protocolTitle(cell.protocol)
    } as ` +
      `${reason}, so take one of them away`,
  );
}

function requireSameTerms(runs: readonly Result[]): void {
  const first = runs[0]!;
  for (const run of runs) {
    if (isDeepStrictEqual(first.terms, run.terms)) continue;
    const difference = firstDifference(first.terms, run.terms, "");
    if (difference === null) continue;
    const { path, left, right } = difference;
    throw refusal(
      first,
      `their specs must agree but for seed and teacher: ${path} is ${left} in run ${first.id} and ${right} in run ${run.id}`,
    );
  }
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

function requireSameData(runs: readonly Result[]): void {
  const first = runs.find(({ data }) => data !== null);
  const other = runs.find(({ data }) => data !== null && data !== first!.data);
  if (first === undefined || other === undefined) return;
  throw refusal(
    first,
    `their data must be the same bytes: SHA-256 is ${first.data} in run ${first.id} and ${other.data} in run ${other.id}`,
  );
}

function requireDistinctSeeds(runs: readonly Result[]): void {
  runs.forEach((run, index) => {
    const before = runs[index - 1];
    if (before?.seed !== run.seed) return;
    const place = ({ id, startedAt }: Result) => startedAt === null ? id : `${id} (started ${startedAt})`;
    throw refusal(run, `each seed must count once: seed ${run.seed} is in runs ${place(before)} and ${place(run)}`);
  });
}

/** One run copied as another seed's would narrow every interval: two trainings never end with the same bytes. */
function requireOwnTraining(runs: readonly Result[]): void {
  const done = runs.filter(isFinished);
  for (const field of ["network", "curve"] as const) {
    for (const [text, copies] of Map.groupBy(done, (run) => JSON.stringify(run[field]))) {
      const [first, second] = copies;
      if (text === "null" || second === undefined) continue;
      throw refusal(
        first!,
        `each must be a training of its own: seeds ${first!.seed} and ${second.seed} have the same ${field} in runs ` +
          `${first!.id} and ${second.id}`,
      );
    }
  }
}
