/** A queue of a test: a server of its own, workers in this process or another, a plan that is followed. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { NO_LIMITS, type RunLimits } from "../../../src/pool/limits.ts";
import { statePlan } from "../../../src/plan/plan.ts";
import type { Places } from "../../../src/pool/places.ts";
import type { PoolEvent, PoolOutcome } from "../../../src/pool/pool.ts";
import { followPlan, queueName, type QueueTimes, runWorker } from "../../../src/queue/mod.ts";
import { parseQueueUrl } from "../../../src/queue/url.ts";
import type { PlannedRun, RunSpec } from "../../../src/record/spec.ts";
import { hasRedis, startRedis, TEST_TIMES, type TestRedis } from "./redis.ts";
import { fakeCommand, fpSpec, studentSpec, TEST_LOCK_TIMES, traceOf, withFolder } from "./specs.ts";

export const TEACHER = fpSpec();
export const LSQ = studentSpec("lsq", TEACHER);
export const OTHER = studentSpec("other", TEACHER);
/** A password that no text may show, and how a URL holds it. */
export const SECRET = "s3cret/p@ss word";
export const ENCODED = encodeURIComponent(SECRET);

export const REDIS_IS_THERE = await hasRedis();

/** A test with a server of its own and an empty folder. */
export function redisTest(
  name: string,
  body: (redis: TestRedis, out: string) => Promise<void>,
  args: readonly string[] = [],
): void {
  Deno.test({
    name: REDIS_IS_THERE ? name : `${name} (redis-server is not installed: apt-get install redis-server)`,
    ignore: !REDIS_IS_THERE,
    fn: () =>
      withFolder(async (folder) => {
        const redis = await startRedis(join(folder, "redis"), args);
        try {
          await body(redis, join(folder, "out"));
        } finally {
          await redis.kill();
        }
      }),
  });
}

export interface Following {
  readonly outcome: Promise<PoolOutcome>;
  readonly events: PoolEvent[];
  readonly said: string[];
  stop(): void;
}

/** Submits specs and follows them. */
export function follow(
  specs: readonly RunSpec[],
  { redis, out, retries = 1 }: { redis: TestRedis; out: string; retries?: number },
  url = redis.url,
) {
  const stop = new AbortController();
  const following: Omit<Following, "outcome"> = { events: [], said: [], stop: () => stop.abort() };
  async function start(): Promise<PoolOutcome> {
    return await followPlan(statePlan(specs, out), {
      address: parseQueueUrl(url),
      queue: await queueName(out, "wasm"),
      out,
      interrupts: { stop: stop.signal, kill: stop.signal },
      onEvent: (event) => void following.events.push(event),
      say: (line) => void following.said.push(line),
      retries,
      times: TEST_TIMES,
    });
  }
  return { ...following, outcome: start() } satisfies Following;
}

/** Runs `body` beside workers of this process, which are stopped afterwards. */
export async function withWorkers<Result>(
  count: number,
  { redis, out, url = redis.url, behaviours = [], limits = NO_LIMITS, times = TEST_TIMES, ...checks }: {
    redis: TestRedis;
    out: string;
    url?: string;
    behaviours?: string[];
    limits?: RunLimits;
    times?: QueueTimes;
    jobs?: Places;
    check?: (run: PlannedRun) => void;
    /** Prepares a run on the worker of an index. */
    prepareOn?: (index: number) => Promise<void>;
  },
  body: (said: readonly string[]) => Promise<Result>,
): Promise<Result> {
  const stop = new AbortController();
  const said: string[] = [];
  const queue = await queueName(out, "wasm");
  const workers = Array.from({ length: count }, (_, index) =>
    runWorker({
      address: parseQueueUrl(url),
      queue,
      out,
      jobs: checks.jobs ?? 1,
      command: fakeCommand(behaviours),
      interrupts: { stop: stop.signal, kill: stop.signal },
      say: (line) => void said.push(`${index} ${line}`),
      limits,
      ...(checks.check ? { check: checks.check } : {}),
      prepare: () => checks.prepareOn?.(index) ?? Promise.resolve(),
      times,
      lockTimes: TEST_LOCK_TIMES,
    }));
  try {
    return await body(said);
  } finally {
    stop.abort();
    await Promise.all(workers);
  }
}

/** A worker as its own process. */
export function startWorker(
  url: string,
  { out, behaviours = [], env = {} }: { out: string; behaviours?: readonly string[]; env?: Record<string, string> },
) {
  const main = fileURLToPath(new URL("./worker_main.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", main, url, out, ...behaviours],
    env,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  return { child, stderr: new Response(child.stderr).text() };
}

/** Processes that a process started and that are there, on Linux. */
export function childrenOf(pid: number): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((other) => parentOf(other) === pid);
}

function parentOf(pid: number): number | null {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1]);
  } catch {
    return null; // no process, or one that has just ended
  }
}

export function starts(out: string): string[] {
  return traceOf(out).filter((line) => line.startsWith("start "));
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`Never came: ${what}`);
}

export function statuses({ records }: PoolOutcome): string[] {
  return records.map(({ spec, status }) => `${spec.arm} ${status}`);
}
