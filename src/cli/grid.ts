/** Grids of runs, on this machine or on the workers of a queue, with progress for people. */
import type { EngineName } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import { type Estimate, estimator, type Measured, type Work } from "../plan/estimate.ts";
import type { SizesOf } from "../plan/fit.ts";
import type { PlanState } from "../plan/plan.ts";
import type { Interrupts } from "../pool/interrupts.ts";
import { checkMemoryWatch, type RunLimits } from "../pool/limits.ts";
import type { Places } from "../pool/places.ts";
import { type PoolEvent, type PoolOutcome, runPool } from "../pool/pool.ts";
import { createProgress, type Progress } from "../pool/progress.ts";
import type { Artefacts } from "../queue/artefacts.ts";
import type { BucketAddress } from "../queue/store_url.ts";
import { addressWarning, type QueueAddress } from "../queue/url.ts";
import type { Rate } from "../record/rate.ts";
import type { RunRecord } from "../record/record.ts";
import type { RunSpec } from "../record/spec.ts";
import { counted } from "../report/labels.ts";
import { readableRecords } from "../store/store.ts";
import type { Watch } from "../watch/server.ts";
import type { Console } from "./console.ts";
import { timeText } from "./plan_text.ts";

/** Estimate of a run; null: not known. */
export type Estimator = (spec: RunSpec) => Estimate | null;

/** Services of this machine that every grid needs; nothing here loads tensor code. */
export interface GridServices extends Console {
  /** Loads the data set before processes ask for it. @throws {InputError} If it cannot be had. */
  readonly prepareDataset: (name: string, log: (line: string) => void) => Promise<void>;
  /** Program and arguments of a run's process. @throws {InputError} If the folder cannot be given to one. */
  readonly command: (place: { out: string; engine: EngineName }) => readonly string[] | Promise<readonly string[]>;
  readonly listenForInterrupts: () => Interrupts & { dispose(): void };
  readonly datasetSizes: SizesOf;
  /** Earlier records of this repository, for estimates. */
  readonly committedRecords: () => Promise<readonly RunRecord[]>;
  /** Rates of kinds of run: the project's, and those probed on this machine. */
  readonly rates: () => readonly Rate[];
  /** Processor that runs of an engine have on this machine, as `processorOf` names it. */
  readonly processor: (engine: EngineName) => Promise<string>;
  /** Loads what computes the work of a training image; it has tensor code. */
  readonly trainingWork: () => Promise<Work>;
}

/** A plan and the folder of its runs. */
interface Grid {
  readonly out: string;
  readonly estimate: Estimator;
  readonly services: GridServices;
  /** Page that shows the runs; left out: none. */
  readonly watch?: Watch | null;
}

/** Everything that was measured: the committed records and the folder's own, the last, and the rates. */
export async function measuredRuns(out: string, services: GridServices): Promise<Measured> {
  return { records: [...await services.committedRecords(), ...readableRecords(out)], rates: services.rates() };
}

/** Learns what runs take on this machine's processor. */
export async function learnEstimates(
  plan: PlanState,
  { measured, engine, sizesOf, services }: {
    readonly measured: Measured;
    readonly engine: EngineName;
    readonly sizesOf: SizesOf;
    readonly services: GridServices;
  },
): Promise<Estimator> {
  if (plan.todo.length === 0) return () => null;
  const processor = await services.processor(engine), learned = estimator(measured, { sizesOf, processor });
  if (plan.todo.every(({ spec }) => learned(spec) !== null)) return learned;
  return estimator(measured, { sizesOf, processor, work: await services.trainingWork() });
}

/** Settings of a grid on this machine. */
interface LocalGrid extends Grid {
  readonly command: readonly string[];
  readonly jobs: Places;
  readonly limits: RunLimits;
  readonly retries: number;
  readonly failFast: boolean;
}

