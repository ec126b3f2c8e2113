/** Which run each run is compared with. */
import { IMPORTED } from "../../record/spec.ts";
import type { Finished, Result } from "../read/result.ts";
import { type Cell, keyText } from "./aggregate.ts";
import { difference } from "./statistics/basics.ts";
import { type PairedDifference, pairedDifference } from "./statistics/paired.ts";

/** Finds the run that another is compared with. */
export type Partner = (run: Finished) => Finished | undefined;

/**
 * Pairs the runs of a cell with those of another arm by seed: same recipe, data, engine and model, and the same start, which
 * must be of that seed. Runs without a like partner have none.
 */
export function likeRuns(
  cell: Cell,
  { arm, byKey }: { readonly arm: string; readonly byKey: ReadonlyMap<string, Cell> },
): Partner {
  const other = byKey.get(keyText({ ...cell, arm }));
  const bySeed = new Map(other?.ground === cell.ground ? other.done.map((run) => [run.seed, run]) : []);
  return (run) => {
    const partner = bySeed.get(run.seed);
    return partner && isOwnStart(run) && isOwnStart(partner) && haveSameStart(run, partner) &&
        haveSameData(run, partner)
      ? partner
      : undefined;
  };
}

/** Checks if the start is of the run's own seed. A start whose run is missing is believed only by its digest. */
function isOwnStart({ seed, start }: Result): boolean {
  return start === null || start.seed === seed || (start.seed === null && start.network !== null);
}

/** By the digests of both networks; where one is not known, by the ids of the runs. */
function haveSameStart({ start: a }: Result, { start: b }: Result): boolean {
  return a !== null && b !== null && a.network !== null && b.network !== null
    ? a.network === b.network
    : a?.id === b?.id;
}

/** A digest that is not known contradicts nothing. */
function haveSameData({ data: a }: Result, { data: b }: Result): boolean {
  return a === null || b === null || a === b;
}

/** Pairs runs with the full-precision runs that they started from; a lost or other training of that spec is none. */
export function teachers(cells: readonly Cell[]): Partner {
  const byId = new Map(
    cells.filter(({ weightBits }) => weightBits === null).flatMap(({ done }) => done.map((run) => [run.id, run])),
  );
  return (run) => {
    const teacher = run.start === null ? undefined : byId.get(run.start.id);
    return teacher && startedFrom(run, teacher) ? teacher : undefined;
  };
}

/**
 * Checks if a run started from this very training of its teacher, on the same data, for its own seed. An imported network
 * is the start of every seed.
 *
 * Compares the digests of the networks. Where one is missing, the teacher must have started first.
 */
export function startedFrom(student: Result, teacher: Result): boolean {
  const { start } = student;
  const isOfSeed = student.seed === teacher.seed || teacher.cell.protocol === IMPORTED;
  if (start?.id !== teacher.id || !isOfSeed || !haveSameData(student, teacher)) return false;
  if (start.network !== null && teacher.network !== null) return start.network === teacher.network;
  return student.startedAt === null || teacher.startedAt === null ||
    Date.parse(teacher.startedAt) <= Date.parse(student.startedAt);
}

/**
 * Takes a number of each run less its partner's, over the runs that have both; null: none has.
 * @param value Null: the run has no such number. Default: top-1 in percent.
 */
export function differenceTo(
  runs: readonly Finished[],
  partner: Partner,
  value: (run: Finished) => number | null = ({ top1 }) => top1,
): PairedDifference | null {
  const pairs = runs.flatMap((run) => {
    const other = partner(run);
    const own = value(run), others = other === undefined ? null : value(other);
    return own === null || others === null ? [] : [{ seed: run.seed, difference: difference(own, others) }];
  });
  return pairs.length > 0 ? pairedDifference(pairs) : null;
}
