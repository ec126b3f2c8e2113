import { dirname, join, sep } from "node:path";
import { isFinal } from "../record/record.ts";
import { requireNoLinks, writeError } from "./files.ts";
import type { RunState } from "./folder.ts";
import { openLocks } from "./locks.ts";
import { takeWatched, type WatchOptions } from "./take_watched.ts";
import { runFile, runFolder } from "./store.ts";

/** Kinds of files that may be deleted. */
export const CLEANABLE = {
  failed: "whole folders of runs that failed or ran out of time",
  unfinished: "whole folders of runs without a record: their checkpoints are lost",
  checkpoints: "checkpoints of finished students, and kept epochs of all finished runs; teachers keep their last one",
  temporary: "half-written files, damaged checkpoints, and the second newest checkpoints of runs that are over",
} as const;
export type Cleanable = keyof typeof CLEANABLE;

/** Files of one run to delete; null: its whole folder. */
export interface Cleaning {
  readonly state: RunState;
  readonly names: readonly string[] | null;
  readonly bytes: number;
}

const NEWEST = "checkpoint.safetensors";
const PREVIOUS = "checkpoint.previous.safetensors";
/** Folder of the epochs that `bench --keep-epochs` kept. */
const KEPT = "checkpoints";

function isTemporary(name: string, over: boolean): boolean {
  return name.endsWith(".tmp") || name.startsWith("checkpoint.damaged") || (over && name === PREVIOUS);
}

function isCheckpoint(name: string, isTeacher: boolean): boolean {
  return dirname(name) === KEPT || (!isTeacher && (name === NEWEST || name === PREVIOUS));
}

/** Tells if only kept epochs and measurements are left: an older version of this command deleted the rest. */
function isLeftover({ files }: RunState): boolean {
  return files.every(({ name }) => dirname(name) !== ".");
}

/** Chooses what `kinds` delete of a run; null: nothing. Of a run that cannot be read nothing is deleted. */
export function cleaningOf(state: RunState, kinds: ReadonlySet<Cleanable>): Cleaning | null {
  const { record, problem, spec, files } = state;
  if (problem !== null || (spec === null && !isLeftover(state))) return null;
  const over = record !== null && isFinal(record);
  const whole = record === null ? kinds.has("unfinished") : !over && kinds.has("failed");
  const chosen = files.filter(({ name }) =>
    whole || (kinds.has("temporary") && isTemporary(name, over)) ||
    (kinds.has("checkpoints") && over && isCheckpoint(name, spec?.teacher === null))
  );
  if (chosen.length === 0) return null;
  const bytes = chosen.reduce((sum, file) => sum + file.bytes, 0);
  return { state, names: whole ? null : chosen.map(({ name }) => name), bytes };
}

/**
 * Deletes what was chosen, but of no run that a scheduler has.
 * @returns Ids of the runs that were left as they are.
 * @throws {InputError} If a run's folder holds a link, or the system refuses.
 */
export async function clean(
  out: string,
  cleanings: readonly Cleaning[],
  options: WatchOptions = {},
): Promise<string[]> {
  if (cleanings.length === 0) return [];
  const locks = openLocks(out, options);
  try {
    const taken = await takeWatched(locks, cleanings.map(({ state: { id } }) => id), options);
    return cleanings.flatMap(({ state: { id, files }, names }) => {
      if (!taken.has(id)) return [id];
      const folder = runFolder(out, id);
      requireNoLinks(folder);
      for (const name of names ?? files.map(({ name }) => name)) {
        if (!name.startsWith("lock.")) remove(runFile(out, id, ...name.split(sep)));
      }
      for (const { name, isDirectory } of Deno.readDirSync(folder)) if (isDirectory) removeEmpty(join(folder, name));
      locks.release(id);
      // Another scheduler may have begun the run by now: its folder is not empty then, and stays.
      if (names === null) removeEmpty(folder);
      return [];
    });
  } finally {
    locks.close();
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw writeError(error, path);
  }
}

function removeEmpty(folder: string): void {
  try {
    Deno.removeSync(folder);
  } catch {
    // It is not empty.
  }
}
