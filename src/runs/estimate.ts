import type { RunRecord } from "./record.ts";
import type { RunSpec } from "./spec.ts";

/** What a run is expected to take, learnt from an earlier record of the same engine, model and arm. */
export interface Estimate {
  readonly seconds: number;
  readonly memoryMiB: number;
}

/** Training images that the spec leaves open: the size of the data set's training split; null: not known. */
export type TrainSize = (dataset: string) => number | null;

function speedKey(spec: RunSpec): string {
  return `${spec.engine} ${spec.model} ${spec.arm}`;
}

/** Training images that a run looks at in one epoch; null: not known. */
export function imagesPerEpoch(spec: RunSpec, trainSize: TrainSize): number | null {
  if (spec.dataset.trainExamples !== null) return spec.dataset.trainExamples;
  const all = trainSize(spec.dataset.name);
  return all === null ? null : all - spec.dataset.heldOut;
}

/**
 * Learns from records; the last one of a kind counts.
 * @param records Oldest first.
 * @returns The estimate of a spec, or null where no record is of its kind. Evaluation is left out.
 */
export function estimator(
  records: readonly RunRecord[],
  trainSize: TrainSize,
): (spec: RunSpec) => Estimate | null {
  const last = new Map<string, RunRecord>();
  for (const record of records) if (record.imagesPerSecond > 0) last.set(speedKey(record.spec), record);
  return (spec) => {
    const record = last.get(speedKey(spec));
    const images = imagesPerEpoch(spec, trainSize);
    if (record === undefined || images === null) return null;
    return { seconds: spec.recipe.epochs * images / record.imagesPerSecond, memoryMiB: record.peakMemoryMiB };
  };
}

/**
 * Seconds until the last of the runs ends when `jobs` run at once: each goes to the process that is free first, and
 * a student waits for its teacher.
 * @param runs Teachers first.
 */
export function makespanSeconds(
  runs: readonly { readonly id: string; readonly teacher: string | null; readonly seconds: number }[],
  jobs: number,
): number {
  const free: number[] = Array.from({ length: Math.max(1, jobs) }, () => 0);
  const ends = new Map<string, number>();
  for (const run of runs) {
    const slot = free.indexOf(Math.min(...free));
    const start = Math.max(free[slot]!, run.teacher === null ? 0 : ends.get(run.teacher) ?? 0);
    free[slot] = start + run.seconds;
    ends.set(run.id, free[slot]!);
  }
  return Math.max(0, ...ends.values());
}

/** Seconds for people: `40 s`, `12 min`, `3 h 05 min`, `2 d 4 h`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
