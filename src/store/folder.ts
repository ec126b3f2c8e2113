import { join } from "node:path";
import { InputError, messageOf } from "../errors.ts";
import { readTextIfThere } from "./files.ts";
import { type Holder, holderOf } from "./locks.ts";
import type { RunRecord } from "../record/record.ts";
import { parseRunSpec, type RunSpec } from "../record/spec.ts";
import { isRunId, readEvents, readRecord, runFolder, specFile } from "./store.ts";

/** A file of a run. */
export interface RunFile {
  /** Its path in the run's folder. */
  readonly name: string;
  readonly bytes: number;
}

/** What a folder tells of a run, whatever state it is in. */
export interface RunState {
  readonly id: string;
  /** Null: its spec cannot be read. */
  readonly spec: RunSpec | null;
  readonly record: RunRecord | null;
  /** Why spec or record cannot be read; null: they can, or there is no record. */
  readonly problem: string | null;
  /** Who has it by its lock, alive or not. */
  readonly holder: Holder | null;
  /** Epochs that it has told. */
  readonly epochs: number;
  readonly files: readonly RunFile[];
}

/** Ids of the runs below `out`, in order; other names are passed over. */
export function runIds(out: string): string[] {
  return namesOf(join(out, "runs")).filter(isRunId).sort();
}

function namesOf(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return [];
    throw new InputError(`Cannot read ${folder} as ${messageOf(error)}: make it readable, or choose another folder`);
  }
}

/** What the folder of a run tells. */
export function readState(out: string, id: string): RunState {
  const spec = orProblem(() => readSpec(out, id));
  const record = orProblem(() => readRecord(out, id));
  return {
    id,
    spec: record.value?.spec ?? spec.value,
    record: record.value,
    problem: record.problem ?? (record.value === null ? spec.problem : null),
    holder: holderOf(out, id),
    epochs: readEvents(out, id).length,
    files: filesOf(runFolder(out, id)),
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
  const text = readTextIfThere(path);
  if (text === null) return null;
  try {
    return parseRunSpec(JSON.parse(text), path);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`Cannot read the run spec ${path} as it is no JSON: delete its folder and run it again`);
  }
}

/** All files below a folder: kept epochs and measurements lie in folders of their own. */
function filesOf(folder: string, below = ""): RunFile[] {
  return namesOf(join(folder, below)).sort().flatMap((own) => {
    const name = join(below, own);
    try {
      // links are neither: nothing outside the folder is a run's
      const { isFile, isDirectory, size } = Deno.lstatSync(join(folder, name));
      return isDirectory ? filesOf(folder, name) : isFile ? [{ name, bytes: size }] : [];
    } catch {
      // Gone in between.
      return [];
    }
  });
}

/** Size of a run's files, in MiB. */
export function sizeMiB({ files }: Pick<RunState, "files">): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0) / 2 ** 20;
}

/**
 * The run that an id or its first digits name.
 * @throws {InputError} If they name none or several.
 */
export function findRun(out: string, text: string): string {
  if (!/^[0-9a-f]{1,16}$/.test(text)) {
    throw new InputError(
      `Cannot use run "${text}" as it must be the first digits of an id: see \`deno task runs list\``,
    );
  }
  const found = runIds(out).filter((id) => id.startsWith(text));
  if (found.length === 1) return found[0]!;
  throw new InputError(
    found.length === 0
      ? `Cannot find run "${text}" in ${out} as no id begins so: see \`deno task runs list\`, or give --out`
      : `Cannot use run "${text}" as ${found.length} ids begin so: give more digits of ${found.join(", ")}`,
  );
}
