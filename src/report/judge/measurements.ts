/** Measurements of finished runs: read, and turned into rows of tables and plain data for figures. */
import { InputError } from "../../errors.ts";
import { type Measurement, parseMeasurement } from "../../record/measurement.ts";
import { canonicalJson } from "../../record/spec.ts";
import { type CellKey, cellKey, keyText } from "./aggregate.ts";
import type { TableBlock } from "../pages/blocks.ts";
import { bitsTitle, modelTitle } from "../labels.ts";
import { newestOnly } from "./newest.ts";
import { kindOf, type Quantity } from "./measurement_kinds.ts";
import { mean, standardDeviation } from "./statistics/paired.ts";

export { measurementTitle, type Quantity, type Series, seriesOf } from "./measurement_kinds.ts";

/**
 * Reads measurements, one JSON document a line; empty lines are skipped.
 * @param source The file's name, for messages.
 * @throws {InputError} If a line is cut off, of another schema, or its run's id is not its spec's.
 */
export function parseMeasurements(text: string, source: string): Measurement[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const place = `line ${index + 1} of ${source}`;
    return [parseMeasurement(parseLine(line, place), place)];
  });
}

function parseLine(line: string, place: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new InputError(`Cannot read ${place} as it is not complete JSON: delete the line or measure again`);
  }
}

/** A value and its error with as many digits as tell something: `1365 ± 150`. */
export function withError(value: number, error: number | null): string {
  const text = (number: number, digits: number) =>
    Math.abs(number) >= 1e5 || (number !== 0 && Math.abs(number) < 1e-4)
      ? number.toExponential(digits - 1)
      : String(Number(number.toPrecision(digits)));
  return error === null ? text(value, 4) : `${text(value, 4)} ± ${text(error, 2)}`;
}

/** The first number of a measurement, for a line of text. */
export function headline(measurement: Measurement): string {
  const { title, value, error } = kindOf(measurement.name).quantities(measurement)[0]!;
  return `${title} ${withError(value, error)}`;
}

/** The measurements of one name that belong together: same spec but for seed and teacher, same options. */
export interface MeasuredCell extends CellKey {
  /** By seed. */
  readonly measurements: readonly Measurement[];
}

/**
 * Groups the measurements of one name, each run once; trials on held-out images are left out, and so is what `newestOnly`
 * leaves out.
 * @throws {InputError} If those of a cell have different options, or specs that differ in more than seed and teacher, so
 * that they must not be averaged.
 */
export function measuredCells(measurements: readonly Measurement[], name: string): MeasuredCell[] {
  const cells = new Map<string, MeasuredCell>();
  const onTest = measurements.filter((item) => item.name === name && item.spec.dataset.evaluateOn === "test");
  const isNewest = newestOnly(onTest.map(({ spec }) => spec)), chosen = onTest.filter(({ spec }) => isNewest(spec));
  for (const measurement of new Map(chosen.map((item) => [item.run, item])).values()) {
    const key = cellKey(measurement.spec), before = cells.get(keyText(key))?.measurements ?? [];
    const first = before[0] ?? measurement;
    requireAlike(first, measurement);
    const all = [...before, measurement].sort((a, b) => a.spec.seed - b.spec.seed);
    cells.set(keyText(key), { ...key, measurements: all });
  }
  return [...cells.values()];
}

function requireAlike(first: Measurement, other: Measurement): void {
  const averaged = `Cannot average ${first.name} of runs ${first.run} and ${other.run}`;
  if (canonicalJson(first.options) !== canonicalJson(other.options)) {
    throw new InputError(
      `${averaged} as their options differ: measure one of them again with \`deno task measure --force\``,
    );
  }
  const [left, right] = [first, other].map(({ spec }) => canonicalJson({ ...spec, seed: 0, teacher: null }));
  if (left !== right) {
    throw new InputError(`${averaged} as their specs differ in more than seed and teacher: take one of them away`);
  }
}

/** One number of a cell over its runs. */
export interface CellQuantity {
  readonly title: string;
  readonly mean: number;
  /** Standard error: over seeds; of one run, that of its measurement; null: not known. */
  readonly error: number | null;
  readonly n: number;
}

/** The numbers of a cell. */
export function cellQuantities({ measurements }: MeasuredCell): CellQuantity[] {
  const ofRuns = measurements.map((item) => kindOf(item.name).quantities(item));
  return ofRuns[0]!.map(({ title, error }, i): CellQuantity => {
    const values = ofRuns.map((quantities: readonly Quantity[]) => quantities[i]!.value), n = values.length;
    const sd = standardDeviation(values);
    return { title, mean: mean(values), error: sd === null ? error : sd / Math.sqrt(n), n };
  });
}

function requireOneHead(rows: readonly { cell: MeasuredCell; quantities: readonly CellQuantity[] }[]): void {
  const headOf = (row: typeof rows[number]) => row.quantities.map(({ title }) => title).join("; ");
  const first = rows[0]!, other = rows.find((row) => headOf(row) !== headOf(first));
  if (!other) return;
  const [left, right] = [first, other].map(({ cell }) => cell.measurements[0]!);
  throw new InputError(
    `Cannot put ${left!.name} of runs ${left!.run} and ${right!.run} into one table as one has ${
      headOf(first)
    } and the ` +
      `other ${headOf(other)}: measure one of them again with \`deno task measure --force\``,
  );
}

/**
 * A table of one measurement: a row a cell. Null: nothing of that name was measured.
 * @throws {InputError} If its cells were measured at different values, such as σ.
 */
export function measurementTable(
  measurements: readonly Measurement[],
  name: string,
  armTitleOf: (arm: string) => string,
): TableBlock | null {
  const cells = measuredCells(measurements, name);
  if (cells.length === 0) return null;
  const rows = cells.map((cell) => ({ cell, quantities: cellQuantities(cell) }));
  requireOneHead(rows);
  return {
    kind: "table",
    caption: `${kindOf(name).title}: mean over seeds ± its standard error; of a single run ± that of the measurement`,
    columns: [
      { title: "Method", align: "left", names: true },
      { title: "Model", align: "left" },
      { title: "Bits", align: "left" },
      { title: "Protocol", align: "left" },
      { title: "Runs", align: "right" },
      ...rows[0]!.quantities.map(({ title }) => ({ title, align: "right" as const })),
    ],
    rows: rows.map(({ cell, quantities }) => [
      armTitleOf(cell.arm),
      modelTitle(cell.model),
      bitsTitle(cell),
      cell.protocol,
      String(cell.measurements.length),
      ...quantities.map(({ mean, error }) => withError(mean, error)),
    ]),
  };
}
