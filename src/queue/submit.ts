import type { FlowProducer, Queue } from "bullmq";
import { failedRecord, orphanFailure } from "../pool/attempt.ts";
import type { RunRecord } from "../record/record.ts";
import type { PlannedRun } from "../record/spec.ts";
import { readRecord } from "../store/store.ts";
import type { Artefacts } from "./artefacts.ts";
import { releaseJob, runJob, runJobId } from "./jobs.ts";

/** Options of `submitRuns`. */
export interface SubmitOptions {
  readonly out: string;
  /** Store that has already brought the records of the runs and their teachers into the folder. */
  readonly artefacts: Artefacts;
  readonly queue: Queue;
  readonly flow: FlowProducer;
  readonly retryDelayMs: number;
  /** Number of further attempts after a failure. */
  readonly retries: number;
  /** Wait before a release looks for its teacher's record again. */
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
  const left = runs.filter(({ id }) => readRecord(out, id) === null).map((run) => {
    const { teacher } = run.spec;
    return { run, teacher, record: teacher === null ? null : readRecord(out, teacher) };
  });
  for (const { run, record } of left) if (record && record.status !== "done") await failOrphan(run, record, options);
  const ready = left.filter(({ teacher, record }) => teacher === null || record?.status === "done");
  const waiting = Map.groupBy(left.filter(({ teacher, record }) => teacher && !record), ({ teacher }) => teacher!);
  const single: PlannedRun[] = [];
  for (const { run } of ready) {
    const students = waiting.get(run.id)?.map(({ run }) => run);
    waiting.delete(run.id);
    if (students === undefined) single.push(run);
    else await submitTeacher(run, students, options);
  }
  // Their teachers wait for a teacher themselves.
  for (const [teacher, students] of waiting) await submitRelease(teacher, students.map(({ run }) => run), options);
  const { retryDelayMs, retries } = options;
  const place = { queueName: queue.name, retryDelayMs, retries };
  await queue.addBulk(single.map((run) => runJob(run, place)));
}

/** Submits a flow: the release waits for the teacher, whose end gives way to the students. */
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
  // A job keeps its parent: the release looks for the teacher's record itself.
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
  failedRecord(run, { failure: orphanFailure(teacher), out });
  await artefacts.push(run.id);
}
