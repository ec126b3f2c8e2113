import { createHash } from "node:crypto";
import type { FlowJob, JobsOptions } from "bullmq";
import { z } from "zod";
import { InputError } from "../errors.ts";
import { isRunId, parseRunSpec, type PlannedRun, runId } from "../record/spec.ts";

/** Number of further attempts after a failure, on whichever worker is free, before the record says `failed`. */
export const DEFAULT_RETRIES = 1;
/** Number of times that a run may lose its worker before it counts as what ends them. */
export const MOST_LOST_WORKERS = 3;
/** Number of starts of a job, on any worker, after which a run that no worker could prepare fails. */
export const MOST_STARTS = 20;

/** `run` computes; `release` waits for a teacher and then submits its students. */
export type JobName = "run" | "release";

const runDataSchema = z.strictObject({ schema: z.literal(1), spec: z.unknown() });
const releaseDataSchema = z.strictObject({
  schema: z.literal(1),
  teacher: z.string(),
  students: z.array(z.unknown()),
  /** Number of further attempts of its students, as of the teacher. */
  retries: z.int().nonnegative(),
});

/** Returns the job id of a run: no run is twice in a queue. It has a prefix, as BullMQ refuses ids of digits only. */
export function runJobId(id: string): string {
  return `run-${id}`;
}

/** Returns the run of a job; null: a job of another kind. */
export function runIdOfJob(jobId: string): string | null {
  return jobId.startsWith("run-") ? jobId.slice("run-".length) : null;
}

/** Jobs leave the queue when they end: the record in the folder is what stays. */
const ENDS = { removeOnComplete: true, removeOnFail: true } as const;

/** Makes the options of the job of a run. */
export function runJobOptions(
  id: string,
  { retryDelayMs, retries }: { retryDelayMs: number; retries: number },
): JobsOptions {
  return {
    ...ENDS,
    jobId: runJobId(id),
    attempts: retries + 1,
    backoff: { type: "fixed", delay: retryDelayMs },
    // The students of a teacher that failed are released to be failed.
    ignoreDependencyOnFailure: true,
  };
}

/** Makes the job of a run, for a queue or as the child of a flow. */
export function runJob(
  run: PlannedRun,
  { queueName, ...again }: { queueName: string; retryDelayMs: number; retries: number },
): { name: JobName; queueName: string; data: unknown; opts: JobsOptions } {
  return { name: "run", queueName, data: { schema: 1, spec: run.spec }, opts: runJobOptions(run.id, again) };
}

/**
 * Makes the job that submits students when their teacher is over.
 *
 * A BullMQ job has one parent at most, and a teacher has many students: so the teacher is the child of this one job,
 * which adds the students.
 */
export function releaseJob(
  teacher: string,
  students: readonly PlannedRun[],
  { queueName, retries }: { queueName: string; retries: number },
): FlowJob & { readonly opts: JobsOptions & { jobId: string } } {
  const ids = students.map(({ id }) => id).sort();
  const digest = createHash("sha256").update(ids.join(" ")).digest("hex").slice(0, 12);
  return {
    name: "release" satisfies JobName,
    queueName,
    data: { schema: 1, teacher, students: students.map(({ spec }) => spec), retries },
    opts: { ...ENDS, jobId: `release-${teacher}-${digest}`, attempts: 5, backoff: { type: "fixed", delay: 5000 } },
  };
}

/**
 * Checks a job of a run: data from outside.
 * @throws {InputError} If it is no run, or its id is not its job's.
 */
export function parseRunJob(data: unknown, jobId: string): PlannedRun {
  const parsed = runDataSchema.safeParse(data);
  if (!parsed.success) throw new InputError(`Cannot run job ${jobId} as its data is of another version of Requant`);
  const spec = parseRunSpec(parsed.data.spec, `job ${jobId}`);
  const id = runId(spec);
  if (runJobId(id) !== jobId) throw new InputError(`Cannot run job ${jobId} as its spec is of run ${id}`);
  return { id, spec };
}

/** Checks a release likewise. @throws {InputError} If a student is no run or of another teacher. */
export function parseReleaseJob(
  data: unknown,
  jobId: string,
): { teacher: string; students: PlannedRun[]; retries: number } {
  const parsed = releaseDataSchema.safeParse(data);
  // A run id becomes a folder's name: nothing else may.
  if (!parsed.success || !isRunId(parsed.data.teacher)) {
    throw new InputError(`Cannot use job ${jobId} as its data is of another version of Requant`);
  }
  const { teacher } = parsed.data;
  const students = parsed.data.students.map((value) => {
    const spec = parseRunSpec(value, `job ${jobId}`);
    if (spec.teacher !== teacher) throw new InputError(`Cannot use job ${jobId} as a student has another teacher`);
    return { id: runId(spec), spec };
  });
  return { teacher, students, retries: parsed.data.retries };
}
