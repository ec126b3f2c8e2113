/** Places for the processes of runs: how many there are at once, and on which GPU each computes. */
import type { PlannedRun } from "../record/spec.ts";
import { type Gpu, usedMiB } from "./gpus.ts";
import { createGrowth } from "./growth.ts";
import type { ChildMessage, ChildPlace } from "./process.ts";

/** Place of one process. */
export interface Place extends ChildPlace {
  report(message: ChildMessage): void;
  release(): void;
}

/** Places of a machine. */
export interface Places {
  /** Number of processes that may be at once now. */
  readonly limit: number;
  take(run: PlannedRun): Place;
  /** Calls back when the limit has changed, with a line for people. */
  onChange(listener: (line: string) => void): void;
}

/** Makes places without GPUs, always as many. */
export function cpuPlaces(limit: number): Places {
  const place: Place = { variables: {}, gpu: null, report: () => {}, release: () => {} };
  return { limit, take: () => place, onChange: () => {} };
}

/** Options of `gpuPlaces`. */
export interface GpuPlacesOptions {
  readonly gpus: readonly Gpu[];
  /** Processes at once on all GPUs together; auto: as many as fit and pay. */
  readonly jobs: number | "auto";
  /** The most processes at once that the rest of the machine can take. */
  readonly most: number;
  /** Variables of every process. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** Makes places on GPUs: each process gets the GPU that has the fewest. */
export function gpuPlaces({ gpus, jobs, most, variables = {} }: GpuPlacesOptions): Places {
  const held = gpus.map(() => 0), listeners: ((line: string) => void)[] = [];
  const growth = jobs === "auto"
    ? createGrowth({
      gpus: gpus.map((gpu, i) => ({ ...gpu, usedMiB: () => usedMiB(gpu), processes: () => held[i]! })),
      most,
      onChange: (line) => listeners.forEach((listener) => listener(line)),
    })
    : null;
  return {
    get limit() {
      return jobs === "auto" ? growth!.limit : jobs;
    },
    take({ id, spec }): Place {
      const index = held.indexOf(Math.min(...held)), { visible, name } = gpus[index]!;
      let isHeld = true;
      held[index]!++;
      growth?.started(id, spec);
      return {
        variables: { ...variables, ...(visible === null ? {} : { CUDA_VISIBLE_DEVICES: visible }) },
        gpu: name,
        report: (message) => message.type === "progress" && growth?.progress(id, message.step),
        release(): void {
          if (!isHeld) return;
          isHeld = false;
          held[index]!--;
          growth?.ended(id);
        },
      };
    },
    onChange: (listener) => void listeners.push(listener),
  };
}
