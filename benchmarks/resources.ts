import { type Estimate, peakMemoryMiB } from "../src/runs/estimate.ts";
import type { PlanState } from "../src/runs/plan.ts";
import type { RunSpec } from "../src/runs/spec.ts";

/** What a plan takes of a machine besides time. */
export interface Resources {
  /** Of the runs that are at once, at most; null: no run of the plan has an estimate. */
  readonly memoryMiB: number | null;
  /** What this machine has. */
  readonly machineMemoryMiB: number;
  /** Of everything that is left to run: two checkpoints a run, which stay. */
  readonly diskMiB: number;
}

/** Sums what the runs that are left take. */
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
  const known = estimates.some((item) => item !== null);
  let diskMiB = 0;
  for (const { spec } of todo) diskMiB += 2 * await checkpointMiB(spec);
  return { memoryMiB: known ? peakMemoryMiB(estimates, jobs) : null, machineMemoryMiB, diskMiB };
}

/** Memory and disk in one line. */
export function resourceText({ memoryMiB, machineMemoryMiB, diskMiB }: Resources): string {
  const memory = memoryMiB === null ? "no estimate yet" : `at most ${Math.round(memoryMiB)} MiB`;
  return `Memory: ${memory} of this machine's ${Math.round(machineMemoryMiB)} MiB; disk: at most ${
    Math.ceil(diskMiB)
  } MiB of checkpoints`;
}
