import { shortTitle } from "../catalog/titles.ts";
import { resolve } from "node:path";
import type { EngineChoice, EngineName, Precision } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import type { Gpu } from "../pool/gpus.ts";
import { jobsThatFit } from "../plan/estimate.ts";
import { askedOnce, requireFit } from "../plan/fit.ts";
import { type PlanState, statePlan } from "../plan/plan.ts";
import { reportedPapers } from "../plan/reported_papers.ts";
import { leftOutArms, planCells, planRuns } from "../plan/tables.ts";
import type { PoolOutcome } from "../pool/pool.ts";
import type { Artefacts } from "../queue/artefacts.ts";
import {
  describeRun,
  IMPORTED,
  partsOfProtocol,
  type PlannedRun,
  type ProtocolLabel,
  protocolLabel,
} from "../record/spec.ts";
import type { RunRecord } from "../record/record.ts";
import { counted } from "../report/labels.ts";
import type { ReportFile } from "../report/mod.ts";
import { pathBelow, writeFileAtomic } from "../store/files.ts";
import { checkOut } from "../store/store.ts";
import { findTeachers, importedNetworks, placeTeachers, recordsOf, type Teacher } from "../checkpoint/teachers.ts";
import { SUITE } from "../../benchmarks/mod.ts";
import type { Paper } from "../catalog/paper.ts";
import { deviationsOf, protocolTitle, withEpochs } from "../catalog/protocol.ts";
import type { BenchOptions, BenchServices } from "./bench_options.ts";
import { benchScreen } from "./bench_screen.ts";
import { limitsOf } from "./command_line.ts";
import { probePlan, showPlan } from "./dry_run.ts";
import { type Estimator, learnEstimates, leaveGrid, measuredRuns, requireSpace, runGrid } from "./grid.ts";
import { firstJobs, requireGpu, withPlaces } from "./places.ts";
import { describeTeacher } from "./plan_text.ts";
import { startWatch } from "./watch.ts";

/** Options of a command line that can be run. */
type ChosenOptions = BenchOptions & {
  readonly papers: readonly Paper[];
  /** Words of the command line. */
  readonly args: readonly string[];
};

