/** The record of a run, and every rule that makes one valid: they hold wherever a record is read or written. */
import { z } from "zod";
import { InputError } from "../errors.ts";
import { type Environment, environmentSchema } from "./environment.ts";
import { canonicalJson, contentSha256, runId, type RunSpec, runSpecSchema, sha256Schema } from "./spec.ts";

/** Statuses of a run that has ended. */
export const RUN_STATUSES = ["done", "diverged", "failed", "timeout"] as const;
/** One of them. */
export type RunStatus = typeof RUN_STATUSES[number];

/** Schema of new records. Records of schema 1, before December 2026, lack what is marked "schema 2". */
export const RECORD_SCHEMA = 2;

const percent = z.number().min(0).max(100);

/** One epoch of a run. */
export interface Epoch {
  /** Number of the epoch, from 1. */
  readonly epoch: number;
  /** Learning rate of its last step. */
  readonly learningRate: number;
  /** Mean training loss. */
  readonly trainLoss: number;
  /** Accuracy on the training images, as the steps saw them. */
  readonly trainTop1Percent: number;
  /** Mean cross-entropy on the images that the run is evaluated on. */
  readonly testLoss: number;
  /** Accuracy on them. */
  readonly testTop1Percent: number;
  /** Metrics of the method's own (such as the consistency loss), by name. */
  readonly metrics: Record<string, number>;
}

/** Rules of an epoch. */
export const epochSchema: z.ZodType<Epoch> = z.strictObject({
  epoch: z.int().positive(),
  learningRate: z.number().nonnegative(),
  trainLoss: z.number(),
  trainTop1Percent: percent,
  testLoss: z.number().nonnegative(),
  testTop1Percent: percent,
  metrics: z.record(z.string(), z.number()),
});

/** One run, ended: one line of `reports/records/*.jsonl`. */
export interface RunRecord {
  /** Version of this form. */
  readonly schema: 1 | 2;
  /** `runId` of the spec. */
  readonly id: string;
  /** Everything that determines the numbers. */
  readonly spec: RunSpec;
  /** End of the run. */
  readonly status: RunStatus;
  /** Reason why the run did not end as `done`. */
  readonly reason: string | null;
  /** Last lines of the log of a run that did not end as `done`. */
  readonly log?: string[] | undefined;
  /** Results of the last epoch, by name; `top1Percent` and `loss` when done, else null. The test set selects nothing. */
  readonly metrics: Record<string, number> | null;
  /** All epochs, in order. */
  readonly curve: Epoch[];
  /** Start of the last process, where a run was stopped and resumed. */
  readonly startedAt: string;
  /** Time of all processes, each up to the checkpoint that the next resumed from; in older records, of the last alone. */
  readonly wallSeconds: number;
  /** Time of all their threads, likewise. */
  readonly cpuSeconds: number;
  /** Training images per second of training time, evaluation left out. */
  readonly imagesPerSecond: number;
  /** Largest memory of the last process. */
  readonly peakMemoryMiB: number;
  /** Environment of the last process; dirty if that of any process or of the teacher was. */
  readonly environment: Environment;
  /** Environments of earlier processes of the run that differ from `environment`; absent in older records. */
  readonly earlierEnvironments?: Environment[] | undefined;
  /** These, and those of its teacher's record. Schema 2. */
  readonly otherEnvironments?: Environment[] | undefined;
  /** Digest of the decoded bytes of the data set. */
  readonly dataSha256: string | null;
  /** Number of images that each epoch was evaluated on. Schema 2. */
  readonly evaluatedExamples?: number | undefined;
  /** Digest of the network after the last epoch, if done; absent in records before November 2026. */
  readonly networkSha256?: string | undefined;
  /** Digest of the network of the teacher run that this run started from; absent likewise, and without a teacher. */
  readonly teacherSha256?: string | undefined;
  /** File of an imported network, the library whose names it has, and the number types that were converted. */
  readonly importedFrom?:
    | { readonly file: string; readonly names: string; readonly converted: string[] }
    | undefined;
  /** SHA-256 of the canonical JSON of all the rest. Schema 2. */
  readonly checksum?: string | undefined;
}

