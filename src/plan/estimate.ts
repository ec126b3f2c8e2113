import { InputError, orNull } from "../errors.ts";
import { type Environment, processorOf } from "../record/environment.ts";
import type { Rate } from "../record/rate.ts";
import type { RunRecord } from "../record/record.ts";
import { canonicalJson, type RunSpec } from "../record/spec.ts";
import type { SizesOf } from "./fit.ts";

/** Time and memory that a run is expected to take. */
export interface Estimate {
  /** Processor seconds where a CPU computes; seconds by the clock on a GPU. */
  readonly seconds: number;
  /** Null: not known. */
  readonly memoryMiB: number | null;
  /** True: no run of this kind was measured, so the time is scaled from another kind. */
  readonly isScaled: boolean;
}

/** Names the kind of a run as closely as a spec alone can: runs of one kind take alike. */
export function kindOf(spec: RunSpec, imageShape: readonly number[]): string {
  const { engine, model, method: { name, options }, precision = "float32" } = spec;
  const quantizer = spec.quantization?.quantizer ?? "none";
  return canonicalJson({ engine, precision, model, imageShape, name, options, quantizer });
}

/** Share of a training image's time that an evaluated one takes: forward, without the two passes backward. */
const EVALUATED = 1 / 3;

/** Images of one epoch, and their size. */
interface Epoch {
  readonly trained: number;
  /** Trained ones, and evaluated ones at their share. */
  readonly images: number;
  readonly imageShape: readonly [number, number, number];
}

/** Counts the images that an epoch trains on; null: the data set is not known. */
export function imagesPerEpoch({ dataset }: Pick<RunSpec, "dataset">, sizesOf: SizesOf): number | null {
  const sizes = sizesOf(dataset.name);
  return sizes && (dataset.trainExamples ?? sizes.train - dataset.heldOut);
}

/** Counts the images of an epoch; null: the data set is not known. */
function epochOf({ dataset }: RunSpec, sizesOf: SizesOf): Epoch | null {
  const sizes = sizesOf(dataset.name), trained = imagesPerEpoch({ dataset }, sizesOf);
  if (sizes === null || trained === null) return null;
  const { heldOut, testExamples, evaluateOn } = dataset;
  const evaluated = evaluateOn === "heldOut" ? heldOut : testExamples ?? sizes.test;
  return { trained, images: trained + EVALUATED * evaluated, imageShape: sizes.imageShape };
}

/** Pace of a run that was measured. */
interface Known {
  readonly spec: RunSpec;
  readonly imageShape: Epoch["imageShape"];
  readonly kind: string;
  /** Images of all its epochs. */
  readonly images: number;
  readonly startSeconds: number;
  readonly secondsPerImage: number;
  readonly memoryMiB: number | null;
  readonly isGpu: boolean;
}

/** Length of a probe, whose pace holds no start: as good as that of the longest run. */
const ENDLESS = Number.MAX_VALUE;

/** Takes the pace of a record, whose start is spread over its images; null: it has none. */
function paceOfRecord(record: RunRecord, sizesOf: SizesOf): Known | null {
  const { spec, imagesPerSecond, wallSeconds, cpuSeconds, environment } = record, epoch = epochOf(spec, sizesOf);
  if (epoch === null || imagesPerSecond <= 0 || epoch.images === 0) return null;
  const { imageShape } = epoch, epochs = Math.max(1, record.curve.length), images = epochs * epoch.images;
  const training = epochs * epoch.trained / imagesPerSecond;
  // a resumed run of older code has the seconds of its last process alone
  const isGpu = environment.device === "gpu",
    seconds = wallSeconds < training ? training : isGpu ? wallSeconds : cpuSeconds;
  return {
    isGpu,
    ...{ spec, imageShape, images, kind: kindOf(spec, imageShape), startSeconds: 0, memoryMiB: record.peakMemoryMiB },
    secondsPerImage: seconds / images,
  };
}

function paceOfRate({ spec, step, start, peakMemoryMiB, environment }: Rate, sizesOf: SizesOf): Known | null {
  const epoch = epochOf(spec, sizesOf), isGpu = environment.device === "gpu";
  if (epoch === null) return null;
  const { imageShape } = epoch, images = ENDLESS, clock = isGpu ? "wallSeconds" : "cpuSeconds";
  return {
    isGpu,
    ...{ spec, imageShape, images, kind: kindOf(spec, imageShape), memoryMiB: peakMemoryMiB },
    startSeconds: start[clock],
    secondsPerImage: step[clock] / spec.recipe.batchSize,
  };
}

/** Everything that was measured, oldest first. */
export interface Measured {
  readonly records: readonly RunRecord[];
  readonly rates: readonly Rate[];
}

/** Options of `estimator`. */
export interface EstimatorOptions {
  readonly sizesOf: SizesOf;
  /** Processor that the runs will have (`processorOf`): what others took is passed over. */
  readonly processor: string;
  /** Work of one training image, in any unit. Runs of unknown kinds are scaled by it; left out: they have no estimate. */
  readonly work?: Work;
}

