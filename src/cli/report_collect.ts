import { join } from "node:path";
import { InputError } from "../errors.ts";
import { openNetwork } from "../checkpoint/open_network.ts";
import { measurementsFolder, parseMeasurements, parseRecords } from "../report/read/records.ts";
import { readTextIfThere, writeFileAtomic } from "../store/files.ts";
import { isOfNetwork, type Measurement } from "../record/measurement.ts";
import { describeEnd } from "../pool/progress.ts";
import { isFinal, type RunRecord } from "../record/record.ts";
import { canonicalJson, describeRun } from "../record/spec.ts";
import { checkpointFile, hasCheckpoint, readMeasurements, readRecord, runIds } from "../store/store.ts";

/** Folder of done and diverged runs that others of the same spec took the place of. */
const REPLACED = "replaced";

/** One a line, by start. */
function writeRecords(path: string, records: readonly RunRecord[]): void {
  const lines = records.toSorted((a, b) => a.startedAt < b.startedAt ? -1 : 1).map((record) => JSON.stringify(record));
  writeFileAtomic(path, lines.join("\n") + "\n");
}

/** Trials on held-out images lie apart: no table shows them. */
function fileOf({ spec }: Pick<RunRecord, "spec">): string {
  return spec.dataset.evaluateOn === "heldOut" ? "held_out.jsonl" : `${spec.protocol}.jsonl`;
}

/** Additions to the records. */
export interface Collected {
  /** Those that were not there as they are now. */
  readonly runs: number;
  readonly files: readonly string[];
  /** A sentence for each record that took the place of another, or was left out. */
  readonly told: readonly string[];
}

/**
 * Adds the ended runs below `<out>/runs` to `<records>/<protocol>.jsonl`, one a line, by start; trials on held-out images
 * to `held_out.jsonl`. A run that is there already is replaced: so a failure by its repetition, but never a done run by one
 * that is not, nor a diverged one by one that failed. A done or diverged run that is replaced is kept in
 * `<records>/replaced/`, which no report reads.
 *
 * Everything is read and checked before anything is written; a record must fit the checkpoint beside it.
 *
 * @throws {InputError} If the folder holds no ended run, or a record cannot be read, trusted or written.
 */
export async function collectRuns(out: string, records: string): Promise<Collected> {
  const ended = runIds(out).flatMap((id) => readRecord(out, id) ?? []);
  for (const record of ended) await requireOwnNetwork(out, record);
  if (ended.length === 0) {
    throw new InputError(
      `Cannot collect from ${out} as it holds no ended run: name the --out folder of a finished \`deno task bench\``,
    );
  }
  const told: string[] = [];
  let runs = 0;
  const wanted = new Map<string, readonly RunRecord[]>();
  const files = [...new Set(ended.map(fileOf))].sort().map((name) => {
    const path = join(records, name);
    const merged = new Map(parseRecords(readTextIfThere(path) ?? "", path).map((record) => [record.id, record]));
    const replaced: RunRecord[] = [];
    for (const record of ended.filter((record) => fileOf(record) === name)) {
      const before = merged.get(record.id);
      if (before && canonicalJson(before) === canonicalJson(record)) continue;
      if (before) told.push(toldOf(record, before));
      if (before && staysBefore(record, before)) continue;
      if (before && isFinal(before) && before.startedAt !== record.startedAt) replaced.push(before);
      merged.set(record.id, record);
      runs += 1;
    }
    const kept = join(records, REPLACED, name);
    // The one that is replaced is safe before the one that replaces it is there.
    if (replaced.length > 0) wanted.set(kept, [...parseRecords(readTextIfThere(kept) ?? "", kept), ...replaced]);
    wanted.set(path, [...merged.values()]);
    return path;
  });
  for (const [path, lines] of wanted) writeRecords(path, lines);
  return { runs, files, told };
}

/** Checks a record against the checkpoint beside it. @throws {InputError} If that is of another training. */
async function requireOwnNetwork(out: string, record: RunRecord): Promise<void> {
  if (record.status !== "done" || !hasCheckpoint(out, record.id)) return;
  await openNetwork(checkpointFile(out, record.id), {
    id: record.id,
    record,
    purpose: `Cannot collect run ${record.id}`,
    instead: "delete the run's folder and run it again",
  });
}

/** Checks if the earlier record of a run stays in its place: it is done or diverged, and the new one is less. */
function staysBefore(record: RunRecord, before: RunRecord): boolean {
  return before.status === "done" ? record.status !== "done" : isFinal(before) && !isFinal(record);
}

/** Describes what becomes of a record whose run has another one already. */
function toldOf(record: RunRecord, before: RunRecord): string {
  const name = `${record.id} (${describeRun(record.spec)})`;
  return staysBefore(record, before)
    ? `Left out ${name}, ${describeEnd(record)}; the record that is there stays, ${describeEnd(before)}`
    : `Replaced ${name}, ${describeEnd(before)}, by ${describeEnd(record)}`;
}

/**
 * Adds the measurements of the ended runs below `<out>/runs` to `measurements/<protocol>.jsonl` beside the records, one a
 * line, by name and run. One that is there already is replaced; one of a network that is not the record's is left out, as
 * the run was trained again after it.
 *
 * @throws {InputError} If one cannot be read or written.
 */
export function collectMeasurements(out: string, records: string): { measurements: number; files: string[] } {
  const found = runIds(out).flatMap((id) => {
    const record = readRecord(out, id);
    return record === null ? [] : readMeasurements(out, id).filter((item) => isOfNetwork(item, record));
  });
  let measurements = 0;
  const files = [...new Set(found.map(fileOf))].sort().map((name) => {
    const path = join(measurementsFolder(records), name);
    const merged = new Map<string, Measurement>();
    const before = parseMeasurements(readTextIfThere(path) ?? "", path);
    for (const item of before) merged.set(`${item.name} ${item.run}`, item);
    for (const item of found.filter((item) => fileOf(item) === name)) {
      const key = `${item.name} ${item.run}`, other = merged.get(key);
      if (other === undefined || canonicalJson(other) !== canonicalJson(item)) measurements += 1;
      merged.set(key, item);
    }
    const lines = [...merged.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => JSON.stringify(item));
    writeFileAtomic(path, lines.join("\n") + "\n");
    return path;
  });
  return { measurements, files };
}
