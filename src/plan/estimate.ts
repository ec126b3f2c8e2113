import { InputError } from "../errors.ts";
import type { Environment } from "../record/environment.ts";
import type { RunRecord } from "../record/record.ts";
import { canonicalJson, type RunSpec } from "../record/spec.ts";

/** Time and memory that a run is expected to take. */
export interface Estimate {
  readonly seconds: number;
  /** Null: not known, as the time is scaled from runs of other networks or methods. */
  readonly memoryMiB: number | null;
}

/** Counts the training images of a data set, which a spec may leave open; null: not known. */
export type TrainSize = (dataset: string) => number | null;

/** Names the processor that computed a run: the GPU if it used one, else the CPU. Others take other times. */
export function processorOf({ device, cpu, versions }: Pick<Environment, "device" | "cpu" | "versions">): string {
  return device === "gpu" ? (versions["gpu"] ?? "unknown GPU").split(", driver")[0]! : cpu.replace(/, \d+ cores$/, "");
}

/** Lists the kinds that a run is of, the closest first: runs of one arm, or of one method, take alike. */
function kindsOf({ engine, model, arm, method }: RunSpec): string[] {
  return [`${engine} ${model} arm ${arm}`, `${engine} ${model} method ${method.name}`];
}

/** Counts the training images of one epoch of a run; null: not known. */
export function imagesPerEpoch(spec: RunSpec, trainSize: TrainSize): number | null {
  if (spec.dataset.trainExamples !== null) return spec.dataset.trainExamples;
  const all = trainSize(spec.dataset.name);
  return all === null ? null : all - spec.dataset.heldOut;
}

/** Computes the training images of a record, and the seconds that each took, evaluation included; null: not known. */
function paceOf(record: RunRecord, trainSize: TrainSize): Pick<Known, "secondsPerImage" | "images"> | null {
  const inEpoch = imagesPerEpoch(record.spec, trainSize);
  if (record.imagesPerSecond <= 0 || inEpoch === null || inEpoch === 0) return null;
  const images = inEpoch * Math.max(1, record.curve.length);
  // A resumed run of older code tells the wall seconds of its last process alone.
  return { images, secondsPerImage: Math.max(1 / record.imagesPerSecond, record.wallSeconds / images) };
}

/** Options of `estimator`. */
export interface EstimatorOptions {
  readonly trainSize: TrainSize;
  /** Processor that the runs will have (`processorOf`): records of other ones are passed over. */
  readonly processor: string;
  /** Work of one training image, in any unit. Runs of unknown kinds are scaled by it; left out: they have no estimate. */
  readonly work?: (spec: RunSpec) => number;
}

/** A record as an estimate sees it. */
interface Known {
  readonly spec: RunSpec;
  readonly secondsPerImage: number;
  /** Images of all its epochs. */
  readonly images: number;
  readonly memoryMiB: number;
}

/**
 * Learns from records of the same engine and processor; the last one of a kind counts. A run of a kind that no record has is
 * scaled by work from the record of its data set whose work is closest.
 *
 * @param records Oldest first.
 * @returns The estimate of a spec, or null where no record is of its engine, processor and data set.
 */
export function estimator(
  records: readonly RunRecord[],
  { trainSize, processor, work }: EstimatorOptions,
): (spec: RunSpec) => Estimate | null {
  const known = records.filter(({ environment }) => processorOf(environment) === processor).flatMap(
    (record): Known[] => {
      const pace = paceOf(record, trainSize);
      return pace === null ? [] : [{ ...pace, spec: record.spec, memoryMiB: record.peakMemoryMiB }];
    },
  );
  const workOf = work && memoized(work);
  const last = new Map(known.flatMap((item) => kindsOf(item.spec).map((kind) => [kind, item] as const)));
  return (spec) => {
    const images = imagesPerEpoch(spec, trainSize);
    if (images === null) return null;
    const seen = spec.recipe.epochs * images, found = kindsOf(spec).flatMap((kind) => last.get(kind) ?? [])[0];
    if (found !== undefined) return { seconds: seen * found.secondsPerImage, memoryMiB: found.memoryMiB };
    const perImage = workOf === undefined ? null : scaled(spec, { known, work: workOf });
    return perImage === null ? null : { seconds: seen * perImage, memoryMiB: null };
  };
}

/** Computes the work of each model and method once: it builds the network. */
function memoized(work: (spec: RunSpec) => number): (spec: RunSpec) => number {
  const known = new Map<string, number>();
  return (spec) => {
    const key = canonicalJson([spec.model, spec.method]), value = known.get(key) ?? work(spec);
    known.set(key, value);
    return value;
  };
}

/** Counts full precision beside quantized training as far apart as twice the work. */
const OTHER_KIND = Math.log(2);

/** Scales the pace of the record of the closest work, of equal ones the longest; null: none is of engine and data set. */
function scaled(
  spec: RunSpec,
  { known, work }: { readonly known: readonly Known[]; readonly work: (spec: RunSpec) => number },
): number | null {
  const own = work(spec), isQuantized = spec.quantization !== null;
  const candidates = known
    .filter((item) => item.spec.engine === spec.engine && item.spec.dataset.name === spec.dataset.name)
    .map((item) => {
      const ratio = own / work(item.spec), isOther = (item.spec.quantization !== null) !== isQuantized;
      return { ...item, ratio, distance: Math.abs(Math.log(ratio)) + (isOther ? OTHER_KIND : 0) };
    });
  const [closest] = candidates.sort((a, b) => a.distance - b.distance || b.images - a.images);
  return closest ? closest.secondsPerImage * closest.ratio : null;
}

/** Adds up the memory of the `jobs` runs that take most; runs without an estimate count nothing. */
export function peakMemoryMiB(estimates: readonly (Estimate | null)[], jobs: number): number {
  const sorted = estimates.map((estimate) => estimate?.memoryMiB ?? 0).sort((a, b) => b - a);
  return sorted.slice(0, jobs).reduce((sum, memory) => sum + memory, 0);
}

/**
 * Counts the runs that may be at once in a machine's memory.
 * @param wanted Number that was asked for; null: one per core, or as many as fit.
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
 * Computes the seconds until the last run ends when `jobs` run at once. Each goes to the process that is free first, and
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

/** Writes seconds for people: `40 s`, `12 min`, `3 h 05 min`, `2 d 4 h`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