/** Rules of a record. */
export const runRecordSchema: z.ZodType<RunRecord> = z.strictObject({
  schema: z.union([z.literal(1), z.literal(RECORD_SCHEMA)]),
  id: z.string(),
  spec: runSpecSchema,
  status: z.enum(RUN_STATUSES),
  reason: z.string().nullable(),
  log: z.array(z.string()).optional(),
  metrics: z.record(z.string(), z.number()).nullable(),
  curve: z.array(epochSchema),
  startedAt: z.iso.datetime(),
  wallSeconds: z.number().nonnegative(),
  cpuSeconds: z.number().nonnegative(),
  imagesPerSecond: z.number().nonnegative(),
  peakMemoryMiB: z.number().nonnegative(),
  environment: environmentSchema,
  earlierEnvironments: z.array(environmentSchema).optional(),
  otherEnvironments: z.array(environmentSchema).optional(),
  dataSha256: sha256Schema.nullable(),
  evaluatedExamples: z.int().positive().optional(),
  networkSha256: sha256Schema.optional(),
  teacherSha256: sha256Schema.optional(),
  importedFrom: z.strictObject({ file: z.string(), names: z.string(), converted: z.array(z.string()) }).optional(),
  checksum: sha256Schema.optional(),
}).superRefine((record, context) => {
  const message = faultOf(record);
  if (message !== null) context.addIssue({ code: "custom", message });
});

/** Tells if a run need not run again: it is done, or it diverged, which the same spec would do again. */
export function isFinal({ status }: RunRecord): boolean {
  return status === "done" || status === "diverged";
}

/** Test images of data sets of which old records use all without saying how many. */
const TEST_IMAGES = new Map([["cifar10", 10_000], ["cifar100", 10_000], ["fashion_mnist", 10_000]]);

/** Number of images that a run is evaluated on, as far as its spec tells; null: unknown. */
function evaluatedBySpec({ dataset }: RunSpec): number | null {
  if (dataset.evaluateOn === "heldOut") return dataset.heldOut;
  return dataset.testExamples ?? TEST_IMAGES.get(dataset.name) ?? null;
}

/** Says why a record cannot be trusted, as a clause and a remedy; null: it can. */
function faultOf(record: RunRecord): string | null {
  const { id, spec, schema, checksum } = record;
  const expected = runId(spec);
  if (id !== expected) {
    return `its id is ${id}, but its spec has id ${expected}: delete the record and run it again`;
  }
  if ((schema === RECORD_SCHEMA) !== (checksum !== undefined)) {
    return `records of schema ${RECORD_SCHEMA}, and only they, must have a checksum: delete the record and run it again`;
  }
  const found = checksumOf(record);
  if (checksum !== undefined && checksum !== found) {
    return `its checksum is ${checksum}, but its content has ${found}: copy the record again, or run it again`;
  }
  return faultOfEnd(record) ?? faultOfCurve(record) ?? faultOfOrigin(record);
}

function faultOfEnd({ status, reason, metrics, curve, spec }: RunRecord): string | null {
  if (status !== "done") {
    return metrics === null && reason !== null
      ? null
      : `a run that ended as ${status} must have a reason and no metrics: run it again`;
  }
  const { epochs } = spec.recipe;
  if (spec.imported && curve.length === 0) {
    return metrics?.["top1Percent"] === undefined ? "it is done without a top1Percent: import it again" : null;
  }
  if (curve.length !== epochs || curve.some(({ epoch }, index) => epoch !== index + 1)) {
    return `a done run must have epochs 1 to ${epochs}, each once and in order: current epochs are ` +
      `${curve.map(({ epoch }) => epoch).join(", ") || "none"}, so run it again`;
  }
  if (metrics?.["top1Percent"] === undefined) return "it is done without a top1Percent: run it again";
  if (reason !== null) return `it is done and yet has a reason, "${reason}": run it again`;
  const last = curve.at(-1)!;
  if (last.testTop1Percent !== metrics["top1Percent"]) {
    return `the last epoch must count: its top1Percent is ${metrics["top1Percent"]}, but its last epoch's is ` +
      `${last.testTop1Percent}`;
  }
  const ofEpoch: Record<string, number> = { loss: last.testLoss, ...last.metrics };
  const { top1Percent: _, ...rest } = metrics;
  if (canonicalJson(rest) === canonicalJson(ofEpoch)) return null;
  return `the last epoch must count: its metrics are ${canonicalJson(rest)}, but its last epoch's are ` +
    canonicalJson(ofEpoch);
}

