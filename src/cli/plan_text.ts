import { formatBits } from "../catalog/bits.ts";
import { hoursOf, hoursText, partlyKnown, type PlanCosts, type Processor } from "../plan/cost.ts";
import { type Estimate, formatSeconds, makespanSeconds } from "../plan/estimate.ts";
import type { PlanState } from "../plan/plan.ts";
import type { Resources } from "../plan/resources.ts";
import type { PlannedCell } from "../plan/tables.ts";
import type { RunRecord } from "../record/record.ts";
import { describeRun, type PlannedRun, type ProtocolName, type RunSpec } from "../record/spec.ts";
import { counted } from "../report/labels.ts";
import { columns } from "./columns.ts";
import { protocolTitle } from "../catalog/protocol.ts";

/** Everything that `--dry-run` shows. */
export interface PlanView {
  readonly plan: PlanState;
  readonly cells: readonly PlannedCell[];
  readonly costs: PlanCosts;
  /** This machine's first. */
  readonly processors: readonly Processor[];
  readonly estimate: (spec: RunSpec) => Estimate | null;
  readonly jobs: number;
  readonly resources: Resources;
  readonly protocol: ProtocolName;
  readonly engine: string;
  readonly papers: readonly string[];
  /** True: each run is listed. */
  readonly showRuns: boolean;
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

/** Lists the cells of each table: runs, those done, and the hours of all of them. */
function cellLines({ cells, plan, processors: [here] }: PlanView): string[] {
  return [...Map.groupBy(cells, ({ paper, table, dataset }) => `${paper} ${table}, ${dataset}`)].flatMap(
    ([title, own]) => {
      const rows = own.map(({ model, arm, bits, runs }) => [
        model,
        arm,
        bits ? formatBits(bits) : "FP",
        String(runs.length),
        String(runs.filter(({ id }) => plan.finished.has(id)).length),
        here ? hoursText(hoursOf(runs.map(({ spec }) => here.estimate(spec)), here.name), runs.length) : "0",
      ]);
      const head = ["model", "method", "bits", "runs", "done", here?.isGpu ? "GPU-hours" : "core-hours"];
      return [title, ...columns([head, ...rows], new Set([3, 4, 5])).map((line) => `  ${line}`), ""];
    },
  );
}

/** Writes mebibytes as gibibytes with two digits. */
function gibibytes(size: number): string {
  const value = size / 1024;
  return value < 10 ? value.toPrecision(2) : String(Math.round(value));
}

/** A processor's name without its maker, as a column has little room. */
function shortName(name: string): string {
  return name.replace(/^(NVIDIA|AMD|Intel\(R\)) /, "");
}

/** Writes the table of costs, a line for each table of a paper, and what its signs say. */
function costLines({ costs, processors, jobs, engine, resources }: PlanView): string[] {
  const hours = processors.map(({ name, isGpu }) => isGpu ? `${shortName(name)} h` : "core-hours");
  const rows = [...costs.tables.map((cost) => ({ name: `${cost.paper} ${cost.table}`, cost })), {
    name: "all, each run once",
    cost: costs.total,
  }].map(({ name, cost: { runs, done, left, hours, memoryMiB, unknownMemory, diskMiB } }) => [
    name,
    ...[runs, done, left].map(String),
    ...hours.map((item) => hoursText(item, left)),
    partlyKnown(gibibytes(memoryMiB), unknownMemory, left),
    gibibytes(diskMiB),
  ]);
  const table = [["cost of what is left", "runs", "done", "left", ...hours, "memory", "disk"], ...rows];
  const texts = rows.flat().join(" "), [here] = processors;
  return [
    ...columns(table, new Set(table[0]!.keys().drop(1))),
    "",
    `This machine: ${here!.name}, engine ${engine}`,
    ...(processors.length > 1 ? ["Hours of another GPU come from runs on that GPU alone, with engine tensorflow"] : []),
    "A run that tables share counts in each, and once in the last line",
    `Memory (${counted(jobs, "run")} at once; here: ${
      gibibytes(resources.machineMemoryMiB)
    }) and disk (checkpoints) in GiB`,
    ...(texts.includes("~") ? ["~ scaled, in part, from other kinds of run by their arithmetic and passes"] : []),
    ...(texts.includes("?") ? ["? not measured on this processor with this engine"] : []),
    "More: --probe times 10 steps of each kind of run here first; --runs lists each",
    "run with its id; --table takes one table; --json gives all",
  ];
}

function diskText({ diskMiBOf }: Resources, id: string): string {
  const size = diskMiBOf[id];
  // two digits, and never an exponent
  return size === undefined ? "" : `, ${size < 10 ? size.toPrecision(2) : Math.round(size)} MiB of disk`;
}

function estimateText(estimate: Estimate | null): string {
  if (estimate === null) return "no estimate yet";
  const { seconds, memoryMiB, isScaled } = estimate;
  if (isScaled) return `roughly ${formatSeconds(seconds)}, by the work of other runs`;
  return `about ${formatSeconds(seconds)}${memoryMiB === null ? "" : `, ${Math.round(memoryMiB)} MiB of memory`}`;
}

function runLine({ id, spec }: PlannedRun, { plan, estimate, resources }: PlanView): string {
  const record = plan.finished.get(id);
  const state = record?.status ?? estimateText(estimate(spec)) + diskText(resources, id);
  return `${spec.teacher === null ? "" : "  "}${describeRun(spec)}  ${id}  ${state}`;
}

/** Lists every run; students stand below their teachers. */
function runLines(view: PlanView): string[] {
  const { runs } = view.plan, students = Map.groupBy(runs, ({ spec }) => spec.teacher);
  const ordered = (students.get(null) ?? []).flatMap((teacher) => [teacher, ...students.get(teacher.id) ?? []]);
  return [...ordered.map((run) => runLine(run, view)), ""];
}

/** Writes the plan for people: its cells, its runs if they were asked for, and what each table costs. */
export function planText(view: PlanView): string {
  const { plan, papers, protocol, showRuns } = view;
  const left = `${plan.runs.length} runs, ${plan.finished.size} done, ${plan.todo.length} to run: ${timeText(view)}`;
  const head = `Plan of ${papers.join(", ")}, protocol ${protocolTitle(protocol)}`,
    costs = plan.todo.length === 0 ? [] : costLines(view);
  return [head, "", ...cellLines(view), ...(showRuns ? runLines(view) : []), ...costs, left, ""].join("\n");
}

/** Writes the plan for machines. */
export function planDocument(view: PlanView): unknown {
  const { plan, estimate, jobs, papers, protocol, costs } = view, { seconds, unknown } = remaining(view);
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
    costs,
    estimatedSeconds: unknown > 0 ? null : seconds,
    resources: { memoryMiB, machineMemoryMiB, diskMiB },
  };
}

/** A teacher in a few words: `fp resnet20 seed 0, 88.43 %`. */
export function describeTeacher({ spec, metrics }: RunRecord): string {
  return `${describeRun(spec)}, ${metrics!["top1Percent"]!.toFixed(2)} %`;
}
