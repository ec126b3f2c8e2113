/** Places for the runs of a command, and NVIDIA's MPS where runs share a GPU. */
import { InputError } from "../errors.ts";
import type { Gpu } from "../pool/gpus.ts";
import { startMps } from "../pool/mps.ts";
import { cpuPlaces, gpuPlaces, type Places } from "../pool/places.ts";
import type { Jobs } from "./command_line.ts";

/** Options of `withPlaces`. */
export interface PlacesOptions {
  /** GPUs that runs will compute on; none: they compute on the CPU. */
  readonly gpus: readonly Gpu[];
  readonly jobs: Jobs;
  /** The most runs at once that cores and memory allow. */
  readonly most: number;
  readonly say: (line: string) => void;
}

/** @throws {InputError} If there is no GPU: TF32 is a form of GPUs alone. */
export function requireGpu(gpus: readonly Gpu[]): void {
  if (gpus.length > 0) return;
  throw new InputError("Cannot compute in TF32 as no GPU was found: leave --precision out");
}

/** Counts the runs that are at once at first. */
export function firstJobs({ gpus, jobs, most }: Pick<PlacesOptions, "gpus" | "jobs" | "most">): number {
  if (jobs !== "auto") return jobs;
  return gpus.length === 0 ? most : Math.max(1, Math.min(most, gpus.length));
}

/** Gives `work` the places of this machine; starts MPS before where runs share a GPU, and stops it after. */
export async function withPlaces<Result>(
  options: PlacesOptions,
  work: (places: Places) => Promise<Result>,
): Promise<Result> {
  const { gpus, jobs, most, say } = options;
  if (gpus.length === 0) return await work(cpuPlaces(firstJobs(options)));
  const onAll = gpus.length === 1 ? "the GPU" : `${gpus.length} GPUs`,
    shared = (jobs === "auto" ? most : jobs) > gpus.length;
  const mps = shared ? await startMps() : null;
  const count = jobs === "auto" ? `${firstJobs(options)} at once at first, more while that pays` : `${jobs} at once`;
  say(`Runs on ${onAll}: ${count}`);
  if (mps !== null) say(`They share a GPU ${mps.how}`);
  try {
    return await work(gpuPlaces({ gpus, jobs, most, ...(mps === null ? {} : { variables: mps.variables }) }));
  } finally {
    await mps?.stop();
  }
}
