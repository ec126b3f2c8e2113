import { type Estimate, peakMemoryMiB } from "./estimate.ts";
import type { PlanState } from "./plan.ts";
import type { PlannedRun, RunSpec } from "../record/spec.ts";
import type { PlannedCell } from "./tables.ts";

/** A processor, and the estimate of a run on it. */
export interface Processor {
  readonly name: string;
  readonly isGpu: boolean;
  readonly estimate: (spec: RunSpec) => Estimate | null;
}

/** Hours of a processor for runs. */
export interface Hours {
  readonly processor: string;
  /** Sum over the runs that have an estimate. */
  readonly hours: number;
  /** Runs whose estimate is scaled from another kind. */
  readonly scaled: number;
  /** Runs without an estimate. */
  readonly unknown: number;
}

/** Cost of what is left of some runs. */
export interface Cost {
  readonly runs: number;
  readonly done: number;
  readonly left: number;
  /** By processor. */
  readonly hours: readonly Hours[];
  /** Memory of the runs at once, at most, on the first processor, and the runs whose memory is not known. */
  readonly memoryMiB: number;
  readonly unknownMemory: number;
  /** Disk of the checkpoints. */
  readonly diskMiB: number;
}

/** Cost of a table of a paper. */
export interface TableCost extends Cost {
  readonly paper: string;
  readonly table: string;
}

/** Cost of each table, whose teachers and shared runs count in each, and of the plan, where each run counts once. */
export interface PlanCosts {
  readonly tables: readonly TableCost[];
  readonly total: Cost;
}

/** Options of `planCosts`. */
export interface CostOptions {
  /** The first one is this machine's. */
  readonly processors: readonly Processor[];
  /** Runs at once. */
  readonly jobs: number;
  /** Disk of a run, by id. */
  readonly diskMiBOf: Readonly<Record<string, number>>;
}

/** Computes what is left of a plan costs, table by table. */
export function planCosts(plan: PlanState, cells: readonly PlannedCell[], options: CostOptions): PlanCosts {
  const byId = new Map(plan.runs.map((run) => [run.id, run]));
  const tables = [...Map.groupBy(cells, ({ paper, table }) => `${paper} ${table}`).values()].map((own) => {
    const { paper, table } = own[0]!, runs = own.flatMap((cell) => cell.runs);
    const teachers = runs.flatMap(({ spec }) => spec.teacher === null ? [] : byId.get(spec.teacher) ?? []);
    return { paper, table, ...costOf([...runs, ...teachers], plan, options) };
  });
  return { tables, total: costOf(plan.runs, plan, options) };
}

function costOf(
  all: readonly PlannedRun[],
  { finished }: PlanState,
  { processors, jobs, diskMiBOf }: CostOptions,
): Cost {
  const runs = [...new Map(all.map((run) => [run.id, run])).values()],
    left = runs.filter(({ id }) => !finished.has(id));
  const memory = left.map(({ spec }) => processors[0]?.estimate(spec) ?? null);
  return {
    runs: runs.length,
    done: runs.length - left.length,
    left: left.length,
    hours: processors.map(({ name, estimate }) => hoursOf(left.map(({ spec }) => estimate(spec)), name)),
    memoryMiB: peakMemoryMiB(memory, jobs),
    unknownMemory: memory.filter((item) => (item?.memoryMiB ?? null) === null).length,
    diskMiB: left.reduce((sum, { id }) => sum + (diskMiBOf[id] ?? 0), 0),
  };
}

/** Adds up estimates. */
export function hoursOf(estimates: readonly (Estimate | null)[], processor: string): Hours {
  const known = estimates.filter((item) => item !== null);
  return {
    processor,
    hours: known.reduce((sum, { seconds }) => sum + seconds, 0) / 3600,
    scaled: known.filter(({ isScaled }) => isScaled).length,
    unknown: estimates.length - known.length,
  };
}

/** Writes hours: `0.52`, `1,204`; `~` where a part is scaled, `+?` where a part is not known, `?` where all is not. */
export function hoursText({ hours, scaled, unknown }: Hours, runs: number): string {
  const digits = hours < 9.995 ? 2 : 0;
  const number = hours.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return (scaled > 0 ? "~" : "") + partlyKnown(number, unknown, runs);
}

/** Writes what is known of a sum over `runs`, of which some have no part in it. */
export function partlyKnown(text: string, unknown: number, runs: number): string {
  if (unknown === 0) return text;
  return unknown === runs ? "?" : `${text}+?`;
}
