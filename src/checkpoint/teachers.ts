/**
 * Full-precision runs that are kept to start from: a folder laid out as an `--out` folder, each run with its record and its
 * network.
 *
 * They spare a grid the training of its teachers, which every arm shares; what started from one names it in its spec.
 */
import { InputError } from "../errors.ts";
import { makeFolder } from "../store/files.ts";
import { runIds } from "../store/folder.ts";
import { openLocks } from "../store/locks.ts";
import { describeRun, type PlannedRun } from "../plan/plan.ts";
import type { RunRecord } from "../record/record.ts";
import { checkpointFile, openRun, readRecord, runFolder, writeRecord } from "../store/store.ts";
import { type Checkpoint, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { mismatchOf } from "./mismatch.ts";
import { OF_NETWORK } from "./network_digest.ts";
import type { Position } from "../train/position.ts";

/** A full-precision run that is done, and its network. */
export interface Teacher {
  readonly record: RunRecord;
  readonly checkpoint: Checkpoint<Position>;
}

/**
 * The teacher of a folder by id.
 * @returns Null: the folder has no such run that is done.
 * @throws {InputError} If its record or its network cannot be read, or the network is not of that record.
 */
export async function readTeacher(folder: string, id: string): Promise<Teacher | null> {
  const record = readRecord(folder, id);
  if (record === null || record.status !== "done" || record.spec.teacher !== null) return null;
  const path = checkpointFile(folder, id), remedy = "restore that file, or train that run again";
  const checkpoint = await readCheckpoint<Position>(path, remedy);
  if (checkpoint === null) {
    throw new InputError(`Cannot start from run ${id} as its network ${path} is missing: ${remedy}`);
  }
  const why = mismatchOf(checkpoint, { id, record });
  if (why !== null) throw new InputError(`Cannot start from run ${id} as the network ${path} is ${why}: ${remedy}`);
  return { record, checkpoint };
}

/**
 * The teachers of a folder among the runs of a plan, by id.
 * @throws {InputError} If the folder has no run at all, or one cannot be read.
 */
export async function findTeachers(folder: string, runs: readonly PlannedRun[]): Promise<Map<string, Teacher>> {
  const present = new Set(runIds(folder));
  if (present.size === 0) {
    throw new InputError(
      `Cannot take teachers from ${folder} as it holds no runs: name an --out folder, or one that ` +
        "`deno task runs teachers` wrote",
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
 * All teachers of a folder.
 * @throws {InputError} If it has none, or one cannot be read.
 */
export async function allTeachers(folder: string): Promise<Teacher[]> {
  const found: Teacher[] = [];
  for (const id of runIds(folder)) {
    const teacher = await readTeacher(folder, id);
    if (teacher !== null) found.push(teacher);
  }
  if (found.length === 0) {
    throw new InputError(
      `Cannot copy teachers from ${folder} as it has no full-precision run that is done: give --out`,
    );
  }
  return found;
}

/**
 * Copies teachers into a folder; one that is there, or that a scheduler is at, is left as it is. Only the network is
 * written, without momentum and other memory: a third to a half of the size.
 *
 * @returns Those that were copied.
 * @throws {InputError} If the system refuses.
 */
export async function placeTeachers(out: string, teachers: Iterable<Teacher>): Promise<RunRecord[]> {
  const locks = openLocks(out), placed: RunRecord[] = [];
  try {
    for (const { record, checkpoint } of teachers) {
      makeFolder(runFolder(out, record.id));
      if (locks.take(record.id) !== "taken") continue;
      try {
        if (readRecord(out, record.id)?.status === "done") continue;
        openRun(out, record.spec);
        const tensors = Object.fromEntries(
          Object.entries(checkpoint.tensors).filter(([path]) => OF_NETWORK.test(path)),
        );
        await writeCheckpoint(checkpointFile(out, record.id), { ...checkpoint, tensors });
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

/** A teacher in a few words: `fp resnet20 seed 0, 88.43 %`. */
export function describeTeacher({ spec, metrics }: RunRecord): string {
  return `${describeRun(spec)}, ${metrics!["top1Percent"]!.toFixed(2)} %`;
}

/** The records of teachers, by id; of null none. */
export function recordsOf(teachers: ReadonlyMap<string, Teacher> | null): Map<string, RunRecord> {
  return new Map([...teachers ?? []].map(([id, { record }]) => [id, record]));
}
