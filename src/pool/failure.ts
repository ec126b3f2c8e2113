import { environmentWithoutEngine } from "./environment.ts";
import { describeRun, type PlannedRun } from "../plan/plan.ts";
import type { ChildEnd } from "./process.ts";
import type { RunRecord } from "../record/record.ts";
import { readEvents, writeRecord } from "../store/store.ts";

/** When a process began, by the calendar and by a clock that is never set back. */
export interface Started {
  readonly at: Date;
  readonly ms: number;
}

/** The present moment as a beginning. */
export function startedNow(): Started {
  return { at: new Date(), ms: performance.now() };
}

/** How a run ended that could not say so itself. */
export interface Failure {
  readonly status: "failed" | "timeout";
  readonly reason: string;
  /** Last lines of its log. */
  readonly log?: readonly string[];
  readonly peakMemoryMiB?: number;
}

const LINES_OF_REASON = 5;

/** Why a process without a record ended, in words. */
export function reasonOf(end: ChildEnd): string {
  if (end.message?.type === "failed") return end.message.reason;
  const how = end.signal === null ? `with code ${end.code}` : `by ${end.signal}`;
  const lines = end.lastLines.slice(-LINES_OF_REASON);
  const log = lines.length === 0 ? "its log is empty" : `last lines of its log: ${lines.join(" | ")}`;
  return `The process ended ${how} and left no record; ${log}`;
}

/** Why a student cannot start. */
export function orphanReason(teacher: RunRecord): string {
  return `Its teacher ${teacher.id} (${describeRun(teacher.spec)}) ended as ${teacher.status}: ` +
    `${teacher.reason ?? "no reason known"}`;
}

/** Writes and returns the record of a run that could not write its own. @throws {InputError} If the system refuses. */
export function failedRecord(
  run: PlannedRun,
  { failure, started, out }: { failure: Failure; started: Started; out: string },
): RunRecord {
  const { status, reason, log = [], peakMemoryMiB = 0 } = failure;
  const record: RunRecord = {
    schema: 1,
    id: run.id,
    spec: run.spec,
    status,
    reason,
    ...(log.length === 0 ? {} : { log: [...log] }),
    metrics: null,
    curve: readEvents(out, run.id),
    startedAt: started.at.toISOString(),
    wallSeconds: (performance.now() - started.ms) / 1000,
    cpuSeconds: 0,
    imagesPerSecond: 0,
    peakMemoryMiB,
    environment: environmentWithoutEngine(run.spec.engine),
    dataSha256: null,
  };
  writeRecord(out, record);
  return record;
}
