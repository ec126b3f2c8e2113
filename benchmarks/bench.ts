import { join, resolve } from "node:path";
import type { EngineName } from "../src/engine/types.ts";
import { InputError } from "../src/errors.ts";
import type { ReportFile } from "../src/report/mod.ts";
import { estimator, jobsThatFit } from "../src/runs/estimate.ts";
import { writeFileAtomic } from "../src/runs/files.ts";
import { type PlannedRun, type PlanState, statePlan } from "../src/runs/plan.ts";
import type { PoolOutcome } from "../src/runs/pool.ts";
import type { Artefacts } from "../src/runs/queue/artefacts.ts";
import { redact } from "../src/runs/queue/url.ts";
import { checkOut, readableRecords } from "../src/runs/store.ts";
import { type BenchServices, type Estimator, leavePlan, runPlan, tellOutcome } from "./grid.ts";
import { askedOnce, requireFit, type SizesOf } from "./fit.ts";
import { withMovedArms } from "./moved_arms.ts";
import { type BenchOptions, helpText, parseOptions } from "./options.ts";
import { pageOf } from "./page_of.ts";
import { planCells, planRuns } from "./plan.ts";
import { planDocument, planText } from "./plan_text.ts";
import { PROTOCOL_DEFINITIONS } from "./protocols.ts";
import { planResources } from "./resources.ts";
import { describeTeacher, findTeachers, placeTeachers, recordsOf, type Teacher } from "./teachers.ts";

export type { BenchServices } from "./grid.ts";

/**
 * `deno task bench`: plans the tables of the papers, runs what is not done, writes the report.
 * @returns The exit code: 0 all done, 1 some failed or stopped, 2 bad input.
 */
export async function bench(args: readonly string[], services: BenchServices): Promise<number> {
  try {
    const options = parseOptions(args, services.papers);
    if (options !== null) return await benchWith(options, services);
    services.stdout(helpText(services.papers));
    return 0;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    services.stderr(`${redact(error.message)}\n`);
    return 2;
  }
}

async function benchWith(options: BenchOptions, services: BenchServices): Promise<number> {
  const protocol = PROTOCOL_DEFINITIONS[options.protocol];
  const out = resolve(options.out);
  const engine = await services.resolveEngine(options.engine);
  services.stderr(engineLine(engine) + "\n");
  if (options.quantizer !== null) {
    const { quantizerNamed } = await import("../src/quant/mod.ts"); // tensor code, only where it is asked for
    quantizerNamed(options.quantizer);
  }
  const request = { ...options, protocol, engine };
  const runs = planRuns(request);
  const artefacts = await fetchRecords(runs, { out, store: options.store });
  const teachers = options.teachers === null ? null : await findTeachers(resolve(options.teachers), runs);
  if (teachers !== null && !options.dryRun) {
    checkOut(out);
    for (const teacher of await placeTeachers(out, teachers.values())) {
      services.stderr(`Took ${describeTeacher(teacher)}, from ${options.teachers}\n`);
    }
  }
  // a teacher that could not be placed, as another scheduler trains it, is waited for: only a dry run looks elsewhere
  const plan = statePlan(runs.map(({ spec }) => spec), out, options.dryRun ? recordsOf(teachers) : undefined);
  const sizesOf = askedOnce(services.datasetSizes);
  requireFit(plan.todo, sizesOf);
  if (teachers !== null) tellTeachers(plan, teachers, { options, services });
  const estimate = await learnEstimates(plan, { out, sizesOf, services });
  const alone = options.jobs === null && engine === "tensorflow" && await services.gpuExpected?.();
  if (alone) services.stderr("One run at once, as a run takes the GPU as a whole\n");
  const jobs = alone ? 1 : jobsOf(plan, { options, estimate, services });
  if (options.dryRun) {
    const { memoryMiB: machineMemoryMiB, checkpointMiB } = services;
    const resources = await planResources(plan, { estimate, jobs, machineMemoryMiB, checkpointMiB });
    const cells = planCells(request), papers = options.papers.map(({ id }) => id);
    const view = { plan, cells, estimate, jobs, resources, protocol: protocol.name, papers };
    services.stdout(options.json ? JSON.stringify(planDocument(view), null, 2) + "\n" : planText(view));
    return 0;
  }
  checkOut(out);
  const { queue } = options;
  const outcome = queue === null || plan.todo.length === 0
    ? await runPlan(plan, { out, jobs, options, estimate, services })
    : await leavePlan(plan, { out, engine, queue, artefacts, options, estimate, services });
  tellOutcome(outcome, { plan, out, services });
  const stopped = outcome.unfinished.length > 0;
  const files = options.report && !stopped
    ? await services.renderReports({
      pages: options.papers.map((paper) => withMovedArms(pageOf(paper), outcome.records)),
      records: outcome.records,
      deviations: { [protocol.name]: protocol.deviations },
    })
    : [];
  const reports = files.map(({ path, text }) => {
    const target = join(out, "reports", path);
    writeFileAtomic(target, text);
    return { path: target, text };
  });
  if (options.json) {
    services.stdout(JSON.stringify(resultDocument(options, { engine, out, outcome, reports }), null, 2) + "\n");
  } else {
    for (const { path, text } of reports) if (path.endsWith(".md")) services.stdout(text.trimEnd() + "\n\n");
    const opened = reports.filter(({ path }) =>
      /\.(md|csv)$|site\/index\.html$/.test(path) && !/site\/data\//.test(path)
    );
    for (const { path } of opened) services.stderr(`Wrote ${path}\n`);
    if (reports.length > opened.length) {
      services.stderr(`Wrote ${reports.length - opened.length} more files of the site\n`);
    }
  }
  return !stopped && outcome.records.every(({ status }) => status === "done") ? 0 : 1;
}

