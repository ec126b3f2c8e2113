/** Results of other tools, read from CSV. */
import { CsvError, parse } from "csv-parse/sync";
import { z } from "zod";
import { InputError } from "../../errors.ts";
import { PROTOCOLS } from "../../record/spec.ts";
import type { Result } from "./result.ts";

const bits = z.string().regex(/^([1-9]|[12]\d|3[0-2])?$/, "must be empty or a whole number from 1 to 32")
  .transform((text) => text === "" ? null : Number(text));

/**
 * One line of an import, a run: the columns of the file, all of them needed, in any order.
 *
 * | column         | what                                                                             |
 * | -------------- | -------------------------------------------------------------------------------- |
 * | `paper`        | id of a paper's page, such as `fpq`                                              |
 * | `table`        | id of a table of that page, such as `table4`                                     |
 * | `dataset`      | as in the table, such as `cifar10`                                               |
 * | `model`        | such as `resnet18_imagenet`, the model that stands for the paper's network       |
 * | `method`       | arm of the table, such as `lsq`                                                  |
 * | `w_bits`       | 1 to 32; empty: full precision                                                   |
 * | `a_bits`       | 1 to 32; empty: full precision                                                   |
 * | `seed`         | a whole number: pairs a method's run with its LSQ run                            |
 * | `top1_percent` | 0 to 100, of the last epoch on the test images                                   |
 * | `tool`         | what made the run, such as `MQBench 0.0.7`: its rows bear this name              |
 * | `protocol`     | `paper` if the paper's own recipe was run to its end; else `reduced` or `smoke`  |
 * | `notes`        | anything that a reader should know; may be empty                                 |
 */
const rowSchema = z.strictObject({
  paper: z.string().min(1),
  table: z.string().min(1),
  dataset: z.string().min(1),
  model: z.string().min(1),
  method: z.string().min(1),
  w_bits: bits,
  a_bits: bits,
  seed: z.string().regex(/^\d+$/, "must be a whole number").transform(Number),
  top1_percent: z.string().regex(/^\d+(\.\d+)?$/, "must be a number").transform(Number)
    .refine((value) => value <= 100, "must be at most 100"),
  tool: z.string().min(1),
  protocol: z.enum(PROTOCOLS),
  notes: z.string(),
}).refine(
  ({ w_bits, a_bits }) => (w_bits === null) === (a_bits === null),
  "w_bits and a_bits must both be given or both be empty",
);

/** A run of another tool, and the line that it stands in: `line 3 of mqbench.csv`. */
export type ImportedRun = Readonly<z.infer<typeof rowSchema>> & { readonly place: string };

/** The columns that a file must have. */
export const IMPORT_COLUMNS: readonly string[] = Object.keys(rowSchema.shape);

/**
 * Reads the results of another tool.
 *
 * @param source The file's name, for messages.
 * @throws {InputError} If a line does not fit; the line and the column are named.
 */
export function parseImport(text: string, source: string): ImportedRun[] {
  const lines = readCsv(text, source);
  if (lines.length === 0) {
    throw new InputError(`Cannot import ${source} as it has no line below its first: give it a line for each run`);
  }
  return lines.map(({ record, info }) => {
    const breaks = Object.values(record).join("").split("\n").length - 1; // a quoted note may go over several lines
    const place = `line ${info.lines - breaks} of ${source}`;
    const result = rowSchema.safeParse(record);
    if (result.success) return { ...result.data, place };
    const { path, message } = result.error.issues[0]!;
    const column = path.join(".");
    throw new InputError(
      `Cannot import ${place} as ` +
        (column === "" ? message : `${column}: ${lowered(message)}, current value is "${record[column]}"`),
    );
  });
}

interface Line {
  readonly record: Readonly<Record<string, string>>;
  readonly info: { readonly lines: number };
}

function readCsv(text: string, source: string): Line[] {
  if (text.trim() === "") checkedColumns([], source);
  try {
    return parse(text, {
      bom: true,
      columns: (names: string[]) => checkedColumns(names, source),
      info: true,
      trim: true,
      skip_empty_lines: true,
    }) as unknown as Line[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new InputError(`Cannot import ${source} as it is not well-formed CSV: ${lowered(error.message)}`);
  }
}

function checkedColumns(names: readonly string[], source: string): string[] {
  const faults = Object.entries({
    missing: IMPORT_COLUMNS.filter((name) => !names.includes(name)),
    unknown: names.filter((name) => !IMPORT_COLUMNS.includes(name)),
    "named twice": names.filter((name, index) => IMPORT_COLUMNS.includes(name) && names.indexOf(name) < index),
  }).filter(([, columns]) => columns.length > 0);
  if (faults.length === 0) return [...names];
  throw new InputError(
    `Cannot import ${source} as its first line must name the columns ${IMPORT_COLUMNS.join(", ")}, each once: ` +
      faults.map(([fault, columns]) => `${fault} ${[...new Set(columns)].join(", ")}`).join("; "),
  );
}

/**
 * Results of one tool's runs of one table. A quantized run starts from the tool's full-precision run (method fp) of the same
 * seed, model and protocol, if there is one.
 */
export function importedResults(runs: readonly ImportedRun[]): Result[] {
  return runs.map((run): Result => {
    const { protocol, dataset, model, method: arm, w_bits, a_bits, seed, tool, place } = run;
    const teacher = w_bits === null
      ? undefined
      : runs.find((other) =>
        other.method === "fp" && other.seed === seed && other.model === model && other.protocol === protocol
      );
    return {
      id: place,
      cell: { protocol, dataset, model, arm, weightBits: w_bits, activationBits: a_bits },
      seed,
      evaluateOn: "test",
      version: null,
      terms: { tool },
      ground: tool,
      top1: run.top1_percent,
      start: teacher === undefined ? null : { id: teacher.place, seed, network: null },
      startedAt: null,
      data: null,
      network: null,
      curve: null,
      origin: null,
    };
  });
}

function lowered(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, "");
}
