import { type Estimate, peakMemoryMiB } from "./estimate.ts";
import type { PlanState } from "./plan.ts";
import type { RunSpec } from "../record/spec.ts";

/** What a plan takes of a machine besides time. */
export interface Resources {
  /** Of the runs that are at once, at most; null: no run of the plan has an estimate. */
  readonly memoryMiB: number | null;
  /** What this machine has. */
  readonly machineMemoryMiB: number;
  /** Of everything that is left to run: two checkpoints a run, which stay. */
  readonly diskMiB: number;
  /** The same by run id. */
  readonly diskMiBOf: Readonly<Record<string, number>>;
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
  const diskMiBOf: Record<string, number> = {};
  for (const { id, spec } of todo) diskMiBOf[id] = 2 * await checkpointMiB(spec);
  const diskMiB = Object.values(diskMiBOf).reduce((sum, size) => sum + size, 0);
  return { memoryMiB: known ? peakMemoryMiB(estimates, jobs) : null, machineMemoryMiB, diskMiB, diskMiBOf };
}

/** Memory and disk in one line. */
export function resourceText({ memoryMiB, machineMemoryMiB, diskMiB }: Resources): string {
  const machine = `${Math.round(machineMemoryMiB)} MiB`;
  const memory = memoryMiB === null
    ? `no estimate yet, this machine has ${machine}`
    : `at most ${Math.round(memoryMiB)} MiB of this machine's ${machine}`;
  return `Memory: ${memory}; disk: at most ${Math.ceil(diskMiB)} MiB of checkpoints`;
}