/** Has the records that a bucket has in the folder. */
async function fetchRecords(
  runs: readonly PlannedRun[],
  { out, store }: { out: string; store: BenchOptions["store"] },
): Promise<Artefacts | undefined> {
  if (store === null) return undefined;
  const { openArtefacts, RECORD } = await import("../src/runs/queue/mod.ts");
  const artefacts = await openArtefacts(out, store);
  await artefacts.pull(runs.map(({ id }) => id), RECORD);
  return artefacts;
}

/** What runs are expected to take: this folder's records count before the committed ones, as they are of this machine. */
async function learnEstimates(
  plan: PlanState,
  { out, sizesOf, services }: { out: string; sizesOf: SizesOf; services: BenchServices },
): Promise<Estimator> {
  if (plan.todo.length === 0) return () => null;
  const records = [...await services.committedRecords(), ...readableRecords(out)];
  return estimator(records, (dataset) => sizesOf(dataset)?.train ?? null);
}

/** Says which full-precision runs `--teachers` does not spare: another protocol, seed or engine makes another run. */
function tellTeachers(
  { runs, todo }: PlanState,
  teachers: ReadonlyMap<string, Teacher>,
  { options, services }: { options: BenchOptions; services: BenchServices },
): void {
  const isWanted = ({ spec }: PlannedRun) => spec.teacher === null;
  const wanted = runs.filter(isWanted).length;
  const missing = todo.filter((run) => isWanted(run) && !teachers.has(run.id)).length;
  if (missing === 0) return;
  const found = wanted === 1
    ? "The full-precision run of this plan is not"
    : `${teachers.size === 0 ? "None" : teachers.size} of the ${wanted} full-precision runs of this plan ` +
      (teachers.size > 1 ? "are" : "is");
  const rest = missing < wanted ? `; ${missing} to train` : `, so ${wanted === 1 ? "it is" : "they are"} trained`;
  services.stderr(`${found} in ${options.teachers}${rest}\n`);
}

/** @throws {InputError} If the runs that would be at once do not fit in this machine's memory. */
function jobsOf(
  plan: PlanState,
  { options, estimate, services }: { options: BenchOptions; estimate: Estimator; services: BenchServices },
): number {
  const { cores, memoryMiB } = services;
  if (options.queue !== null) return cores;
  const estimates = plan.todo.map(({ spec }) => estimate(spec));
  const jobs = jobsThatFit(estimates, { wanted: options.jobs, cores, memoryMiB });
  if (options.jobs === null && jobs < cores) {
    services.stderr(`${jobs} at once instead of one a core, as more would not fit in ${Math.round(memoryMiB)} MiB\n`);
  }
  return jobs;
}

function engineLine(engine: EngineName): string {
  return engine !== "wasm"
    ? `Engine: ${engine}`
    : "Engine: wasm, which needs nothing installed; tensorflow is several times faster: run `deno task engine install` " +
      "to get it";
}

function resultDocument(
  options: BenchOptions,
  { engine, out, outcome, reports }: {
    engine: EngineName;
    out: string;
    outcome: PoolOutcome;
    reports: readonly ReportFile[];
  },
): unknown {
  return {
    schema: 1,
    papers: options.papers.map(({ id }) => id),
    protocol: options.protocol,
    engine,
    out,
    records: outcome.records,
    unfinished: outcome.unfinished.map(({ id }) => id),
    reports: reports.map(({ path }) => path),
  };
}
