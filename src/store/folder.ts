import { join, resolve } from "node:path";
import { InputError } from "../errors.ts";
import type { RunRecord } from "../record/record.ts";
import { parseRunSpec, type RunSpec } from "../record/spec.ts";
import { folderExists, namesIn, readJsonIfThere } from "./files.ts";
import { type Holder, holderOf } from "./locks.ts";
import { readEvents, readRecord, runFolder, runIds, specFile } from "./store.ts";

/** A file of a run. */
export interface RunFile {
  /** Path in the run's folder. */
  readonly name: string;
  readonly bytes: number;
}

/** State of a run, as its folder shows it. */
export interface RunState {
  readonly id: string;
  /** Null: its spec cannot be read. */
  readonly spec: RunSpec | null;
  readonly record: RunRecord | null;
  /** Reason why spec, record or folder cannot be read; null: they can, or there is no record. */
  readonly problem: string | null;
  /** Scheduler that has it by its lock, alive or not. */
  readonly holder: Holder | null;
  /** Number of epochs reported. */
  readonly epochs: number;
  readonly files: readonly RunFile[];
}

/** Reads the state of a run. */
export function readState(out: string, id: string): RunState {
  const folder = orProblem(() => ({ holder: holderOf(out, id), epochs: readEvents(out, id).length }));
  const spec = orProblem(() => readSpec(out, id));
  const record = orProblem(() => readRecord(out, id));
  return {
    id,
    spec: record.value?.spec ?? spec.value,
    record: record.value,
    problem: folder.problem ?? record.problem ?? (record.value === null ? spec.problem : null),
    ...(folder.value ?? { holder: null, epochs: 0 }),
    files: orProblem(() => filesOf(runFolder(out, id))).value ?? [],
  };
}

function orProblem<Value>(read: () => Value | null): { value: Value | null; problem: string | null } {
  try {
    return { value: read(), problem: null };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { value: null, problem: error.message };
  }
}

function readSpec(out: string, id: string): RunSpec | null {
  const path = specFile(out, id);
  const fault = `Cannot read the run spec ${path} as it is no JSON: delete its folder and run it again`;
  const value = readJsonIfThere(path, fault);
  return value === null ? null : parseRunSpec(value, path);
}

/** Lists all files below a folder: kept epochs and measurements lie in folders of their own. */
function filesOf(folder: string, below = ""): RunFile[] {
  return namesIn(join(folder, below)).flatMap((own) => {
    const name = join(below, own);
    try {
      // A link is neither: nothing outside the folder belongs to a run.
      const { isFile, isDirectory, size } = Deno.lstatSync(join(folder, name));
      return isDirectory ? filesOf(folder, name) : isFile ? [{ name, bytes: size }] : [];
    } catch {
      // Gone in between.
      return [];
    }
  });
}

/** Adds up the size of a run's files, in MiB. */
export function sizeMiB({ files }: Pick<RunState, "files">): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0) / 2 ** 20;
}

/** Where runs are looked for by their ids. */
export interface RunIds {
  readonly ids: readonly string[];
  /** The place, for a message. */
  readonly place: string;
  /** A command that lists the runs. */
  readonly list: string;
}

/** The runs of an `--out` folder. */
export function runsOf(out: string): RunIds {
  return { ids: runIds(out), place: out, list: "deno task runs list --out DIR" };
}

/** Resolves a folder. @throws {InputError} If there is none: one that is misspelt must not pass for one without runs. */
export function existingFolder(path: string): string {
  const out = resolve(path);
  if (folderExists(out)) return out;
  throw new InputError(
    `Cannot look for runs in ${out} as there is no such folder: give the --out folder of a \`deno task bench\``,
  );
}

/**
 * Finds the run that an id or its first digits name, in capitals or not.
 * @throws {InputError} If they name none or several.
 */
export function findRun(text: string, { ids, place, list }: RunIds): string {
  const digits = text.toLowerCase();
  if (!/^[0-9a-f]{1,16}$/.test(digits)) {
    throw new InputError(`Cannot use run "${text}" as it must be the first digits of an id: see \`${list}\``);
  }
  const found = ids.filter((id) => id.startsWith(digits));
  if (found.length === 1) return found[0]!;
  throw new InputError(
    found.length === 0
      ? `Cannot find run "${text}" in ${place} as no id begins so: see \`${list}\``
      : `Cannot use run "${text}" as ${found.length} ids begin so: give more digits of ${found.slice(0, 5).join(", ")}`,
  );
}
