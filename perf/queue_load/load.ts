import { setTimeout as sleep } from "node:timers/promises";
import { DelayedError, FlowProducer, type Job, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { orderRuns } from "../../src/plan/plan.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { SHARED_FOLDER } from "../../src/queue/artefacts.ts";
import { connectionOptions, outages } from "../../src/queue/connection.ts";
import { parseReleaseJob, parseRunJob } from "../../src/queue/jobs.ts";
import { submitRuns } from "../../src/queue/submit.ts";
import { DEFAULT_TIMES } from "../../src/queue/times.ts";
import type { QueueAddress } from "../../src/queue/url.ts";
import { type PlannedRun, runId, type RunSpec } from "../../src/record/spec.ts";
import { readRecord, writeRecord } from "../../src/store/store.ts";
import { FP, LSQ } from "../../benchmarks/arms.ts";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";

/** Options of the simulation. */
export interface Load {
  readonly address: QueueAddress;
  /** An empty folder for the records. */
  readonly out: string;
  readonly workers: number;
  /** Runs that a worker has at once. */
  readonly slots: number;
  readonly teachers: number;
  readonly studentsEach: number;
  /** Duration of a run. */
  readonly runMs: number;
  readonly say: (line: string) => void;
}

/** Results of the simulation. */
export interface LoadResult {
  readonly runs: number;
  readonly submitSeconds: number;
  /** From the first worker's start to the last record, connecting included. */
  readonly seconds: number;
  /** Redis memory above that of an empty queue: after the submission, and the most that was seen. */
  readonly submittedMiB: number;
  readonly mostMiB: number;
  /** Runs of the worker that had fewest and most. */
  readonly fewest: number;
  readonly most: number;
  /** Runs that were computed more than once: none may be. */
  readonly repeated: number;
  readonly connections: number;
}

const BYTES_PER_MIB = 2 ** 20;
const MEMORY_EVERY_MS = 500;

/** Teachers with students each: as a plan of many seeds has them. */
function specsOf({ teachers, studentsEach }: Load): RunSpec[] {
  const protocol = PROTOCOL_DEFINITIONS.smoke;
  return Array.from({ length: teachers }, (_, seed) => {
    const teacher: RunSpec = {
      schema: 1,
      protocol: protocol.name,
      arm: FP.id,
      method: FP.method,
      model: "resnet20",
      dataset: { name: "cifar10", ...protocol.dataset },
      quantization: null,
      recipe: protocol.fullPrecision,
      seed,
      engine: "wasm",
      teacher: null,
    };
    const students = Array.from({ length: studentsEach }, (_, i): RunSpec => ({
      ...teacher,
      arm: `student${i}`,
      method: LSQ.method,
      teacher: runId(teacher),
    }));
    return [teacher, ...students];
  }).flat();
}

function recordOf({ id, spec }: PlannedRun): RunRecord {
  const result = { trainLoss: 1, trainTop1Percent: 50, testLoss: 1, testTop1Percent: 50, metrics: {} };
  return {
    schema: 1,
    id,
    spec,
    status: "done",
    reason: null,
    metrics: { top1Percent: 50, loss: 1 },
    curve: Array.from({ length: spec.recipe.epochs }, (_, i) => ({ epoch: i + 1, learningRate: 0, ...result })),
    startedAt: new Date().toISOString(),
    wallSeconds: 0,
    cpuSeconds: 0,
    imagesPerSecond: 0,
    peakMemoryMiB: 0,
    environment: {
      commit: null,
      dirty: null,
      engine: spec.engine,
      versions: {},
      device: "none: simulated",
      threads: 1,
      os: "none",
      cpu: "none",
    },
    dataSha256: null,
  };
}

/**
 * Simulates workers on a queue: real jobs, flows, releases and records; a run is a sleep and starts no process, and no
 * progress is told. It measures what the queue itself can carry.
 */
export async function simulate(load: Load): Promise<LoadResult> {
  const { address, out, say, runMs } = load;
  const name = `requant-load-${crypto.randomUUID().slice(0, 8)}`;
  const connection = connectionOptions(address);
  const queue = new Queue(name, { connection });
  const flow = new FlowProducer({ connection });
  const submit = { out, queue, flow, retries: 1, artefacts: SHARED_FOLDER, ...DEFAULT_TIMES };
  const runs = orderRuns(specsOf(load));
  const computed = new Map<string, number>();
  const perWorker: number[] = Array.from({ length: load.workers }, () => 0);
  const client = new Redis(connection);
  async function info(field: "used_memory" | "connected_clients"): Promise<number> {
    const text = await client.info(field === "used_memory" ? "memory" : "clients");
    return Number(new RegExp(`^${field}:(\\d+)`, "m").exec(text)?.[1] ?? 0);
  }

  async function onJob(job: Job, token: string | undefined, worker: number): Promise<string> {
    if (job.name === "release") {
      const { teacher, students } = parseReleaseJob(job.data, job.id!);
      if (readRecord(out, teacher) === null) {
        await job.moveToDelayed(Date.now() + DEFAULT_TIMES.releaseDelayMs, token);
        throw new DelayedError();
      }
      await submitRuns(students, submit);
      return "released";
    }
    const run = parseRunJob(job.data, job.id!);
    await sleep(runMs);
    writeRecord(out, recordOf(run));
    computed.set(run.id, (computed.get(run.id) ?? 0) + 1);
    perWorker[worker]! += 1;
    return "done";
  }

  const empty = await info("used_memory");
  const submittedFrom = performance.now();
  await submitRuns(runs, submit);
  const submitSeconds = (performance.now() - submittedFrom) / 1000;
  const submitted = await info("used_memory") - empty;
  say(`Submitted ${runs.length} runs in ${submitSeconds.toFixed(1)} s`);

  // Many connections at once: some are refused at first, and tried again.
  const sayOutage = outages(say, address);
  const from = performance.now();
  const workers = perWorker.map((_, index) =>
    new Worker(name, (job, token) => onJob(job, token, index), {
      connection,
      concurrency: load.slots,
      lockDuration: DEFAULT_TIMES.lockMs,
      drainDelay: 2,
    }).on("error", sayOutage)
  );
  let [most, connections] = [submitted, 0];
  while (computed.size < runs.length) {
    most = Math.max(most, await info("used_memory") - empty);
    connections = Math.max(connections, await info("connected_clients"));
    await sleep(MEMORY_EVERY_MS);
  }
  const seconds = (performance.now() - from) / 1000;
  await Promise.allSettled(workers.map((worker) => worker.close(true)));
  await queue.obliterate({ force: true });
  await Promise.allSettled([queue.close(), flow.close(), client.quit()]);
  return {
    runs: runs.length,
    submitSeconds,
    seconds,
    submittedMiB: submitted / BYTES_PER_MIB,
    mostMiB: most / BYTES_PER_MIB,
    fewest: Math.min(...perWorker),
    most: Math.max(...perWorker),
    repeated: [...computed.values()].filter((count) => count > 1).length,
    connections,
  };
}

/** The result in a few lines. */
export function loadText(load: Load, result: LoadResult): string {
  const { runs, submitSeconds, seconds, submittedMiB, mostMiB, fewest, most, repeated, connections } = result;
  return [
    `${load.workers} workers of ${load.slots} slots, ${runs} runs of ${load.runMs} ms (${load.teachers} teachers)`,
    `Submitted in ${submitSeconds.toFixed(1)} s, ${submittedMiB.toFixed(1)} MiB of Redis memory`,
    `Done in ${seconds.toFixed(1)} s, ${Math.round(runs / seconds)} runs a second, at most ${
      mostMiB.toFixed(1)
    } MiB of ` +
    `Redis memory and ${connections} connections`,
    `${fewest} to ${most} runs a worker; ${repeated} runs computed twice`,
    "",
  ].join("\n");
}
