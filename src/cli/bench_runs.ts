import type { EngineChoice } from "../engine/mod.ts";
import type { EngineName } from "../engine/types.ts";
import type { ReportFile, ReportInput } from "../report/mod.ts";
import type { Estimate } from "../plan/estimate.ts";
import type { Interrupts } from "../pool/interrupts.ts";
import { checkMemoryWatch } from "../pool/limits.ts";
import { describeRun, type PlanState } from "../plan/plan.ts";
import { type PoolOutcome, runPool } from "../pool/pool.ts";
import { createProgress, type Progress } from "../pool/progress.ts";
import type { Artefacts } from "../queue/artefacts.ts";
import { addressWarning, type QueueAddress } from "../queue/url.ts";
import type { RunRecord } from "../record/record.ts";
import type { RunSpec } from "../record/spec.ts";
import { logFile } from "../store/store.ts";
import type { SizesOf } from "../plan/fit.ts";
import type { BenchOptions } from "./bench_options.ts";
import type { Paper } from "../catalog/grid.ts";

/** What a run is expected to take; null: not known. */
export type Estimator = (spec: RunSpec) => Estimate | null;

/** What the command needs from outside; nothing here loads tensor code. */
export interface BenchServices {
  readonly papers: readonly Paper[];
  readonly resolveEngine: (choice: EngineChoice) => Promise<EngineName>;
  /** Has the data set at hand before processes ask for it. @throws {InputError} If it cannot be had. */
  readonly prepareDataset: (name: string, log: (line: string) => void) => Promise<void>;
  readonly datasetSizes: SizesOf;
  readonly renderReports: (input: ReportInput) => Promise<readonly ReportFile[]>;
  /** Program and arguments of a run's process. */
  readonly command: (place: { out: string; engine: EngineName }) => readonly string[] | Promise<readonly string[]>;
  readonly cores: number;
  /** Whether engine tensorflow will compute on a GPU, which one process takes as a whole. */
  readonly gpuExpected?: () => Promise<boolean>;
  /** Memory of this machine. */
  readonly memoryMiB: number;
  /** Earlier records of this repository, for estimates. */
  readonly committedRecords: () => Promise<readonly RunRecord[]>;
  /** Size of a checkpoint of a run, at most. */
  readonly checkpointMiB: (spec: RunSpec) => Promise<number>;
  readonly listenForInterrupts: () => Interrupts & { dispose(): void };
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Whether stderr is a terminal, and how wide. */
  readonly terminal: boolean;
  readonly columns: number;
}

/** Runs what is left of a plan on this machine. @throws {InputError} If data or folder cannot be used. */
export async function runPlan(
  plan: PlanState,
  { out, jobs, options, estimate, services }: {
    out: string;
    jobs: number;
    options: BenchOptions;
    estimate: Estimator;
    services: BenchServices;
  },
): Promise<PoolOutcome> {
  const { todo } = plan;
  const { limits, failFast } = options, retries = options.retries ?? 0;
  if (todo.length === 0) return { records: [...plan.finished.values()], unfinished: [] };
  for (const name of new Set(todo.map(({ spec }) => spec.dataset.name))) {
    await services.prepareDataset(name, (line) => services.stderr(line + "\n"));
  }
  await checkMemoryWatch(limits);
  services.stderr(`${todo.length} runs to do, ${plan.finished.size} done before, ${jobs} at once, in ${out}\n`);
  const onStop = "Stopping: the runs write their checkpoints; Ctrl-C again stops them at once";
  const child = await services.command({ out, engine: todo[0]!.spec.engine });
  const command = options.keepEpochs ? [...child, "--keep-epochs"] : child;
  return await withProgress(plan, { services, onStop, estimate, jobs }, ({ onEvent }, interrupts) => {
    return runPool(plan, { out, jobs, command, interrupts, limits, retries, failFast, onEvent });
  });
}

/** Leaves the plan to the workers of a queue. @throws {InputError} If its server cannot be reached. */
export async function leavePlan(
  plan: PlanState,
  { out, engine, queue: address, artefacts, options, estimate, services }: {
    out: string;
    engine: EngineName;
    queue: QueueAddress;
    artefacts: Artefacts | undefined;
    options: BenchOptions;
    estimate: Estimator;
    services: BenchServices;
  },
): Promise<PoolOutcome> {
  const { checkRedis, followPlan, queueName } = await import("../queue/mod.ts");
  const warning = addressWarning(address);
  if (warning !== null) services.stderr(warning + "\n");
  await checkRedis(address);
  const queue = await queueName(out, engine, options.store);
  services.stderr(
    `${plan.todo.length} runs to do, ${plan.finished.size} done before, left to the workers of ${address.shown} ` +
      `on ${options.store === null ? `folder ${out}` : options.store.shown}, queue ${queue}\n`,
  );
  const onStop = "Stopping: the workers go on with what is in the queue; the same command follows them again";
  return await withProgress(plan, { services, onStop, estimate }, ({ onEvent, say }, interrupts) => {
    const { retries } = options;
    return followPlan(plan, {
      address,
      queue,
      out,
      interrupts,
      onEvent,
      say,
      ...(retries === null ? {} : { retries }),
      ...(artefacts === undefined ? {} : { artefacts }),
    });
  });
}

async function withProgress(
  { todo }: PlanState,
  { services, onStop, estimate, jobs }: {
    services: BenchServices;
    onStop: string;
    estimate: Estimator;
    jobs?: number;
  },
  run: (progress: Progress, interrupts: Interrupts) => Promise<PoolOutcome>,
): Promise<PoolOutcome> {
  const interrupts = services.listenForInterrupts();
  const progress = createProgress(todo, {
    write: services.stderr,
    terminal: services.terminal,
    columns: services.columns,
    estimateSeconds: ({ spec }) => estimate(spec)?.seconds ?? null,
    ...(jobs === undefined ? {} : { jobs }),
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

/** Says what came of a grid, and how to go on. */
export function tellOutcome(
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
