import { z } from "zod";
import { InputError } from "../errors.ts";
import { runId, runSpecSchema } from "./spec.ts";

/** How a run ended. */
export const RUN_STATUSES = ["done", "diverged", "failed", "timeout"] as const;
export type RunStatus = typeof RUN_STATUSES[number];

/** What computed a run: enough to judge whether two records may be compared. */
export const environmentSchema = z.strictObject({
  /** Commit of Requant, or null outside a git checkout. */
  commit: z.string().nullable(),
  /** Whether the checkout differed from its commit. */
  dirty: z.boolean().nullable(),
  engine: z.string(),
  versions: z.record(z.string(), z.string()),
  device: z.string(),
  threads: z.int().positive(),
  os: z.string(),
  cpu: z.string(),
});
export type Environment = Readonly<z.infer<typeof environmentSchema>>;

/** One epoch of a run; `metrics` are the method's own (such as the consistency loss), by name. */
export const epochSchema = z.strictObject({
  epoch: z.int().nonnegative(),
  learningRate: z.number(),
  trainLoss: z.number(),
  trainTop1Percent: z.number(),
  testLoss: z.number(),
  testTop1Percent: z.number(),
  metrics: z.record(z.string(), z.number()),
});
export type Epoch = Readonly<z.infer<typeof epochSchema>>;

/** A SHA-256 in hex digits. */
export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

/** One run, ended: what a line of `reports/records/*.jsonl` holds. */
export const runRecordSchema = z.strictObject({
  schema: z.literal(1),
  id: z.string(),
  spec: runSpecSchema,
  status: z.enum(RUN_STATUSES),
  /** Why the run did not end as `done`. */
  reason: z.string().nullable(),
  /** Last lines of the log of a run that did not end as `done`. */
  log: z.array(z.string()).optional(),
  /** Of the last epoch, by name; always `top1Percent` and `loss` when done, else null. The test set selects nothing. */
  metrics: z.record(z.string(), z.number()).nullable(),
  curve: z.array(epochSchema),
  /** Of the last process of a run that was stopped and went on. */
  startedAt: z.iso.datetime(),
  /** Both of all processes, each up to the checkpoint that the next went on from; of older code's, of the last alone. */
  wallSeconds: z.number().nonnegative(),
  cpuSeconds: z.number().nonnegative(),
  /** Training images per second of training time, evaluation left out. */
  imagesPerSecond: z.number().nonnegative(),
  peakMemoryMiB: z.number().nonnegative(),
  environment: environmentSchema,
  /** Of the decoded bytes of the data set. */
  dataSha256: z.string().nullable(),
  /** Of the network after the last epoch; absent unless done, and in records before November 2026. */
  networkSha256: sha256Schema.optional(),
  /** Of the network of the teacher run that this run started from; absent as above, and where there is none. */
  teacherSha256: sha256Schema.optional(),
});
export type RunRecord = Readonly<z.infer<typeof runRecordSchema>>;

/**
 * Whether a run started from the network of a record of its teacher, and not of another training of the same spec.
 *
 * By the digests of the networks; where one is missing, the teacher must have started first.
 */
export function startedFrom(student: RunRecord, teacher: RunRecord): boolean {
  if (student.spec.teacher !== teacher.id) return false;
  if (student.teacherSha256 !== undefined && teacher.networkSha256 !== undefined) {
    return student.teacherSha256 === teacher.networkSha256;
  }
  return Date.parse(teacher.startedAt) <= Date.parse(student.startedAt);
}

/**
 * Checks a record that came from outside.
 * @throws {InputError} If it does not fit the schema or its id is not its spec's.
 */
export function parseRunRecord(value: unknown, source: string): RunRecord {
  const schema = (value as { schema?: unknown } | null)?.schema;
  if (schema !== 1) {
    throw new InputError(`Cannot read the record in ${source} as its schema must be 1: current value is ${schema}`);
  }
  const result = runRecordSchema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    throw new InputError(`Cannot read the record in ${source} as ${issue.path.join(".") || "it"}: ${issue.message}`);
  }
  const expected = runId(result.data.spec);
  if (result.data.id !== expected) {
    throw new InputError(
      `Cannot trust the record in ${source} as its id is ${result.data.id}, but its spec has id ${expected}: ` +
        `delete the record and run it again`,
    );
  }
  return result.data;
}
