/**
 * Records of runs and measurements, read and checked. A record names everything that determines its numbers.
 *
 * @example Read records, and list the finished runs of one arm
 * ```ts
 * import { parseRecords } from "@requant/requant/records";
 * import assert from "node:assert/strict";
 *
 * const path = "reports/records/smoke.jsonl"; // of a checkout, or as `deno task report --collect` writes it
 * const records = parseRecords(await Deno.readTextFile(path), path);
 * const lsq = records.filter(({ spec, status }) => spec.arm === "lsq" && status === "done");
 * for (const { spec, metrics } of lsq) assert.ok(metrics!["top1Percent"]! > 0, `${spec.model}, seed ${spec.seed}`);
 * ```
 * @module
 */
import { dirname, join } from "node:path";
import { InputError } from "../../errors.ts";
import { type Measurement, parseMeasurement } from "../../record/measurement.ts";
import { parseRunRecord, type RunRecord } from "../../record/record.ts";

export type { Environment } from "../../record/environment.ts";
export type { MeasuredValues, Measurement, MeasurementOptions } from "../../record/measurement.ts";
export { type Epoch, RUN_STATUSES, type RunRecord, type RunStatus } from "../../record/record.ts";
export {
  type BaseProtocol,
  type ImportedNetwork,
  type ProtocolName,
  PROTOCOLS,
  type RunDataset,
  runId,
  type RunQuantization,
  type RunRecipe,
  type RunSpec,
} from "../../record/spec.ts";

/**
 * Reads records, one JSON document a line; empty lines are skipped.
 *
 * @param source The file's name, for messages.
 * @throws {InputError} If a line is cut off, or its record breaks a rule: the message names file and line.
 */
export function parseRecords(text: string, source: string): RunRecord[] {
  const found = lines(text, { source, remedy: "copy the record again" });
  return Array.from(found, ({ value, place }) => parseRunRecord(value, place));
}

/** Gives the folder of the measurements: beside that of the records. */
export function measurementsFolder(records: string): string {
  return join(dirname(records), "measurements");
}

/**
 * Reads measurements, one JSON document a line; empty lines are skipped.
 *
 * @param source The file's name, for messages.
 * @throws {InputError} If a line is cut off, of another schema, or its run's id is not its spec's.
 */
export function parseMeasurements(text: string, source: string): Measurement[] {
  const found = lines(text, { source, remedy: "measure again" });
  return Array.from(found, ({ value, place }) => parseMeasurement(value, place));
}

interface Line {
  readonly value: unknown;
  readonly place: string;
}

/** Gives one document after the other: all of them together, beside what is made of them, would fill the memory. */
function* lines(text: string, { source, remedy }: { source: string; remedy: string }): Generator<Line> {
  for (const [index, line] of text.replace(/^\ufeff/, "").split("\n").entries()) {
    if (line.trim() === "") continue;
    const place = `line ${index + 1} of ${source}`;
    let value;
    try {
      value = JSON.parse(line);
    } catch {
      const start = line.length > 40 ? `${line.slice(0, 40)}...` : line;
      throw new InputError(`Cannot read ${place} as it is not complete JSON (${start}): delete the line or ${remedy}`);
    }
    yield { value, place };
  }
}
