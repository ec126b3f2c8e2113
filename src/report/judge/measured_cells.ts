/** Measurements of runs that belong together, and their means over seeds. */
import { InputError } from "../../errors.ts";
import type { Measurement } from "../../record/measurement.ts";
import { canonicalJson } from "../../record/spec.ts";
import { type CellKey, subjectOf } from "../read/result.ts";
import { keyText, newestOnly } from "./aggregate.ts";
import { kindOf, type Quantity } from "./measurements.ts";
import { mean, standardDeviation } from "./statistics/basics.ts";

/** The measurements of one name that belong together: same spec but for seed and teacher, same options and data. */
export interface MeasuredCell extends CellKey {
  /** By seed. */
  readonly measurements: readonly Measurement[];
}

/**
 * Groups the measurements of one name, each run once; trials on held-out images are left out, and so is what `newestOnly`
 * leaves out.
 * @throws {InputError} If those of a cell have different options or data, or specs that differ in more than seed and teacher.
 */
export function measuredCells(measurements: readonly Measurement[], name: string): MeasuredCell[] {
  const byRun = new Map(measurements.filter((item) => item.name === name).map((item) => [item.run, item]));
  const onTest = [...byRun.values()].map((item) => ({ item, subject: subjectOf(item.spec) }))
    .filter(({ subject }) => subject.evaluateOn === "test");
  const isNewest = newestOnly(onTest.map(({ subject }) => subject));
  const chosen = onTest.filter(({ subject }) => isNewest(subject));
  return [...Map.groupBy(chosen, ({ subject }) => keyText(subject.cell)).values()].map((members) => {
    for (const { item } of members) requireAlike(members[0]!.item, item);
    members.sort((a, b) => a.subject.seed - b.subject.seed);
    return { ...members[0]!.subject.cell, measurements: members.map(({ item }) => item) };
  });
}

function requireAlike(first: Measurement, other: Measurement): void {
  const averaged = `Cannot average ${first.name} of runs ${first.run} and ${other.run}`;
  if (canonicalJson(first.options) !== canonicalJson(other.options)) {
    throw new InputError(
      `${averaged} as their options differ: measure one of them again with \`deno task measure --force\``,
    );
  }
  if (first.dataSha256 !== other.dataSha256) {
    throw new InputError(
      `${averaged} as their data must be the same bytes: SHA-256 is ${first.dataSha256} and ${other.dataSha256}, so ` +
        "take one of them away",
    );
  }
  const [left, right] = [first, other].map(({ spec }) => canonicalJson(subjectOf(spec).terms));
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
