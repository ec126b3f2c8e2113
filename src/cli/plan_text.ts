import { type Estimate, formatSeconds, makespanSeconds } from "../plan/estimate.ts";
import type { PlanState } from "../plan/plan.ts";
import type { RunRecord } from "../record/record.ts";
import { describeRun, type PlannedRun, type RunSpec } from "../record/spec.ts";
import { formatBits } from "../catalog/bits.ts";
import type { PlannedCell } from "../plan/tables.ts";
import { type Resources, resourceText } from "../plan/resources.ts";

/** Everything that `--dry-run` shows. */
export interface PlanView {
  readonly plan: PlanState;
  readonly cells: readonly PlannedCell[];
  readonly estimate: (spec: RunSpec) => Estimate | null;
  readonly jobs: number;
  readonly resources: Resources;
  readonly protocol: string;
  readonly papers: readonly string[];
}

/** Plan, estimates and how many runs are computed at once. */
type Timed = Pick<PlanView, "plan" | "estimate" | "jobs">;

/** Sums up what is left to run: its time with `jobs` at once, as far as it is known, and the runs without an estimate. */
function remaining({ plan, estimate, jobs }: Timed): { seconds: number; unknown: number } {
  const runs = plan.todo.flatMap(({ id, spec }) => {
    const seconds = estimate(spec)?.seconds;
    return seconds === undefined ? [] : [{ id, teacher: spec.teacher, seconds }];
  });
  return { seconds: makespanSeconds(runs, jobs), unknown: plan.todo.length - runs.length };
}

/** Says how long what is left will take. */
export function timeText(view: Timed): string {
  const { plan: { todo }, jobs } = view, { seconds, unknown } = remaining(view);
  if (todo.length === 0) return "nothing to run";
  if (unknown === todo.length) return "no estimate yet";
  const known = `about ${formatSeconds(seconds)} with ${jobs} at once`;
  return unknown === 0 ? known : `${known}, and ${unknown} runs without an estimate`;
}

/** Seconds of one process (of one GPU, where the records are from one) for all runs of a cell; null: one has no estimate. */
function cellSeconds({ runs }: PlannedCell, { estimate }: PlanView): number | null {
  let total = 0;
  for (const { spec } of runs) {
    const seconds = estimate(spec)?.seconds;
    if (seconds === undefined) return null;
    total += seconds;
  }
  return total;
}

/** Lists every cell of every table: its runs, and what they take one after the other. */
function cellLines(view: PlanView): string[] {
  const titles = new Map<string, string[][]>();
  for (const cell of view.cells) {
    const { paper, table, dataset, model, arm, bits, runs } = cell, seconds = cellSeconds(cell, view);
    const time = seconds === null ? "no estimate" : `${(seconds / 3600).toFixed(2)} h`;
    const row = [
      model,
      arm,
      bits ? formatBits(bits) : "FP",
      `${runs.length} ${runs.length === 1 ? "run" : "runs"}`,
      time,
    ];
    const title = `${paper} ${table}, ${dataset}`;
    titles.set(title, [...titles.get(title) ?? [], row]);
  }
  return [...titles].flatMap(([title, rows]) => {
    const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
    const lines = rows.map((row) => `  ${row.map((text, i) => text.padEnd(widths[i]!)).join("  ")}`.trimEnd());
    return [`Cells of ${title}: hours of one process`, ...lines];
  });
}

function diskText({ diskMiBOf }: Resources, id: string): string {
  const size = diskMiBOf[id];
  // two digits, and never an exponent
  return size === undefined ? "" : `, ${size < 10 ? size.toPrecision(2) : Math.round(size)} MiB of disk`;
}

function estimateText(estimate: Estimate | null): string {
  if (estimate === null) return "no estimate yet";
  const { seconds, memoryMiB } = estimate;
  if (memoryMiB === null) return `roughly ${formatSeconds(seconds)}, by the work of other runs`;
  return `about ${formatSeconds(seconds)}, ${Math.round(memoryMiB)} MiB of memory`;
}

function runLine({ id, spec }: PlannedRun, { plan, estimate, resources }: PlanView): string {
  const record = plan.finished.get(id);
  const expected = estimate(spec);
  const state = record?.status ?? estimateText(expected) + diskText(resources, id);
  return `${spec.teacher === null ? "" : "  "}${describeRun(spec)}  ${id}  ${state}`;
}

/** Writes the plan for people: students stand below their teachers. */
export function planText(view: PlanView): string {
  const { plan, papers, protocol } = view;
  const lines: string[] = [];
  for (const teacher of plan.runs.filter(({ spec }) => spec.teacher === null)) {
    lines.push(runLine(teacher, view));
    for (const run of plan.runs) if (run.spec.teacher === teacher.id) lines.push(runLine(run, view));
  }
  const left = `${plan.runs.length} runs, ${plan.finished.size} done, ${plan.todo.length} to run: ${timeText(view)}`;
  const resources = plan.todo.length === 0 ? [] : [resourceText(view.resources)];
  const head = `Plan of ${papers.join(", ")}, protocol ${protocol}`;
  return [head, ...lines, ...cellLines(view), ...resources, left, ""].join("\n");
}

/** Writes the plan for machines. */
export function planDocument(view: PlanView): unknown {
  const { plan, estimate, jobs, papers, protocol } = view, { seconds, unknown } = remaining(view);
  const { memoryMiB, machineMemoryMiB, diskMiB } = view.resources;
  return {
    schema: 1,
    papers,
    protocol,
    jobs,
    runs: plan.runs.map(({ id, spec }) => ({
      id,
      spec,
      status: plan.finished.get(id)?.status ?? null,
      estimatedSeconds: estimate(spec)?.seconds ?? null,
      estimatedMemoryMiB: estimate(spec)?.memoryMiB ?? null,
      estimatedDiskMiB: view.resources.diskMiBOf[id] ?? null,
    })),
    cells: view.cells.map((cell) => ({
      ...cell,
      runs: cell.runs.map(({ id }) => id),
      estimatedSeconds: cellSeconds(cell, view),
    })),
    estimatedSeconds: unknown > 0 ? null : seconds,
    resources: { memoryMiB, machineMemoryMiB, diskMiB },
  };
}

/** A teacher in a few words: `fp resnet20 seed 0, 88.43 %`. */
export function describeTeacher({ spec, metrics }: RunRecord): string {
  return `${describeRun(spec)}, ${metrics!["top1Percent"]!.toFixed(2)} %`;
}
