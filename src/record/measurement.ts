import { z } from "zod";
import { InputError } from "../errors.ts";
import { type Environment, environmentSchema } from "./environment.ts";
import type { RunRecord } from "./record.ts";
import { nameSchema, runId, type RunSpec, runSpecSchema, sha256Schema } from "./spec.ts";

/** Options of a measurement, by name. */
export type MeasurementOptions = Readonly<Record<string, number | string | number[]>>;

/** Results of a measurement, by name: numbers, lists of them, or numbers by a layer's path. */
export type MeasuredValues = Readonly<Record<string, number | number[] | Record<string, number>>>;

/** One measurement of one finished run. It changes neither the run's spec nor its id, and is no part of its record. */
export interface Measurement {
  /** Version of this form. */
  readonly schema: 1;
  /** Name of the measurement, such as `hessian_trace`. */
  readonly name: string;
  /** Options that it was made with. */
  readonly options: MeasurementOptions;
  /** Id of the run. */
  readonly run: string;
  /** Spec of the run. */
  readonly spec: RunSpec;
  /** Digest of the measured network, as in the run's record; absent in measurements of older code. */
  readonly networkSha256?: string | undefined;
  /** Results for the network after the last epoch, the one whose accuracy the run's record holds. */
  readonly values: MeasuredValues;
  /** Results for the networks that `bench --keep-epochs` kept, by epoch; empty: none were measured. */
  readonly epochs: { readonly epoch: number; readonly values: MeasuredValues }[];
  /** Program and machine that measured. */
  readonly environment: Environment;
  /** Digest of the decoded bytes of the data set. */
  readonly dataSha256: string;
  /** Time that it took. */
  readonly seconds: number;
}

const number = z.number(); // finite, as zod's numbers are
const valuesSchema = z.record(z.string(), z.union([number, z.array(number), z.record(z.string(), number)]));

/** Rules of a measurement. */
export const measurementSchema: z.ZodType<Measurement> = z.strictObject({
  schema: z.literal(1),
  name: nameSchema,
  options: z.record(z.string(), z.union([number, z.string(), z.array(number)])),
  run: z.string(),
  spec: runSpecSchema,
  networkSha256: sha256Schema.optional(),
  values: valuesSchema,
  epochs: z.array(z.strictObject({ epoch: z.int().positive(), values: valuesSchema })),
  environment: environmentSchema,
  dataSha256: sha256Schema,
  seconds: z.number().nonnegative(),
});

/** Tells if a measurement is of the network of a record of its run, as far as both hold the network's digest. */
export function isOfNetwork({ networkSha256 }: Measurement, record: RunRecord): boolean {
  return networkSha256 === undefined || record.networkSha256 === undefined || networkSha256 === record.networkSha256;
}

/**
 * Checks a measurement that came from outside.
 * @throws {InputError} If it does not fit the schema, or its run's id is not its spec's.
 */
export function parseMeasurement(value: unknown, source: string): Measurement {
  const result = measurementSchema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    throw new InputError(
      `Cannot read the measurement in ${source} as ${issue.path.join(".") || "it"}: ${issue.message}`,
    );
  }
  const expected = runId(result.data.spec);
  if (result.data.run !== expected) {
    throw new InputError(
      `Cannot trust the measurement in ${source} as it is of run ${result.data.run}, but its spec has id ${expected}: ` +
        "delete it and measure again",
    );
  }
  return result.data;
}
