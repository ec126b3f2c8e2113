/** The folders of runs: `<out>/runs/<id>/`, their files by name, read and written. */
import { InputError, messageOf, orNull } from "../errors.ts";
import { type Measurement, measurementSchema, parseMeasurement } from "../record/measurement.ts";
import { type Epoch, epochSchema, parseRunRecord, type RunRecord, sealed } from "../record/record.ts";
import { isRunId, parseRunSpec, runId, type RunSpec } from "../record/spec.ts";
import {
  appendLine,
  fileExists,
  makeFolder,
  namesIn,
  pathBelow,
  readJsonIfThere,
  readTextIfThere,
  removeIfThere,
  requireNoLinks,
  writeFileAtomic,
} from "./files.ts";

/**
 * Returns the path of a file of a run.
 *
 * Files: spec.json, events.jsonl (one line per epoch), checkpoint.safetensors, log.txt, and record.json last: a run is
 * over exactly when it has its record.
 * @throws {InputError} If the id is none, or a part of the path is a link: no spec leads out of the folder.
 */
export function runFile(out: string, id: string, ...names: readonly string[]): string {
  if (!isRunId(id)) {
    throw new InputError(`Cannot use run id "${id}" as it must be 16 hex digits: take one of \`deno task runs list\``);
  }
  return pathBelow(out, "runs", id, ...names);
}

/** Returns the folder of a run. @throws {InputError} As `runFile`. */
export function runFolder(out: string, id: string): string {
  return runFile(out, id);
}

/** Returns the file that a student starts from and that a resumed run continues from. */
export function checkpointFile(out: string, id: string): string {
  return runFile(out, id, "checkpoint.safetensors");
}

/** Returns the log of a run: everything that its process wrote for people. */
export function logFile(out: string, id: string): string {
  return runFile(out, id, "log.txt");
}

/** Returns the file of the spec, as the run's process reads it. */
export function specFile(out: string, id: string): string {
  return runFile(out, id, "spec.json");
}

function recordFile(out: string, id: string): string {
  return runFile(out, id, "record.json");
}

function eventsFile(out: string, id: string): string {
  return runFile(out, id, "events.jsonl");
}

/** Lists the ids of the runs below `out`, in order; other names are passed over. @throws {InputError} If unreadable. */
export function runIds(out: string): string[] {
  return namesIn(pathBelow(out, "runs")).filter(isRunId);
}

/**
 * Checks that the output folder can be written, before anything is computed.
 * @throws {InputError} If it cannot be made or written.
 */
export function checkOut(out: string): void {
  makeFolder(pathBelow(out, "runs"));
  const probe = pathBelow(out, "runs", "probe");
  writeFileAtomic(probe, "");
  removeIfThere(probe);
}

/**
 * Makes the folder of a run that is about to start and deletes the record of an earlier failure; a checkpoint stays,
 * so that the run resumes from it.
 * @returns The folder.
 * @throws {InputError} If it cannot be written, or holds a link.
 */
export function openRun(out: string, spec: RunSpec): string {
  const id = runId(parseRunSpec(spec, "the plan")), folder = runFolder(out, id);
  makeFolder(folder);
  requireNoLinks(folder);
  removeIfThere(recordFile(out, id));
  writeFileAtomic(specFile(out, id), JSON.stringify(spec, null, 2) + "\n");
  return folder;
}

/**
 * Writes the record of a run, with its checksum: the run is then over.
 * @param beforeWrite Called just before; throws if this process has lost the run.
 * @returns The record as written.
 * @throws {InputError} If the record breaks a rule, or the system refuses.
 */
export function writeRecord(out: string, record: RunRecord, beforeWrite?: () => void): RunRecord {
  const path = recordFile(out, record.id), checked = parseRunRecord(sealed(record), `${path}, which was to be written`);
  writeFileAtomic(path, JSON.stringify(checked, null, 2) + "\n", { beforeRename: beforeWrite });
  return checked;
}

