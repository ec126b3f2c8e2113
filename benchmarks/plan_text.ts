import { type Estimate, formatSeconds, makespanSeconds } from "../src/runs/estimate.ts";
import { describeRun, type PlannedRun, type PlanState } from "../src/runs/plan.ts";
import type { RunSpec } from "../src/runs/spec.ts";

/** What `--dry-run` shows. */
export interface PlanView {
  readonly plan: PlanState;
  readonly estimate: (spec: RunSpec) => Estimate | null;
  readonly jobs: number;
  readonly protocol: string;
  readonly papers: readonly string[];
}

/** Seconds of all that is left to run; null: a run of it has no estimate. */
function totalSeconds({ plan, estimate, jobs }: PlanView): number | null {
  const runs: { id: string; teacher: string | null; seconds: number }[] = [];
  for (const { id, spec } of plan.todo) {
    const seconds = estimate(spec)?.seconds;
    if (seconds === undefined) return null;
    runs.push({ id, teacher: spec.teacher, seconds });
  }
  return makespanSeconds(runs, jobs);
}

function runLine({ id, spec }: PlannedRun, { plan, estimate }: PlanView): string {
  const record = plan.finished.get(id);
  const expected = estimate(spec);
  const state = record !== undefined
    ? record.status
    : expected === null
    ? "no estimate yet"
    : `about ${formatSeconds(expected.seconds)}, ${Math.round(expected.memoryMiB)} MiB`;
  return `${spec.teacher === null ? "" : "  "}${describeRun(spec)}  ${id}  ${state}`;
}

/** The plan for people: students stand below their teachers. */
export function planText(view: PlanView): string {
  const { plan, jobs, papers, protocol } = view;
  const lines: string[] = [];
  for (const teacher of plan.runs.filter(({ spec }) => spec.teacher === null)) {
    lines.push(runLine(teacher, view));
    for (const run of plan.runs) if (run.spec.teacher === teacher.id) lines.push(runLine(run, view));
  }
  const total = totalSeconds(view);
  const time = plan.todo.length === 0
    ? "nothing to run"
    : total === null
    ? "no estimate yet"
    : `about ${formatSeconds(total)} with ${jobs} at once`;
  const left = `${plan.runs.length} runs, ${plan.finished.size} done, ${plan.todo.length} to run: ${time}`;
  return [`Plan of ${papers.join(", ")}, protocol ${protocol}`, ...lines, left, ""].join("\n");
}

/** The plan for machines. */
export function planDocument(view: PlanView): unknown {
  const { plan, estimate, jobs, papers, protocol } = view;
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
    })),
    estimatedSeconds: totalSeconds(view),
  };
}
