import { dirname, join } from "node:path";
import { InputError } from "../src/errors.ts";
import { parseMeasurements } from "../src/report/measurements.ts";
import { parseRecords } from "../src/report/mod.ts";
import { readTextIfThere, writeFileAtomic } from "../src/runs/files.ts";
import type { Measurement } from "../src/runs/measurement.ts";
import { readMeasurements } from "../src/runs/measurement_store.ts";
import type { RunRecord } from "../src/runs/record.ts";
import { readRecord } from "../src/runs/store.ts";

/** Folder of done runs that others of the same spec took the place of. */
const REPLACED = "replaced";

/** One a line, by start. */
function writeRecords(path: string, records: readonly RunRecord[]): void {
  const lines = records.toSorted((a, b) => a.startedAt < b.startedAt ? -1 : 1).map((record) => JSON.stringify(record));
  writeFileAtomic(path, lines.join("\n") + "\n");
}

/** The names in a folder; null: there is no such folder. */
export function namesIn(folder: string): string[] | null {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return null;
    throw error;
  }
}

/** Trials on held-out images lie apart: no table shows them. */
function fileOf({ spec }: Pick<RunRecord, "spec">): string {
  return spec.dataset.evaluateOn === "heldOut" ? "held_out.jsonl" : `${spec.protocol}.jsonl`;
}

/**
 * Adds the ended runs below `<out>/runs` to `<records>/<protocol>.jsonl`, one a line, by start; trials on held-out images
 * to `held_out.jsonl`. A run that is there already is replaced: so a failure by its repetition. A done run that is replaced is
 * kept in `<records>/replaced/`, which no report reads.
 *
 * @throws {InputError} If the folder holds no ended run, or a record cannot be read or written.
 */
export function collectRuns(out: string, records: string): { runs: number; files: string[] } {
  const ids = namesIn(join(out, "runs")) ?? [];
  const ended = ids.sort().flatMap((id) => readRecord(out, id) ?? []);
  if (ended.length === 0) {
    throw new InputError(
      `Cannot collect from ${out} as it holds no ended run: name the --out folder of a finished \`deno task bench\``,
    );
  }
  const names = [...new Set(ended.map(fileOf))].sort();
  const files = names.map((name) => {
    const path = join(records, name);
    const merged = new Map<string, RunRecord>();
    const replaced: RunRecord[] = [];
    for (const record of parseRecords(readTextIfThere(path) ?? "", path)) merged.set(record.id, record);
    for (const record of ended.filter((record) => fileOf(record) === name)) {
      const before = merged.get(record.id);
      if (before?.status === "done" && before.startedAt !== record.startedAt) replaced.push(before);
      merged.set(record.id, record);
    }
    writeRecords(path, [...merged.values()]);
    if (replaced.length > 0) {
      const kept = join(records, REPLACED, name);
      writeRecords(kept, [...parseRecords(readTextIfThere(kept) ?? "", kept), ...replaced]);
    }
    return path;
  });
  return { runs: ended.length, files };
}

/** Where measurements lie: beside the folder of the records. */
export function measurementsFolder(records: string): string {
  return join(dirname(records), "measurements");
}

/**
 * Adds the measurements of the ended runs below `<out>/runs` to `measurements/<protocol>.jsonl` beside the records, one a
 * line, by name and run. One that is there already is replaced.
 *
 * @throws {InputError} If one cannot be read or written.
 */
export function collectMeasurements(out: string, records: string): { measurements: number; files: string[] } {
  const ids = (namesIn(join(out, "runs")) ?? []).sort().filter((id) => readRecord(out, id) !== null);
  const found = ids.flatMap((id) => readMeasurements(out, id));
  const files = [...new Set(found.map(fileOf))].sort().map((name) => {
    const path = join(measurementsFolder(records), name);
    const merged = new Map<string, Measurement>();
    const before = parseMeasurements(readTextIfThere(path) ?? "", path);
    for (const item of [...before, ...found.filter((item) => fileOf(item) === name)]) {
      merged.set(`${item.name} ${item.run}`, item);
    }
    const lines = [...merged.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => JSON.stringify(item));
    writeFileAtomic(path, lines.join("\n") + "\n");
    return path;
  });
  return { measurements: found.length, files };
}