/**
 * Reads the record of a run; null: the run is not over.
 * @throws {InputError} If the record is cut in half, breaks a rule, or is of another run.
 */
export function readRecord(out: string, id: string): RunRecord | null {
  const path = recordFile(out, id),
    remedy = `delete the folder ${runFolder(out, id)} to run it again, or restore ${path}`;
  const value = readJsonIfThere(path, `Cannot read the record in ${path} as it is cut in half or no JSON: ${remedy}`);
  if (value === null && !fileExists(path)) return null;
  let record: RunRecord;
  try {
    record = parseRunRecord(value, path);
  } catch (error) {
    throw new InputError(`${messageOf(error)}; ${remedy}`);
  }
  if (record.id === id) return record;
  throw new InputError(`Cannot take the record in ${path} as it is of another run, ${record.id}: ${remedy}`);
}

/** Reads all valid records below `out`, oldest first. For estimates, never for tables. */
export function readableRecords(out: string): RunRecord[] {
  const records = runIds(out).flatMap((id) => orNull(() => readRecord(out, id)) ?? []);
  return records.sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
}

/** Tells if a run has a checkpoint. */
export function hasCheckpoint(out: string, id: string): boolean {
  return fileExists(checkpointFile(out, id));
}

/** Lists the checkpoints that `bench --keep-epochs` kept of a run, `checkpoints/epoch-<n>.safetensors`, by epoch. */
export function keptCheckpoints(out: string, id: string): { epoch: number; path: string }[] {
  const kept = namesIn(runFile(out, id, "checkpoints")).flatMap((name) => {
    const epoch = /^epoch-(\d+)\.safetensors$/.exec(name)?.[1];
    return epoch === undefined ? [] : [{ epoch: Number(epoch), path: runFile(out, id, "checkpoints", name) }];
  });
  return kept.sort((a, b) => a.epoch - b.epoch);
}

/** Adds an epoch to the events of a run. @throws {InputError} If the system refuses. */
export function appendEvent(out: string, id: string, epoch: Epoch): void {
  appendLine(eventsFile(out, id), JSON.stringify(epoch));
}

/**
 * Reads the epochs that a run has reported, in order. Of an epoch reported twice (a resumed run repeats what came after
 * its checkpoint) the later one counts. Lines that a crash cut off are left out.
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

/** Returns the file of one measurement of a run: `measurements/<name>.json` in its folder. */
export function measurementFile(out: string, id: string, name: string): string {
  return runFile(out, id, "measurements", `${name}.json`);
}

/** Writes a measurement in place of an earlier one. @throws {InputError} If the system refuses. */
export function writeMeasurement(out: string, measurement: Measurement): void {
  const text = JSON.stringify(measurementSchema.parse(measurement), null, 2) + "\n";
  writeFileAtomic(measurementFile(out, measurement.run, measurement.name), text);
}

/**
 * Reads a measurement of a run; null: there is none.
 * @throws {InputError} If it is no JSON, of another schema, or of another run or measurement.
 */
export function readMeasurement(out: string, id: string, name: string): Measurement | null {
  const path = measurementFile(out, id, name);
  const value = readJsonIfThere(
    path,
    `Cannot read the measurement in ${path} as it is cut in half or no JSON: delete it`,
  );
  if (value === null && !fileExists(path)) return null;
  const measurement = parseMeasurement(value, path);
  if (measurement.run === id && measurement.name === name) return measurement;
  throw new InputError(
    `Cannot take the measurement in ${path} as it is ${measurement.name} of run ${measurement.run}: delete it`,
  );
}

/** Reads all measurements of a run, by name. @throws {InputError} If one cannot be read. */
export function readMeasurements(out: string, id: string): Measurement[] {
  return namesIn(runFile(out, id, "measurements")).flatMap((file) =>
    file.endsWith(".json") ? readMeasurement(out, id, file.slice(0, -5)) ?? [] : []
  );
}
