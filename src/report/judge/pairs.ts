/** Which run each run is compared with. */
import { type RunRecord, startedFrom } from "../../record/record.ts";
import { type Cell, keyText } from "./aggregate.ts";
import { top1Percent } from "../read/records.ts";
import { type PairedDifference, pairedDifference } from "./statistics/paired.ts";
import { difference } from "./statistics/basics.ts";

/** Finds the run that another is compared with. */
export type Partner = (run: RunRecord) => RunRecord | undefined;

/**
 * Runs of another arm with the same seed, for the runs of a cell of the same recipe, data, engine and model; else none.
 * Where both records name them, the bytes of the data and the network that both started from are the same too.
 */
export function likeRuns(
  cell: Cell,
  { arm, byKey }: { readonly arm: string; readonly byKey: ReadonlyMap<string, Cell> },
): Partner {
  const other = byKey.get(keyText({ ...cell, arm }));
  const bySeed = new Map(other?.ground === cell.ground ? other.done.map((run) => [run.spec.seed, run]) : []);
  return (run) => {
    const partner = bySeed.get(run.spec.seed);
    return partner && isAlike(run, partner) ? partner : undefined;
  };
}

function isAlike(a: RunRecord, b: RunRecord): boolean {
  return agree(a.dataSha256, b.dataSha256) && agree(a.teacherSha256, b.teacherSha256);
}

/** Digests that are not known (null, or in old records undefined) contradict nothing. */
function agree(a: string | null | undefined, b: string | null | undefined): boolean {
  return a == null || b == null || a === b;
}

/** The full-precision runs that others started from; none where what is left of it is another training of its spec. */
export function teachers(cells: readonly Cell[]): Partner {
  const byId = new Map(
    cells.filter(({ weightBits }) => weightBits === null).flatMap(({ done }) => done.map((run) => [run.id, run])),
  );
  return (run) => {
    const teacher = run.spec.teacher === null ? undefined : byId.get(run.spec.teacher);
    return teacher && startedFrom(run, teacher) ? teacher : undefined;
  };
}

/**
 * A number of each run less its partner's, over the runs that have both; null: none has.
 * @param value Null: the run has no such number. Default: top-1 in percent.
 */
export function differenceTo(
  runs: readonly RunRecord[],
  partner: Partner,
  value: (run: RunRecord) => number | null = top1Percent,
): PairedDifference | null {
  const pairs = runs.flatMap((run) => {
    const other = partner(run);
    const own = value(run), others = other === undefined ? null : value(other);
    if (own === null || others === null) return [];
    return [{ seed: run.spec.seed, difference: difference(own, others) }];
  });
  return pairs.length > 0 ? pairedDifference(pairs) : null;
}