function faultOfCurve({ spec, curve, metrics, evaluatedExamples }: RunRecord): string | null {
  const disorder = curve.find(({ epoch }, index) => index > 0 && epoch <= curve[index - 1]!.epoch);
  if (disorder) return `its epochs must rise: current value after ${disorder.epoch} is not later, so run it again`;
  const bySpec = evaluatedBySpec(spec), images = evaluatedExamples ?? bySpec;
  if (evaluatedExamples !== undefined && bySpec !== null && evaluatedExamples !== bySpec) {
    return `it was evaluated on ${evaluatedExamples} images, but its spec names ${bySpec}: run it again`;
  }
  if (images === null) return null;
  if (spec.imported && metrics !== null && !isShareOf(metrics["top1Percent"]!, images)) {
    return `top-1 must be a multiple of 100 / ${images}: current value is ${
      metrics["top1Percent"]
    }, so import it again`;
  }
  const odd = curve.find(({ testTop1Percent }) => !isShareOf(testTop1Percent, images));
  return odd === undefined
    ? null
    : `top-1 must be a multiple of 100 / ${images}, as so many images are evaluated: current value in epoch ` +
      `${odd.epoch} is ${odd.testTop1Percent}, so run it again`;
}

/** The environments of a run's earlier processes that differ from the last one's, as far as its record parts them from its teacher's. */
export function earlierEnvironmentsOf({ spec, earlierEnvironments, otherEnvironments }: RunRecord): Environment[] {
  return earlierEnvironments ?? (spec.teacher === null ? otherEnvironments : undefined) ?? [];
}

/** Tells if a percentage is that of a whole number of images. */
function isShareOf(percentage: number, images: number): boolean {
  const count = percentage * images / 100;
  return Math.abs(count - Math.round(count)) < 1e-6;
}

function faultOfOrigin(record: RunRecord): string | null {
  const { schema, status, spec, environment, otherEnvironments, importedFrom } = record;
  if ((spec.imported !== undefined) !== (importedFrom !== undefined)) {
    return "an imported network, and no run, must have an importedFrom: import it again";
  }
  if (record.teacherSha256 !== undefined && spec.teacher === null) {
    return "it has a teacherSha256, but its spec has no teacher: run it again";
  }
  if (record.networkSha256 !== undefined && status !== "done") {
    return `it has a networkSha256, but it ended as ${status}: run it again`;
  }
  if (otherEnvironments?.some(({ dirty }) => dirty) && !environment.dirty) {
    return "an environment it lists had uncommitted changes, so its own must be dirty too: run it again";
  }
  if (schema !== RECORD_SCHEMA || status !== "done") return null;
  const required = ["dataSha256", "evaluatedExamples", "networkSha256", ...(spec.teacher ? ["teacherSha256"] : [])];
  const missing = required.find((name) => (record[name as keyof RunRecord] ?? null) === null);
  return missing === undefined ? null : `a done run of schema ${schema} must have a ${missing}: run it again`;
}

function checksumOf({ checksum: _, ...content }: RunRecord): string {
  return contentSha256(content);
}

/** Adds the checksum that a new record must have; a record of schema 1 stays as it is. */
export function sealed(record: RunRecord): RunRecord {
  return record.schema === RECORD_SCHEMA ? { ...record, checksum: checksumOf(record) } : record;
}

/**
 * Checks a record that came from outside.
 * @throws {InputError} If it does not fit the schema or breaks a rule.
 */
export function parseRunRecord(value: unknown, source: string): RunRecord {
  const schema = (value as { schema?: unknown } | null)?.schema;
  if (schema !== 1 && schema !== RECORD_SCHEMA) {
    throw new InputError(
      `Cannot read the record in ${source} as its schema must be 1 or ${RECORD_SCHEMA}: current value is ${schema}`,
    );
  }
  const result = runRecordSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  if (issue.code === "custom" && issue.path.length === 0) {
    throw new InputError(`Cannot trust the record in ${source} as ${issue.message}`);
  }
  throw new InputError(`Cannot read the record in ${source} as ${issue.path.join(".") || "it"}: ${issue.message}`);
}
