import { join } from "node:path";
import { InputError, messageOf } from "../errors.ts";
import { appendLine, fileExists, makeFolder, readTextIfThere, removeIfThere, writeFileAtomic } from "./files.ts";
import { type Epoch, epochSchema, parseRunRecord, type RunRecord, runRecordSchema } from "../record/record.ts";
import { runId, type RunSpec } from "../record/spec.ts";

/**
 * The folder of a run: `<out>/runs/<id>/`.
 *
 * Files: spec.json, events.jsonl (a line an epoch), checkpoint.safetensors, log.txt, and record.json last: a run
 * is over exactly when its record is there.
 * @throws {InputError} If the id is none: no path from a spec is followed out of the folder.
 */
export function runFolder(out: string, id: string): string {
  if (!isRunId(id)) {
    throw new InputError(`Cannot use run id "${id}" as it must be 16 hex digits: take one of \`deno task runs list\``);
  }
  return join(out, "runs", id);
}

/** Whether a text can be a run's id, and so a folder's name: specs and records are data from outside. */
export function isRunId(text: string): boolean {
  return /^[0-9a-f]{16}$/.test(text);
}

/** The file that a student starts from and that a resumed run goes on from. */
export function checkpointFile(out: string, id: string): string {
  return join(runFolder(out, id), "checkpoint.safetensors");
}

/** What the run said: everything that its process wrote for people. */
export function logFile(out: string, id: string): string {
  return join(runFolder(out, id), "log.txt");
}

/** The spec as the run's process reads it. */
export function specFile(out: string, id: string): string {
  return join(runFolder(out, id), "spec.json");
}

function recordFile(out: string, id: string): string {
  return join(runFolder(out, id), "record.json");
}

function eventsFile(out: string, id: string): string {
  return join(runFolder(out, id), "events.jsonl");
}

/**
 * Checks that the output folder can be written, before anything is computed.
 * @throws {InputError} If it cannot be made or written.
 */
export function checkOut(out: string): void {
  makeFolder(join(out, "runs"));
  const probe = join(out, "runs", "probe");
  writeFileAtomic(probe, "");
  removeIfThere(probe);
}

/**
 * Makes the folder of a run that is about to start and takes away the record of an earlier failure; a checkpoint
 * stays, so that the run goes on from it.
 * @returns The folder.
 * @throws {InputError} If it cannot be written.
 */
export function openRun(out: string, spec: RunSpec): string {
  const id = runId(spec);
  const folder = runFolder(out, id);
  makeFolder(folder);
  removeIfThere(recordFile(out, id));
  writeFileAtomic(specFile(out, id), JSON.stringify(spec, null, 2) + "\n");
  return folder;
}

/** Writes the record of a run: with it the run is over. @throws {InputError} If the system refuses. */
export function writeRecord(out: string, record: RunRecord): void {
  writeFileAtomic(recordFile(out, record.id), JSON.stringify(runRecordSchema.parse(record), null, 2) + "\n");
}

/**
 * The record of a run; null: the run is not over.
 * @throws {InputError} If the record is cut in half, of another schema, or of another run.
 */
export function readRecord(out: string, id: string): RunRecord | null {
  const path = recordFile(out, id);
  const text = readTextIfThere(path);
  if (text === null) return null;
  const remedy = `delete the folder ${runFolder(out, id)} to run it again, or restore ${path}`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError(`Cannot read the record in ${path} as it is cut in half or no JSON: ${remedy}`);
  }
  let record: RunRecord;
  try {
    record = parseRunRecord(value, path);
  } catch (error) {
    throw new InputError(`${messageOf(error)}; ${remedy}`);
  }
  if (record.id !== id) {
    throw new InputError(`Cannot take the record in ${path} as it is of another run, ${record.id}: ${remedy}`);
  }
  return record;
}

/** Whether a run has a checkpoint. */
export function hasCheckpoint(out: string, id: string): boolean {
  return fileExists(checkpointFile(out, id));
}

/** Adds an epoch to the events of a run. @throws {InputError} If the system refuses. */
export function appendEvent(out: string, id: string, epoch: Epoch): void {
  appendLine(eventsFile(out, id), JSON.stringify(epoch));
}

/**
 * The epochs that a run has told, in order; of an epoch told twice (a resumed run repeats what came after its
 * checkpoint) the later one. Lines that a crash cut off are left out.
 */
export function readEvents(out: string, id: string): Epoch[] {
  const epochs = new Map<number, Epoch>();
  for (const line of (readTextIfThere(eventsFile(out, id)) ?? "").split("\n")) {
    try {
      const parsed = epochSchema.safeParse(JSON.parse(line));
      if (parsed.success) epochs.set(parsed.data.epoch, parsed.data);
    } catch {
      // An empty or a cut line.
    }
  }
  return [...epochs.values()].sort((a, b) => a.epoch - b.epoch);
}

/** All records below `out` that can be read; the others are left out. For estimates, never for tables. */
export function readableRecords(out: string): RunRecord[] {
  const records: RunRecord[] = [];
  try {
    for (const entry of Deno.readDirSync(join(out, "runs"))) {
      try {
        const record = readRecord(out, entry.name);
        if (record !== null) records.push(record);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
      }
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) throw error;
  }
  return records.sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
}
