import { dirname, join } from "node:path";
import { InputError } from "../../errors.ts";
import { type Measurement, parseMeasurement } from "../../record/measurement.ts";
import { parseRunRecord, type RunRecord } from "../../record/record.ts";

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
