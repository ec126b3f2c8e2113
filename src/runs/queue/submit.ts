import type { FlowProducer, Queue } from "bullmq";
import { describeRun, type PlannedRun } from "../plan.ts";
import { failedRecord } from "../pool.ts";
import { readRecord } from "../store.ts";
import { releaseJob, runJob, runJobId } from "./jobs.ts";

/** What submitting needs. */
export interface SubmitOptions {
  readonly out: string;
  readonly queue: Queue;
  readonly flow: FlowProducer;
  readonly retryDelayMs: number;
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
    else await failOrphan(run, out, record);
  }
  const flows = ready.filter(({ id }) => waiting.has(id));
  const single = ready.filter(({ id }) => !waiting.has(id));
  for (const run of flows) await submitTeacher(run, waiting.get(run.id)!, options);
  for (const [teacher, students] of waiting) {
    // Its teacher waits for a teacher itself.
    if (!flows.some(({ id }) => id === teacher)) await submitRelease(teacher, students, options);
  }
  const place = { queueName: queue.name, retryDelayMs: options.retryDelayMs };
  await queue.addBulk(single.map((run) => runJob(run, place)));
}

/** A flow: the release waits for the teacher, whose end gives way to the students. */
async function submitTeacher(
  teacher: PlannedRun,
  students: readonly PlannedRun[],
  options: SubmitOptions,
): Promise<void> {
  const { queue, flow, retryDelayMs } = options;
  const release = releaseJob(teacher.id, students, queue.name);
  const { jobId } = release.opts;
  async function isOthers(): Promise<boolean> {
    const job = await queue.getJob(runJobId(teacher.id));
    return job !== undefined && job.parent?.id !== jobId;
  }
  if (!await isOthers()) {
    await flow.add({ ...release, children: [runJob(teacher, { queueName: queue.name, retryDelayMs })] });
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
  { queue, releaseDelayMs }: SubmitOptions,
): Promise<void> {
  const { name, data, opts } = releaseJob(teacher, students, queue.name);
  await queue.add(name, data, { ...opts, delay: releaseDelayMs });
}

/** Ends a student whose teacher did not end as `done`. */
async function failOrphan(
  run: PlannedRun,
  out: string,
  teacher: NonNullable<ReturnType<typeof readRecord>>,
): Promise<void> {
  const reason = `Its teacher ${teacher.id} (${describeRun(teacher.spec)}) ended as ${teacher.status}: ` +
    `${teacher.reason ?? "no reason known"}`;
  await failedRecord(run, { reason, started: { at: new Date(), ms: performance.now() }, out });
}
