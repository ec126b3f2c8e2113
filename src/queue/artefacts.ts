/** Transfer of runs from one machine to another. */
import { readBytesIfThere, writeFileAtomic } from "../store/files.ts";
import { runFile } from "../store/store.ts";
import { type Bucket, openBucket } from "./bucket.ts";
import type { BucketAddress } from "./store_url.ts";

/** Files of a run for other machines, in the order in which they are stored: the record is last, as it ends the run. */
const LEFT_FILES = ["spec.json", "log.txt", "events.jsonl", "checkpoint.safetensors", "record.json"] as const;
export type LeftFile = typeof LEFT_FILES[number];

/** Files of a teacher that its student needs. */
export const TEACHER_FILES: readonly LeftFile[] = ["checkpoint.safetensors", "record.json"];
export const RECORD: readonly LeftFile[] = ["record.json"];

/** Number of files fetched at once. */
const AT_ONCE = 8;

/**
 * Store that moves runs between machines. A shared folder needs none; with a bucket, each machine's folder is a copy of
 * what it needs.
 *
 * All throw an InputError if the bucket cannot be reached or used.
 */
export interface Artefacts {
  /** Copies files of runs into the folder, where there are some. */
  pull(ids: readonly string[], names?: readonly LeftFile[]): Promise<void>;
  /** Stores what has changed of a run. */
  push(id: string): Promise<void>;
  /** Deletes a run's record, as the run is tried again. */
  forgetRecord(id: string): Promise<void>;
}

/** Store of a shared folder: there is nothing to do. */
export const SHARED_FOLDER: Artefacts = {
  pull: () => Promise.resolve(),
  push: () => Promise.resolve(),
  forgetRecord: () => Promise.resolve(),
};

/**
 * Opens the store of a grid.
 * @param store Null: the folder is shared.
 * @throws {InputError} If the bucket cannot be used.
 */
export async function openArtefacts(out: string, store: BucketAddress | null): Promise<Artefacts> {
  if (store === null) return SHARED_FOLDER;
  const bucket = openBucket(store);
  await bucket.check();
  return bucketArtefacts(out, bucket);
}

/** Makes a store of a bucket, under `runs/<id>/` of its prefix. */
export function bucketArtefacts(out: string, bucket: Bucket): Artefacts {
  /** Stamps of what is stored already, by key: files are replaced as wholes, so size and time tell a new one. */
  const stored = new Map<string, string>();
  function keyOf(id: string, name: string): string {
    return `runs/${id}/${name}`;
  }

  async function pullOne(id: string, name: LeftFile): Promise<void> {
    const bytes = await bucket.get(keyOf(id, name));
    if (bytes === null) return;
    const path = runFile(out, id, name);
    writeFileAtomic(path, [bytes]);
    stored.set(keyOf(id, name), stampOf(path)!);
  }

  async function pull(ids: readonly string[], names: readonly LeftFile[] = LEFT_FILES): Promise<void> {
    const wanted = ids.flatMap((id) => names.map((name) => ({ id, name })));
    for (let i = 0; i < wanted.length; i += AT_ONCE) {
      await Promise.all(wanted.slice(i, i + AT_ONCE).map(({ id, name }) => pullOne(id, name)));
    }
  }

  async function push(id: string): Promise<void> {
    // A record that is written meanwhile waits for the next call: its checkpoint is newer than what is sent here.
    const over = stampOf(runFile(out, id, "record.json")) !== null;
    for (const name of over ? LEFT_FILES : LEFT_FILES.filter((name) => name !== "record.json")) {
      const path = runFile(out, id, name);
      const stamp = stampOf(path);
      if (stamp === null || stored.get(keyOf(id, name)) === stamp) continue;
      const bytes = readBytesIfThere(path);
      if (bytes === null) continue;
      await bucket.put(keyOf(id, name), bytes);
      stored.set(keyOf(id, name), stamp);
    }
  }

  async function forgetRecord(id: string): Promise<void> {
    await bucket.remove(keyOf(id, "record.json"));
    stored.delete(keyOf(id, "record.json"));
  }
  return { pull, push, forgetRecord };
}

/** Makes a stamp that changes whenever a file does; null: there is none. */
function stampOf(path: string): string | null {
  try {
    const { size, mtime, ino } = Deno.statSync(path);
    return `${size} ${mtime?.getTime()} ${ino}`;
  } catch {
    return null;
  }
}