/** Runs what is not done of the papers' tables and reports it. @returns The exit code: 0 all done, 1 not. */
export async function runBench(options: ChosenOptions, services: BenchServices): Promise<0 | 1> {
  const { queue, store, dryRun = false } = options, limits = limitsOf(options);
  const whole = SUITE.protocols[options.protocol];
  const protocol = options.epochs === null ? whole : withEpochs(whole, options.epochs);
  const out = resolve(options.out);
  const engine = await services.resolveEngine(options.engine);
  const gpus = engine === "tensorflow" ? await services.gpus?.() ?? [] : [];
  const precision = precisionOf(options, gpus);
  // workers of a queue have processors of their own
  if (precision === "bf16" && (queue === null || engine !== "onednn")) await services.requireBfloat16(engine);
  if (options.quantizer !== null) {
    const { quantizerNamed } = await import("../quant/mod.ts"); // tensor code, only where it is asked for
    quantizerNamed(options.quantizer);
  }
  const suite = { ...SUITE, papers: services.papers };
  const imported = options.teachers === null ? null : importedNetworks(resolve(options.teachers));
  const request = { ...options, suite, protocol, engine, precision, ...(imported === null ? {} : { imported }) };
  const runs = planRuns(request), trained = [...protocolsOf(runs)];
  const protocols = trained.length > 0 ? trained : [protocol.name], shown = protocols.at(-1)!;
  services.stderr(`${engineLine(engine, options.engine)}\n`);
  const leftOut = leftOutArms(request, runs);
  if (leftOut.length > 0) {
    services.stderr(`Left out: ${leftOut.join(", ")}, without an imported network (deno task teacher, --teachers)\n`);
  }
  if (precision === "tf32") {
    services.stderr("TF32: forward exact, gradients rounded; --precision float32 turns it off\n");
  }
  if (protocol !== whole) services.stderr(`${protocol.deviations[0]}\n`);
  if (partsOfProtocol(shown).start !== null) {
    services.stderr(`${deviationsOf(suite.protocols, [shown])[shown]![0]}\n`);
  }
  const child = dryRun || queue !== null ? [] : await services.command({ out, engine }); // before anything is written
  const artefacts = await fetchRecords(runs, { out, store });
  const teachers = options.teachers === null ? null : await findTeachers(resolve(options.teachers), runs);
  if (teachers !== null && !dryRun) {
    checkOut(out);
    const say = (line: string) => services.stderr(`${line}\n`);
    for (const teacher of await placeTeachers(out, teachers.values(), { say })) {
      services.stderr(`Took ${describeTeacher(teacher)}, from ${options.teachers}\n`);
    }
  }
  // a teacher that could not be placed, as another scheduler trains it, is waited for: only a dry run looks elsewhere
  const plan = statePlan(runs.map(({ spec }) => spec), out, dryRun ? recordsOf(teachers) : undefined);
  const sizesOf = askedOnce(services.datasetSizes);
  await requireParts(plan.todo);
  requireFit(plan.todo, sizesOf);
  sayUncommitted(plan, services);
  if (teachers !== null) tellTeachers(plan, teachers, { options, services });
  if (options.probe) await probePlan(plan, { engine, sizesOf, services });
  const measured = await measuredRuns(out, services);
  const estimate = await learnEstimates(plan, { measured, engine, sizesOf, services });
  const most = jobsOf(plan, { options, estimate, services }), say = (line: string) => services.stderr(`${line}\n`);
  const sharing = { gpus: queue === null ? gpus : [], jobs: options.jobs, most, say };
  const jobs = firstJobs(sharing);
  if (dryRun) {
    const { json = false, runs: showRuns = false } = options, papers = options.papers.map(({ id }) => id);
    const view = { plan, cells: planCells(request), estimate, jobs, protocol: protocol.name, engine, papers, showRuns };
    await showPlan(view, { measured, sizesOf, services, json });
    return 0;
  }
  checkOut(out);
  if (options.report) pathBelow(out, "reports"); // a link is refused now, not after all runs
  const pagesOf = (records: readonly RunRecord[]) => reportedPapers(options.papers, { records, suite });
  const deviations = deviationsOf(suite.protocols, protocolsOf(runs));
  const watch = plan.todo.length === 0 ? null : await startWatch(options.watch, {
    title: `${options.papers.map(shortTitle).join(", ")}: protocol ${protocolTitle(shown)}`,
    out,
    runs: plan.runs,
    finished: plan.finished,
    report: (records) => services.renderReports({ pages: pagesOf(records), records, deviations }),
  }, services);
  const grid = { out, estimate, services, watch }, { failFast = false, keepEpochs, retries } = options;
  const command = keepEpochs ? [...child, "--keep-epochs"] : child;
  const running = queue === null || plan.todo.length === 0
    ? withPlaces(
      sharing,
      (places) => runGrid(plan, { ...grid, command, jobs: places, limits, retries: retries ?? 0, failFast }),
    )
    : leaveGrid(plan, { ...grid, engine, queue, store, artefacts, retries });
  const outcome = await running.finally(() => watch?.close());
  const stopped = outcome.unfinished.length > 0;
  const pages = pagesOf(outcome.records);
  const files = options.report && !stopped
    ? await services.renderReports({ pages, records: outcome.records, deviations })
    : [];
  const reports = files.map(({ path, text }) => ({ path: pathBelow(out, "reports", ...path.split("/")), text }));
  for (const { path, text } of reports) writeFileAtomic(path, text);
  const { stdout, stderr, paint, screen, colours } = services,
    isScreen = screen !== null && !options.print && !options.json;
  if (options.json) stdout(JSON.stringify(resultDocument(options, { engine, out, outcome, reports }), null, 2) + "\n");
  else if (!isScreen) {
    for (const { path, text } of reports) {
      if (path.endsWith(".md")) stdout(`${text.trimEnd()}\n\n`);
    }
  }
  const site = reports.find(({ path }) => /site[\\/]index\.html$/.test(path))?.path ?? null;
  const input = { pages, options: { ...options, protocols }, outcome, planned: plan.runs.length, site };
  if (isScreen) paint(benchScreen(input, { screen, colours }));
  else stderr(benchScreen(input, { screen: null, colours: false }));
  requireSpace(outcome, out);
  return !stopped && outcome.records.every(({ status }) => status === "done") ? 0 : 1;
}

