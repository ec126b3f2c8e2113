import { InputError } from "../../errors.ts";
import { parseRunRecord, type RunRecord } from "../../record/record.ts";

/**
 * Reads records, one JSON document a line; empty lines are skipped.
 *
 * @param source The file's name, for messages.
 * @throws {InputError} If a line is cut off, of another schema, not its spec's, cut short, or no last-epoch result: the file
 * and the line are named.
 */
export function parseRecords(text: string, source: string): RunRecord[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const place = `line ${index + 1} of ${source}`;
    const record = parseRunRecord(parseLine(line, place), place);
    requireWholeCurve(record, place);
    requireLastEpoch(record, place);
    return [record];
  });
}

function parseLine(line: string, place: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    const start = line.length > 40 ? `${line.slice(0, 40)}...` : line;
    throw new InputError(
      `Cannot read ${place} as it is not complete JSON (${start}): delete the line or copy the record again`,
    );
  }
}

/** A done run has every epoch of its recipe, in order: a run that was cut short where it was best is no result. */
function requireWholeCurve({ id, status, spec, curve }: RunRecord, place: string): void {
  if (status !== "done") return;
  const { epochs } = spec.recipe;
  if (curve.length === epochs && curve.every(({ epoch }, index) => epoch === index + 1)) return;
  throw new InputError(
    `Cannot use run ${id} in ${place} as a done run must have epochs 1 to ${epochs}, each once and in order: current ` +
      `epochs are ${curve.map(({ epoch }) => epoch).join(", ") || "none"}, so run it again`,
  );
}

/** The last epoch counts, not the best one: else the test set would have chosen. */
function requireLastEpoch({ id, status, metrics, curve }: RunRecord, place: string): void {
  if (status !== "done") return;
  const top1Percent = metrics?.["top1Percent"];
  if (top1Percent === undefined) {
    throw new InputError(`Cannot use run ${id} in ${place} as it is done without a top1Percent: run it again`);
  }
  const last = curve.at(-1)!;
  if (last.testTop1Percent !== top1Percent) {
    throw new InputError(
      `Cannot use run ${id} in ${place} as the last epoch must count: its top1Percent is ${top1Percent}, but its last ` +
        `epoch's is ${last.testTop1Percent}`,
    );
  }
}

/** Top-1 of a done run, in percent. @throws {RangeError} If the run is not done. */
export function top1Percent(record: RunRecord): number {
  const value = record.metrics?.["top1Percent"];
  if (value === undefined) throw new RangeError(`Cannot take the top-1 of run ${record.id} as it is ${record.status}`);
  return value;
}