/**
 * Learns from records and rates of the same engine and processor. A run of a kind that was not measured is scaled by work
 * from the kind whose work is closest.
 *
 * @returns The estimate of a spec, or null where nothing is known of its engine and processor.
 */
export function estimator(
  { records, rates }: Measured,
  { sizesOf, processor, work }: EstimatorOptions,
): (spec: RunSpec) => Estimate | null {
  const isHere = ({ environment }: { readonly environment: Environment }) => processorOf(environment) === processor;
  const known = [
    ...rates.filter(isHere).map((rate) => paceOfRate(rate, sizesOf)),
    ...records.filter(isHere).map((record) => paceOfRecord(record, sizesOf)),
  ].filter((item) => item !== null);
  const byKind = Map.groupBy(known, ({ kind }) => kind), byEngine = Map.groupBy(known, ({ spec }) => spec.engine);
  const workOf = work && memoized(work);
  return (spec) => {
    const epoch = epochOf(spec, sizesOf);
    if (epoch === null) return null;
    const { imageShape } = epoch,
      images = spec.recipe.epochs * epoch.images,
      same = byKind.get(kindOf(spec, imageShape));
    const pace = same
      ? { ...closest(same, images), ratio: 1, isScaled: false }
      : workOf && scaled({ spec, images, imageShape }, { known: byEngine.get(spec.engine) ?? [], workOf });
    if (!pace) return null;
    const { startSeconds, secondsPerImage, ratio, isScaled } = pace;
    const memoryMiB = isScaled ? null : pace.memoryMiB;
    return { seconds: startSeconds + images * secondsPerImage * ratio, memoryMiB, isScaled };
  };
}

/** Chooses the last that was at least a tenth as long, as a short run is all start; if none was, the longest. */
function closest<Item extends Pick<Known, "images">>(items: readonly Item[], images: number): Item {
  const longest = [...items].sort((a, b) => b.images - a.images)[0]!;
  return items.findLast((item) => 10 * item.images >= images) ?? longest;
}

/** Work of one training image of a run. */
export type Work = (spec: RunSpec, imageShape: Epoch["imageShape"]) => number;

/**
 * Computes the work of each model, method and size of image once: it builds the network. Null: of an older run, whose
 * network, method or option is no longer.
 */
function memoized(work: Work): (...args: Parameters<Work>) => number | null {
  const known = new Map<string, number | null>();
  return (spec, imageShape) => {
    const key = canonicalJson([spec.model, spec.method, spec.recipe.batchSize, imageShape]);
    if (!known.has(key)) known.set(key, orNull(() => work(spec, imageShape)));
    return known.get(key)!;
  };
}

/** Distances of unlike runs, as logarithms of work: full precision beside quantized, another network, method and so on. */
const UNLIKE = {
  bits: 0.01,
  quantizer: 0.1,
  method: 0.1,
  precision: 0.1,
  model: Math.log(1.5),
  fullPrecision: Math.log(2),
} as const;

function unlikeness(a: RunSpec, b: RunSpec): number {
  const one = a.quantization, other = b.quantization;
  const bits = (own: RunSpec["quantization"]) => own && 10 * own.weightBits + own.activationBits;
  return ((one === null) !== (other === null) ? UNLIKE.fullPrecision : 0) +
    (a.precision !== b.precision ? UNLIKE.precision : 0) +
    (a.model !== b.model ? UNLIKE.model : 0) + (a.method.name !== b.method.name ? UNLIKE.method : 0) +
    (one?.quantizer !== other?.quantizer ? UNLIKE.quantizer : 0) + (bits(one) !== bits(other) ? UNLIKE.bits : 0);
}

/**
 * Scales the pace of the most similar run; of equally similar ones `closest` chooses. Undefined: none is known.
 *
 * On a GPU the pace is never scaled down: these networks are small for one, and less arithmetic does not make them faster.
 */
function scaled(
  { spec, images, imageShape }: Pick<Known, "spec" | "images" | "imageShape">,
  { known, workOf }: { readonly known: readonly Known[]; readonly workOf: ReturnType<typeof memoized> },
): (Known & { readonly ratio: number; readonly isScaled: boolean }) | undefined {
  const own = workOf(spec, imageShape);
  if (own === null) return undefined;
  const candidates = known.flatMap((item) => {
    const theirs = workOf(item.spec, item.imageShape);
    if (theirs === null) return [];
    const exact = own / theirs, unlike = unlikeness(spec, item.spec);
    const ratio = item.isGpu ? Math.max(1, exact) : exact;
    const isScaled = exact !== 1 || unlike > UNLIKE.bits;
    return { ...item, ratio, isScaled, distance: Math.abs(Math.log(exact)) + unlike };
  });
  const least = Math.min(...candidates.map(({ distance }) => distance));
  const nearest = candidates.filter(({ distance }) => distance === least);
  return nearest.length === 0 ? undefined : closest(nearest, images);
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