/** The protocols of a plan: its own, and that of runs from an imported network. */
function protocolsOf(runs: readonly PlannedRun[]): Set<ProtocolLabel> {
  return new Set(runs.map(({ spec }) => protocolLabel(spec)).filter((label) => label !== IMPORTED));
}

/** Copies the records that a bucket has into the folder. */
async function fetchRecords(
  runs: readonly PlannedRun[],
  { out, store }: { out: string; store: BenchOptions["store"] },
): Promise<Artefacts | undefined> {
  if (store === null) return undefined;
  const { openArtefacts, RECORD } = await import("../queue/mod.ts");
  const artefacts = await openArtefacts(out, store);
  await artefacts.pull(runs.map(({ id }) => id), RECORD);
  return artefacts;
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

/**
 * The precision of new runs.
 * @throws {InputError} If TF32 is asked for where this machine computes, and it has no GPU.
 */
function precisionOf({ precision, queue }: Pick<BenchOptions, "precision" | "queue">, gpus: readonly Gpu[]): Precision {
  const isForbidden = Deno.env.get("NVIDIA_TF32_OVERRIDE") === "0";
  if (precision === "auto") return gpus.length > 0 && queue === null && !isForbidden ? "tf32" : "float32";
  if (precision === "tf32" && queue === null) requireGpu(gpus);
  return precision;
}

/** @throws {InputError} If the runs that would be at once do not fit in this machine's memory. */
function jobsOf(
  plan: PlanState,
  { options, estimate, services }: { options: BenchOptions; estimate: Estimator; services: BenchServices },
): number {
  const { cores, memoryMiB } = services;
  if (options.queue !== null) return cores;
  const estimates = plan.todo.map(({ spec }) => estimate(spec));
  const jobs = jobsThatFit(estimates, { wanted: options.jobs === "auto" ? null : options.jobs, cores, memoryMiB });
  if (options.jobs === "auto" && jobs < cores) {
    services.stderr(`${jobs} at once instead of one per core, as more would not fit in ${Math.round(memoryMiB)} MiB\n`);
  }
  return jobs;
}

/** @param asked What the command line asks for; who chose wasm is not told to install another. */
function engineLine(engine: EngineName, asked: EngineChoice): string {
  return engine !== "wasm" || asked === engine
    ? `Engine: ${engine}`
    : "Engine: wasm, which needs nothing installed; others are several times faster: run `deno task engine install` to " +
      "get them";
}

function resultDocument(
  { papers, protocol }: ChosenOptions,
  { engine, out, outcome: { records, unfinished }, reports }: {
    engine: EngineName;
    out: string;
    outcome: PoolOutcome;
    reports: readonly ReportFile[];
  },
): unknown {
  return {
    schema: 1,
    papers: papers.map(({ id }) => id),
    protocol,
    engine,
    out,
    records,
    unfinished: unfinished.map(({ id }) => id),
    reports: reports.map(({ path }) => path),
  };
}

/** A run that was kept may be of code that was edited since: its id is of its spec alone. */
function sayUncommitted({ finished }: PlanState, { stderr }: BenchServices): void {
  const count = [...finished.values()].filter(({ environment }) => environment.dirty === true).length;
  if (count === 0) return;
  stderr(
    `${
      counted(count, "run")
    } of those done before had uncommitted changes: to train edited code anew, give another --out\n`,
  );
}

/**
 * Refuses a plan with a name or an option that does not exist: quantized runs would fail only after full precision.
 * @throws {InputError} If a run's data set, model, quantizer or method is not there, or its options are wrong.
 */
export async function requireParts(runs: readonly PlannedRun[]): Promise<void> {
  const { datasetNamed } = await import("../../datasets/mod.ts"), { createMethod } = await import("../methods/mod.ts");
  const { modelNamed } = await import("../nn/mod.ts"), { quantizerNamed } = await import("../quant/mod.ts");
  for (const { spec } of runs) {
    try {
      datasetNamed(spec.dataset.name);
      modelNamed(spec.model);
      createMethod(spec.method);
      if (spec.quantization !== null) quantizerNamed(spec.quantization.quantizer);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new InputError(`${error.message}; it was asked for by ${describeRun(spec)}`);
    }
  }
}
