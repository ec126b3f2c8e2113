/** Finished networks that are kept in a folder laid out as an `--out` folder, to start from or to export. */
import { InputError } from "../errors.ts";
import type { RunRecord } from "../record/record.ts";
import type { RunSpec } from "../record/spec.ts";
import { fileExists } from "../store/files.ts";
import { checkpointFile, openRun, readableRecords, readRecord, runIds, writeRecord } from "../store/store.ts";
import { openLocks } from "../store/locks.ts";
import { takeWatched, type WatchOptions } from "../store/take_watched.ts";
import { type Checkpoint, evaluationTensors, writeCheckpoint } from "./checkpoint.ts";
import { openNetwork } from "./open_network.ts";

/** A run that is done, and its network. */
export interface Teacher {
  readonly record: RunRecord;
  readonly checkpoint: Checkpoint;
}

/** @returns Null: the run is not done. */
async function readTeacher(folder: string, id: string): Promise<Teacher | null> {
  const record = readRecord(folder, id);
  if (record === null || record.status !== "done") return null;
  const checkpoint = await openNetwork(checkpointFile(folder, id), {
    id,
    record,
    purpose: `Cannot start from run ${id}`,
    instead: "train that run again",
  });
  return { record, checkpoint };
}

/**
 * The teachers of a folder among the runs of a plan, by id.
 * @throws {InputError} If the folder has no run at all, or a record or network cannot be read or do not fit each other.
 */
export async function findTeachers(
  folder: string,
  runs: readonly { readonly id: string }[],
): Promise<Map<string, Teacher>> {
  const present = new Set(runIds(folder));
  if (present.size === 0) {
    throw new InputError(
      `Cannot take teachers from ${folder} as it holds no runs: name an --out folder, or one that ` +
        "`deno task runs networks` wrote",
    );
  }
  const found = new Map<string, Teacher>();
  for (const { id } of runs) {
    const teacher = present.has(id) ? await readTeacher(folder, id) : null;
    if (teacher !== null) found.set(id, teacher);
  }
  return found;
}

/**
 * The imported networks of a folder, by model and data set.
 * @returns A function that gives the spec of one; null: there is none of that model and data set.
 * @throws {InputError} From that function, if there are several.
 */
export function importedNetworks(
  folder: string,
): (place: { readonly model: string; readonly dataset: string }) => RunSpec | null {
  const imported = readableRecords(folder).filter(({ spec, status }) => spec.imported && status === "done");
  return ({ model, dataset }) => {
    const found = imported.filter(({ spec }) => spec.model === model && spec.dataset.name === dataset);
    if (found.length <= 1) return found[0]?.spec ?? null;
    throw new InputError(
      `Cannot start from the imported networks of ${folder} as ${found.length} are of ${model} on ${dataset}: keep one of ` +
        `the runs ${found.map(({ id }) => id).join(", ")}, each in a folder of its own`,
    );
  };
}

/**
 * Networks of all finished runs of a folder, and the ids of those whose checkpoint is gone.
 * @throws {InputError} If it has no network, or one cannot be read.
 */
export async function allNetworks(folder: string): Promise<{ networks: Teacher[]; gone: string[] }> {
  const networks: Teacher[] = [], gone: string[] = [];
  for (const id of runIds(folder)) {
    if (readRecord(folder, id)?.status !== "done") continue;
    const network = fileExists(checkpointFile(folder, id)) ? await readTeacher(folder, id) : null;
    if (network === null) gone.push(id);
    else networks.push(network);
  }
  if (networks.length === 0) {
    throw new InputError(
      `Cannot copy networks from ${folder} as it has no run that is done and has its checkpoint: name another --out`,
    );
  }
  return { networks, gone };
}

/**
 * Copies teachers into a folder; one that is there, or that a scheduler is at, is left as it is. Momentum is not copied.
 *
 * @returns Those that were copied.
 * @throws {InputError} If the system refuses.
 */
export async function placeTeachers(
  out: string,
  teachers: Iterable<Teacher>,
  options: WatchOptions = {},
): Promise<RunRecord[]> {
  const locks = openLocks(out, options), placed: RunRecord[] = [];
  const missing = [...teachers].filter(({ record }) => readRecord(out, record.id)?.status !== "done");
  try {
    const taken = await takeWatched(locks, missing.map(({ record }) => record.id), options);
    for (const { record, checkpoint } of missing.filter(({ record }) => taken.has(record.id))) {
      try {
        if (readRecord(out, record.id)?.status === "done") continue;
        openRun(out, record.spec);
        await writeCheckpoint(checkpointFile(out, record.id), {
          ...checkpoint,
          tensors: evaluationTensors(checkpoint.tensors),
        });
        writeRecord(out, record);
        placed.push(record);
      } finally {
        locks.release(record.id);
      }
    }
  } finally {
    locks.close();
  }
  return placed;
}

/** The records of teachers, by id; of null none. */
export function recordsOf(teachers: ReadonlyMap<string, Teacher> | null): Map<string, RunRecord> {
  return new Map([...teachers ?? []].map(([id, { record }]) => [id, record]));
}
