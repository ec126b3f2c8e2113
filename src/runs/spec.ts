import { createHash } from "node:crypto";
import { z } from "zod";
import { InputError } from "../errors.ts";

/** The protocols: how much of a paper's recipe is run. */
export const PROTOCOLS = ["smoke", "reduced", "paper"] as const;
export type ProtocolName = typeof PROTOCOLS[number];

const count = z.int().nonnegative();

/**
 * Everything that determines a run's numbers, as plain JSON. Same spec, same id, never run twice.
 *
 * It says what is computed, not who asks: no paper is named, so that tables of several papers share their FP and LSQ runs.
 */
export const runSpecSchema = z.strictObject({
  schema: z.literal(1),
  protocol: z.enum(PROTOCOLS),
  /** The row of a table: one label for one method with its options, such as `lsq` or `fpq`. */
  arm: z.string().min(1),
  method: z.strictObject({
    name: z.string().min(1),
    options: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  }),
  model: z.string().min(1),
  dataset: z.strictObject({
    name: z.string().min(1),
    /** How many training images are used, after `heldOut` were taken away; null: all. */
    trainExamples: count.nullable(),
    /** How many training images are held out for choosing hyper-parameters. */
    heldOut: count,
    /** How many test images are evaluated; null: all. */
    testExamples: count.nullable(),
    /** Share of the training images of which the label is used, each class equally often; left out: all. */
    labelledFraction: z.number().gt(0).lt(1).optional(),
    /** What the run is evaluated on: `heldOut` for choosing hyper-parameters, `test` for a table. */
    evaluateOn: z.enum(["test", "heldOut"]),
  }),
  /** Null: full precision. */
  quantization: z.strictObject({
    quantizer: z.string().min(1),
    /** Raised when the code changes what this quantizer alone computes, as `recipe.version` is for all runs; left out: 1. */
    quantizerRevision: z.int().min(2).optional(),
    weightBits: z.int().min(1).max(8),
    activationBits: z.int().min(1).max(8),
    /** Bits of the first and the last layer, weights and activations. */
    firstLastBits: z.int().min(1).max(8),
    /** Training images that calibration looks at. */
    calibrationExamples: z.int().positive(),
  }).nullable(),
  recipe: z.strictObject({
    /** Raised when the code changes what a run computes: old records are kept but no longer shown. */
    version: z.int().positive(),
    epochs: z.int().positive(),
    batchSize: z.int().positive(),
    learningRate: z.number().positive(),
    momentum: z.number().min(0).max(1),
    /** On convolution and dense weights, and on what a quantizer or a method says of its own: PACT's clipping, MEC's gate. */
    weightDecay: z.number().nonnegative(),
    /** Linear from 0; then cosine to 0 at the end of the last epoch. */
    warmupEpochs: z.number().nonnegative(),
    augmentation: z.enum(["none", "crop_flip"]),
  }),
  seed: count,
  engine: z.enum(["onednn", "tensorflow", "wasm"]),
  /** Id of the full-precision run that this run starts from. */
  teacher: z.string().nullable(),
});

export type RunSpec = Readonly<z.infer<typeof runSpecSchema>>;

/** JSON with sorted keys and no spaces: equal values, equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

/** The content id of a spec: the first 16 hex digits of the SHA-256 of its canonical JSON. */
export function runId(spec: RunSpec): string {
  return createHash("sha256").update(canonicalJson(spec)).digest("hex").slice(0, 16);
}

/**
 * Checks a spec that came from outside.
 * @throws {InputError} If it does not fit the schema; the first fault is named with its path.
 */
export function parseRunSpec(value: unknown, source: string): RunSpec {
  const result = runSpecSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new InputError(`Cannot read the run spec in ${source} as ${issue.path.join(".") || "it"}: ${issue.message}`);
}
