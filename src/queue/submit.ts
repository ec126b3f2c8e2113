import type { FlowProducer, Queue } from "bullmq";
import { failedRecord, orphanReason, startedNow } from "../pool/failure.ts";
import type { PlannedRun } from "../plan/plan.ts";
import type { RunRecord } from "../record/record.ts";
import { readRecord } from "../store/store.ts";
import type { Artefacts } from "./artefacts.ts";
import { releaseJob, runJob, runJobId } from "./jobs.ts";

/** What submitting needs. */
export interface SubmitOptions {
  readonly out: string;
  /** Has the records of the runs and their teachers in the folder. */
  readonly artefacts: Artefacts;
  readonly queue: Queue;
  readonly flow: FlowProducer;
  readonly retryDelayMs: number;
  /** How often a run that fails is tried again. */
  readonly retries: number;
  /** How long a release waits before it looks for its teacher's record again. */
  readonly releaseDelayMs: number;
}

/**
 * Puts runs that are not over into the queue: teachers and runs without one at once, students behind their teacher.
 *
 * A run that is in the queue already is left alone, so that submitting again does no harm and brings back what a
 * server without a disk has lost.
 *
 * @param runs Teachers first.
 */
export async function submitRuns(runs: readonly PlannedRun[], options: SubmitOptions): Promise<void> {
  const { out, queue } = options;
  const ready: PlannedRun[] = [];
  const waiting = new Map<string, PlannedRun[]>();
  for (const run of runs) {
    if (readRecord(out, run.id) !== null) continue;
    const { teacher } = run.spec;
    const record = teacher === null ? null : readRecord(out, teacher);
    if (teacher === null || record?.status === "done") ready.push(run);
    else if (record === null) waiting.set(teacher, [...waiting.get(teacher) ?? [], run]);
    else await failOrphan(run, record, options);
  }
  const flows = ready.filter(({ id }) => waiting.has(id));
  const single = ready.filter(({ id }) => !waiting.has(id));
  for (const run of flows) await submitTeacher(run, waiting.get(run.id)!, options);
  for (const [teacher, students] of waiting) {
    // Its teacher waits for a teacher itself.
    if (!flows.some(({ id }) => id === teacher)) await submitRelease(teacher, students, options);
  }
  const { retryDelayMs, retries } = options;
  const place = { queueName: queue.name, retryDelayMs, retries };
  await queue.addBulk(single.map((run) => runJob(run, place)));
}

/** A flow: the release waits for the teacher, whose end gives way to the students. */
async function submitTeacher(
  teacher: PlannedRun,
  students: readonly PlannedRun[],
  options: SubmitOptions,
): Promise<void> {
  const { queue, flow, retryDelayMs, retries } = options;
  const place = { queueName: queue.name, retryDelayMs, retries };
  const release = releaseJob(teacher.id, students, place);
  const { jobId } = release.opts;
  async function isOthers(): Promise<boolean> {
    const job = await queue.getJob(runJobId(teacher.id));
    return job !== undefined && job.parent?.id !== jobId;
  }
  if (!await isOthers()) {
    await flow.add({ ...release, children: [runJob(teacher, place)] });
    if (!await isOthers()) return;
    // Another plan was faster: this release would wait for ever.
    await (await queue.getJob(jobId))?.remove({ removeChildren: false });
  }
  // A job keeps the parent that it has: the release looks for the teacher's record itself.
  await submitRelease(teacher.id, students, options);
}

async function submitRelease(
  teacher: string,
  students: readonly PlannedRun[],
  { queue, releaseDelayMs, retries }: SubmitOptions,
): Promise<void> {
  const { name, data, opts } = releaseJob(teacher, students, { queueName: queue.name, retries });
  await queue.add(name, data, { ...opts, delay: releaseDelayMs });
}

/** Ends a student whose teacher did not end as `done`. */
async function failOrphan(run: PlannedRun, teacher: RunRecord, { out, artefacts }: SubmitOptions): Promise<void> {
  const failure = { status: "failed", reason: orphanReason(teacher) } as const;
  failedRecord(run, { failure, started: startedNow(), out });
  await artefacts.push(run.id);
}
