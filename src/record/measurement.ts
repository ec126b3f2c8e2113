import { z } from "zod";
import { InputError } from "../errors.ts";
import { environmentSchema, type RunRecord, sha256Schema } from "./record.ts";
import { nameSchema, runId, runSpecSchema } from "./spec.ts";

const number = z.number(); // finite, as zod's numbers are
const optionsSchema = z.record(z.string(), z.union([number, z.string(), z.array(number)]));
const valuesSchema = z.record(z.string(), z.union([number, z.array(number), z.record(z.string(), number)]));

/** Options of a measurement, by name. */
export type MeasurementOptions = Readonly<z.infer<typeof optionsSchema>>;

/** Results of a measurement, by name: numbers, lists of them, or numbers by a layer's path. */
export type MeasuredValues = Readonly<z.infer<typeof valuesSchema>>;

/** One measurement of one finished run. It changes neither the run's spec nor its id, and is no part of its record. */
export const measurementSchema = z.strictObject({
  schema: z.literal(1),
  /** Name of the measurement, such as `hessian_trace`. */
  name: nameSchema,
  options: optionsSchema,
  /** Id of the run. */
  run: z.string(),
  spec: runSpecSchema,
  /** Digest of the measured network, as in the run's record; absent in measurements of older code. */
  networkSha256: sha256Schema.optional(),
  /** Results for the network after the last epoch, the one whose accuracy the run's record holds. */
  values: valuesSchema,
  /** Results for the networks that `bench --keep-epochs` kept, by epoch; empty: none were measured. */
  epochs: z.array(z.strictObject({ epoch: z.int().positive(), values: valuesSchema })),
  environment: environmentSchema,
  /** Digest of the decoded bytes of the data set. */
  dataSha256: sha256Schema,
  seconds: z.number().nonnegative(),
});
export type Measurement = Readonly<z.infer<typeof measurementSchema>>;

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