/** Runs what is left of a plan on this machine. @throws {InputError} If data or folder cannot be used. */
export async function runGrid(
  plan: PlanState,
  { services, estimate, watch = null, ...pool }: LocalGrid,
): Promise<PoolOutcome> {
  const { out, jobs, limits } = pool, { todo, finished } = plan;
  if (todo.length === 0) return { records: [...finished.values()], unfinished: [] };
  for (const name of new Set(todo.map(({ spec }) => spec.dataset.name))) {
    await services.prepareDataset(name, (line) => services.stderr(`${line}\n`));
  }
  await checkMemoryWatch(limits);
  const time = timeText({ plan, estimate, jobs: jobs.limit });
  services.stderr(`${counted(todo.length, "run")} to do, ${finished.size} done before, in ${out}: ${time}\n`);
  const onStop = "Stopping: the runs write their checkpoints; Ctrl-C again stops them at once";
  const full = new AbortController(); // the runs that follow would fail too, hours later
  const jobsNow = () => jobs.limit;
  return await withProgress(plan, { services, onStop, estimate, jobs: jobsNow, watch }, (progress, { stop, kill }) => {
    function onEvent(event: PoolEvent): void {
      if (event.type === "ended" && metFullDisk(event.record)) full.abort();
      progress.onEvent(event);
    }
    jobs.onChange(progress.say);
    return runPool(plan, { ...pool, interrupts: { stop: AbortSignal.any([stop, full.signal]), kill }, onEvent });
  });
}

function metFullDisk(record: RunRecord | null): boolean {
  return record?.status === "failed" && /\bdisk is full\b/.test(record.reason ?? "");
}

/** @throws {InputError} If runs failed as the disk is full: that is no fault of theirs. */
export function requireSpace({ records }: PoolOutcome, out: string): void {
  if (!records.some(metFullDisk)) return;
  throw new InputError(`Cannot continue as the disk of ${out} is full: free some space and run the same command again`);
}

/** Settings of a grid on a queue. */
interface QueuedGrid extends Grid {
  readonly engine: EngineName;
  readonly queue: QueueAddress;
  readonly store: BucketAddress | null;
  readonly artefacts: Artefacts | undefined;
  readonly retries: number | null;
}

/** Leaves a plan to the workers of a queue. @throws {InputError} If its server cannot be reached. */
export async function leaveGrid(plan: PlanState, grid: QueuedGrid): Promise<PoolOutcome> {
  const { out, engine, queue: address, store, artefacts, retries, estimate, services, watch = null } = grid;
  const { checkRedis, followPlan, queueName } = await import("../queue/mod.ts");
  const warning = addressWarning(address);
  if (warning !== null) services.stderr(`${warning}\n`);
  await checkRedis(address);
  const queue = await queueName(out, engine, store);
  services.stderr(
    `${
      counted(plan.todo.length, "run")
    } to do, ${plan.finished.size} done before, left to the workers of ${address.shown} ` +
      `on ${store === null ? `folder ${out}` : store.shown}, queue ${queue}\n`,
  );
  const onStop = "Stopping: the workers go on with what is in the queue; the same command follows them again";
  return await withProgress(plan, { services, onStop, estimate, watch }, ({ onEvent, say }, interrupts) => {
    const optional = { ...(retries === null ? {} : { retries }), ...(artefacts === undefined ? {} : { artefacts }) };
    return followPlan(plan, { address, queue, out, interrupts, onEvent, say, ...optional });
  });
}

async function withProgress(
  { todo }: PlanState,
  { services, onStop, estimate, jobs, watch }: Pick<Grid, "services" | "estimate" | "watch"> & {
    onStop: string;
    jobs?: () => number;
  },
  run: (progress: Progress, interrupts: Interrupts) => Promise<PoolOutcome>,
): Promise<PoolOutcome> {
  const { terminal, columns, draw, stderr } = services;
  const interrupts = services.listenForInterrupts();
  const progress = createProgress(todo, {
    write: terminal ? draw : stderr,
    terminal,
    columns,
    estimateSeconds: ({ spec }) => estimate(spec)?.seconds ?? null,
    ...(jobs === undefined ? {} : { jobs }),
  });
  function onEvent(event: PoolEvent): void {
    progress.onEvent(event);
    watch?.onEvent(event);
  }
  watch?.follow(progress.total);
  const sayStop = (): void => progress.say(onStop);
  interrupts.stop.addEventListener("abort", sayStop);
  try {
    return await run({ ...progress, onEvent }, interrupts);
  } finally {
    interrupts.stop.removeEventListener("abort", sayStop);
    progress.close();
    interrupts.dispose();
  }
}
