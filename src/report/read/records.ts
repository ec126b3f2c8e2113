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
  return lines(text, { source, remedy: "copy the record again" }).map(({ value, place }) =>
    parseRunRecord(value, place)
  );
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
  return lines(text, { source, remedy: "measure again" }).map(({ value, place }) => parseMeasurement(value, place));
}

interface Line {
  readonly value: unknown;
  readonly place: string;
}

function lines(text: string, { source, remedy }: { readonly source: string; readonly remedy: string }): Line[] {
  return text.replace(/^\ufeff/, "").split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const place = `line ${index + 1} of ${source}`;
    try {
      return [{ value: JSON.parse(line), place }];
    } catch {
      const start = line.length > 40 ? `${line.slice(0, 40)}...` : line;
      throw new InputError(`Cannot read ${place} as it is not complete JSON (${start}): delete the line or ${remedy}`);
    }
  });
}
