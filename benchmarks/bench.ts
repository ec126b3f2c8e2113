import { join, resolve } from "node:path";
import type { EngineChoice } from "../src/engine/mod.ts";
import type { EngineName } from "../src/engine/types.ts";
import { InputError } from "../src/errors.ts";
import type { ReportFile, ReportInput } from "../src/report/mod.ts";
import { estimator } from "../src/runs/estimate.ts";
import { writeFileAtomic } from "../src/runs/files.ts";
import type { Interrupts } from "../src/runs/interrupts.ts";
import { describeRun, type PlanState, statePlan } from "../src/runs/plan.ts";
import { type PoolOutcome, runPool } from "../src/runs/pool.ts";
import { createProgress, type Progress } from "../src/runs/progress.ts";
import { addressWarning, type QueueAddress, redact } from "../src/runs/queue/url.ts";
import { checkOut, logFile, readableRecords } from "../src/runs/store.ts";
import { type BenchOptions, helpText, parseOptions } from "./options.ts";
import { planRuns } from "./plan.ts";
import { planDocument, planText } from "./plan_text.ts";
import { PROTOCOL_DEFINITIONS } from "./protocols.ts";
import type { Paper } from "./types.ts";

/** What the command needs from outside; nothing here loads tensor code. */
export interface BenchServices {
  readonly papers: readonly Paper[];
  readonly resolveEngine: (choice: EngineChoice) => Promise<EngineName>;
  /** Has the data set at hand before processes ask for it. @throws {InputError} If it cannot be had. */
  readonly prepareDataset: (name: string, log: (line: string) => void) => Promise<void>;
  readonly trainSize: (dataset: string) => number | null;
  readonly renderReports: (input: ReportInput) => Promise<readonly ReportFile[]>;
  /** Program and arguments of a run's process. */
  readonly command: readonly string[];
  readonly cores: number;
  readonly listenForInterrupts: () => Interrupts & { dispose(): void };
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Whether stderr is a terminal, and how wide. */
  readonly terminal: boolean;
  readonly columns: number;
}

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
  const jobs = options.jobs ?? services.cores;
  const engine = await services.resolveEngine(options.engine);
  services.stderr(engineLine(engine) + "\n");
  const runs = planRuns({ ...options, protocol, engine });
  const plan = statePlan(runs.map(({ spec }) => spec), out);
  if (options.dryRun) {
    const estimate = estimator(readableRecords(out), services.trainSize);
    const view = { plan, estimate, jobs, protocol: protocol.name, papers: options.papers.map(({ id }) => id) };
    services.stdout(options.json ? JSON.stringify(planDocument(view), null, 2) + "\n" : planText(view));
    return 0;
  }
  checkOut(out);
  const { queue } = options;
  const outcome = queue === null || plan.todo.length === 0
    ? await runPlan(plan, { out, jobs, services })
    : await leavePlan(plan, { out, engine, queue, services });
  tellOutcome(outcome, { plan, out, services });
  const stopped = outcome.unfinished.length > 0;
  const files = options.report && !stopped
    ? await services.renderReports({
      pages: options.papers.map(({ page }) => page),
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
    for (const { path } of reports) services.stderr(`Wrote ${path}\n`);
  }
  return !stopped && outcome.records.every(({ status }) => status === "done") ? 0 : 1;
}

function engineLine(engine: EngineName): string {
  return engine === "tensorflow"
    ? "Engine: tensorflow"
    : "Engine: wasm, which needs nothing installed; tensorflow is several times faster: run `deno task engine install` " +
      "to get it";
}

async function runPlan(
  plan: PlanState,
  { out, jobs, services }: { out: string; jobs: number; services: BenchServices },
): Promise<PoolOutcome> {
  const { todo } = plan;
  if (todo.length === 0) return { records: [...plan.finished.values()], unfinished: [] };
  for (const name of new Set(todo.map(({ spec }) => spec.dataset.name))) {
    await services.prepareDataset(name, (line) => services.stderr(line + "\n"));
  }
  services.stderr(`${todo.length} runs to do, ${plan.finished.size} done before, ${jobs} at once, in ${out}\n`);
  const onStop = "Stopping: the runs write their checkpoints; Ctrl-C again stops them at once";
  return await withProgress(plan, { services, onStop }, ({ onEvent }, interrupts) => {
    return runPool(plan, { out, jobs, command: services.command, interrupts, onEvent });
  });
}

/** Leaves the plan to the workers of a queue. @throws {InputError} If its server cannot be reached. */
async function leavePlan(
  plan: PlanState,
  { out, engine, queue: address, services }: {
    out: string;
    engine: EngineName;
    queue: QueueAddress;
    services: BenchServices;
  },
): Promise<PoolOutcome> {
  const { checkRedis, followPlan, queueName } = await import("../src/runs/queue/mod.ts");
  const warning = addressWarning(address);
  if (warning !== null) services.stderr(warning + "\n");
  await checkRedis(address);
  const queue = await queueName(out, engine);
  services.stderr(
    `${plan.todo.length} runs to do, ${plan.finished.size} done before, left to the workers of ${address.shown} ` +
      `on folder ${out}, queue ${queue}\n`,
  );
  const onStop = "Stopping: the workers go on with what is in the queue; the same command follows them again";
  return await withProgress(plan, { services, onStop }, ({ onEvent, say }, interrupts) => {
    return followPlan(plan, { address, queue, out, interrupts, onEvent, say });
  });
}

async function withProgress(
  { todo }: PlanState,
  { services, onStop }: { services: BenchServices; onStop: string },
  run: (progress: Progress, interrupts: Interrupts) => Promise<PoolOutcome>,
): Promise<PoolOutcome> {
  const interrupts = services.listenForInterrupts();
  const progress = createProgress(todo, {
    write: services.stderr,
    terminal: services.terminal,
    columns: services.columns,
  });
  const sayStop = (): void => progress.say(onStop);
  interrupts.stop.addEventListener("abort", sayStop);
  try {
    return await run(progress, interrupts);
  } finally {
    interrupts.stop.removeEventListener("abort", sayStop);
    progress.close();
    interrupts.dispose();
  }
}

function tellOutcome(
  outcome: PoolOutcome,
  { plan, out, services }: { plan: PlanState; out: string; services: BenchServices },
): void {
  const notDone = outcome.records.filter(({ status }) => status !== "done");
  for (const { id, spec, status, reason } of notDone) {
    services.stderr(`${describeRun(spec)} ${status}: ${reason ?? "no reason known"} (log: ${logFile(out, id)})\n`);
  }
  const done = outcome.records.length - notDone.length;
  services.stderr(
    `${done} of ${plan.runs.length} runs are done${notDone.length > 0 ? `, ${notDone.length} not` : ""}\n`,
  );
  if (outcome.unfinished.length > 0) {
    services.stderr(`Stopped with ${outcome.unfinished.length} runs to go: the same command goes on from there\n`);
  } else if (notDone.some(({ status }) => status !== "diverged")) {
    services.stderr("The same command runs those that failed again\n");
  }
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
