import { InputError } from "../errors.ts";
import type { RunRecord } from "../record/record.ts";
import type { RunSpec } from "../record/spec.ts";

/** What a run is expected to take, learnt from an earlier record of the same engine, model and method. */
export interface Estimate {
  readonly seconds: number;
  readonly memoryMiB: number;
}

/** Training images that the spec leaves open: the size of the data set's training split; null: not known. */
export type TrainSize = (dataset: string) => number | null;

/** Kinds of runs that take alike, the closest first: the arm of a table, then its method. */
function kindsOf({ engine, model, arm, method }: RunSpec): string[] {
  return [`${engine} ${model} arm ${arm}`, `${engine} ${model} method ${method.name}`];
}

/** Training images that a run looks at in one epoch; null: not known. */
export function imagesPerEpoch(spec: RunSpec, trainSize: TrainSize): number | null {
  if (spec.dataset.trainExamples !== null) return spec.dataset.trainExamples;
  const all = trainSize(spec.dataset.name);
  return all === null ? null : all - spec.dataset.heldOut;
}

/** Seconds that a record took for each training image, evaluation included; null: not known. */
function secondsPerImage(record: RunRecord, trainSize: TrainSize): number | null {
  const images = imagesPerEpoch(record.spec, trainSize);
  if (record.imagesPerSecond <= 0 || images === null || images === 0) return null;
  const seen = images * Math.max(1, record.curve.length);
  // A resumed run of older code tells the wall seconds of its last process alone.
  return Math.max(1 / record.imagesPerSecond, record.wallSeconds / seen);
}

/**
 * Learns from records; the last one of a kind counts.
 * @param records Oldest first.
 * @returns The estimate of a spec, or null where no record is of its kind.
 */
export function estimator(
  records: readonly RunRecord[],
  trainSize: TrainSize,
): (spec: RunSpec) => Estimate | null {
  const last = new Map<string, { readonly perImage: number; readonly memoryMiB: number }>();
  for (const record of records) {
    const perImage = secondsPerImage(record, trainSize);
    if (perImage === null) continue;
    for (const kind of kindsOf(record.spec)) last.set(kind, { perImage, memoryMiB: record.peakMemoryMiB });
  }
  return (spec) => {
    const known = kindsOf(spec).flatMap((kind) => last.get(kind) ?? [])[0];
    const images = imagesPerEpoch(spec, trainSize);
    if (known === undefined || images === null) return null;
    return { seconds: spec.recipe.epochs * images * known.perImage, memoryMiB: known.memoryMiB };
  };
}

/** Memory that a grid may take: that of the `jobs` runs that take most; runs without an estimate count nothing. */
export function peakMemoryMiB(estimates: readonly (Estimate | null)[], jobs: number): number {
  const sorted = estimates.map((estimate) => estimate?.memoryMiB ?? 0).sort((a, b) => b - a);
  return sorted.slice(0, jobs).reduce((sum, memory) => sum + memory, 0);
}

/**
 * How many runs may be at once in a machine's memory.
 * @param wanted What was asked for; null: one a core, or as many as fit.
 * @throws {InputError} If what was asked for does not fit, or not even one run does.
 */
export function jobsThatFit(
  estimates: readonly (Estimate | null)[],
  { wanted, cores, memoryMiB }: { wanted: number | null; cores: number; memoryMiB: number },
): number {
  let jobs = wanted ?? cores;
  while (jobs > 0 && peakMemoryMiB(estimates, jobs) > memoryMiB) jobs--;
  if (jobs === (wanted ?? cores) || (wanted === null && jobs > 0)) return jobs;
  const needed = Math.round(peakMemoryMiB(estimates, wanted ?? 1));
  throw new InputError(
    `Cannot run ${wanted ?? 1} at once as they would take ${needed} MiB of memory together and this machine has ` +
      `${Math.round(memoryMiB)} MiB: ${jobs > 0 ? `give --jobs ${jobs}` : "run them on a machine with more"}`,
  );
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
