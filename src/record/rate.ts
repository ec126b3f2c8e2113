/** The measured rate of a kind of run: time of its start and of its steps on one machine, for estimates only. */
import { z } from "zod";
import { InputError } from "../errors.ts";
import { environmentSchema } from "./environment.ts";
import { runSpecSchema } from "./spec.ts";

const spentSchema = z.strictObject({ wallSeconds: z.number().nonnegative(), cpuSeconds: z.number().nonnegative() });

/** Measurement of a few steps of a run, as its process reports it. */
export const probeSchema = z.strictObject({
  /** Steps that were timed, after those that warm up. */
  steps: z.int().positive(),
  /** Mean of the steps. */
  step: spentSchema,
  /** Time before the first step: data set, calibration, compilation. */
  start: spentSchema,
  /** Null: not measured. */
  peakMemoryMiB: z.number().nonnegative().nullable(),
  environment: environmentSchema,
});
export type Probe = Readonly<z.infer<typeof probeSchema>>;

/** Rate of a kind of run: one line of `rates.jsonl`. */
export const rateSchema = z.strictObject({
  schema: z.literal(1),
  /** The run whose steps were timed. */
  spec: runSpecSchema,
  startedAt: z.iso.datetime(),
  ...probeSchema.shape,
});
export type Rate = Readonly<z.infer<typeof rateSchema>>;

/** Reads the lines of a file of rates. @throws {InputError} If one is no rate. */
export function parseRates(text: string, source: string): Rate[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    try {
      return [rateSchema.parse(JSON.parse(line))];
    } catch (error) {
      const why = error instanceof z.ZodError ? `${error.issues[0]!.path.join(".")} does not fit` : "it is no JSON";
      throw new InputError(`Cannot read the rate in ${source}, line ${index + 1}: ${why}. Delete the line`);
    }
  });
}
