import { type Estimate, peakMemoryMiB } from "./estimate.ts";
import type { PlanState } from "./plan.ts";
import type { RunSpec } from "../record/spec.ts";

/** Memory and disk that a plan takes. */
export interface Resources {
  /** Memory of the runs at once, at most; null: no run of the plan has an estimate of it. */
  readonly memoryMiB: number | null;
  readonly machineMemoryMiB: number;
  /** Disk of all that is left to run: two checkpoints per run, which stay. */
  readonly diskMiB: number;
  /** Disk of each run, by id. */
  readonly diskMiBOf: Readonly<Record<string, number>>;
}

/** Adds up what is left to run. */
export async function planResources(
  { todo }: PlanState,
  { estimate, jobs, machineMemoryMiB, checkpointMiB }: {
    readonly estimate: (spec: RunSpec) => Estimate | null;
    readonly jobs: number;
    readonly machineMemoryMiB: number;
    readonly checkpointMiB: (spec: RunSpec) => Promise<number>;
  },
): Promise<Resources> {
  const estimates = todo.map(({ spec }) => estimate(spec));
  const known = estimates.some((item) => item !== null && item.memoryMiB !== null);
  const diskMiBOf: Record<string, number> = {};
  for (const { id, spec } of todo) diskMiBOf[id] = 2 * await checkpointMiB(spec);
  const diskMiB = Object.values(diskMiBOf).reduce((sum, size) => sum + size, 0);
  return { memoryMiB: known ? peakMemoryMiB(estimates, jobs) : null, machineMemoryMiB, diskMiB, diskMiBOf };
}
