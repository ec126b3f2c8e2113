import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Dataset } from "../../../src/data/types.ts";
import type { Engine } from "../../../src/engine/types.ts";
import type { Environment } from "../../../src/record/environment.ts";
import type { Epoch, RunRecord } from "../../../src/record/record.ts";
import { runId, type RunSpec } from "../../../src/record/spec.ts";
import type { TrainOutcome, TrainRequest } from "../../../src/record/trainer.ts";

/** Ways a fake run can go. */
export type Behaviour =
  | "done"
  | "diverge"
  | "throw"
  | "diskFull"
  | "crash"
  | "segfault"
  | "outOfMemory"
  | "silent"
  | "slow"
  | "steps"
  | "deaf"
  | "fat"
  | "flaky"
  | "tellEnvironment";

const SLOW_STEPS = 2000;
const MANY_STEPS = 30;
const STEP_MS = 10;

export const FAKE_DATASET: Dataset = {
  name: "cifar10",
  classes: 10,
  imageShape: [1, 1, 1],
  mean: [0],
  std: [1],
  train: { images: new Uint8Array(1), labels: new Uint8Array(1), count: 1 },
  test: { images: new Uint8Array(1), labels: new Uint8Array(1), count: 1 },
  sha256: "f".repeat(64),
};

export const FAKE_ENGINE = {
  name: "wasm",
  description: "a fake engine",
  versions: { fake: "1.0" },
  device: "cpu",
  threads: 1,
  compile: () => {
    throw new Error("A fake engine computes nothing");
  },
} as Engine;

export function fakeEpoch(epoch: number, { top1Percent = 40 + epoch, metrics = {} }: FakeResult = {}): Epoch {
  return {
    epoch,
    learningRate: 0.1,
    trainLoss: 1,
    trainTop1Percent: 50,
    testLoss: 1,
    testTop1Percent: top1Percent,
    metrics,
  };
}

interface FakeResult {
  readonly top1Percent?: number;
  readonly metrics?: Record<string, number>;
}

/** A valid record of a done run of one epoch. */
export function doneRecord(spec: RunSpec, changes: Partial<RunRecord> = {}): RunRecord {
  const digest = (seed: string): string => createHash("sha256").update(`${seed} ${runId(spec)}`).digest("hex");
  return {
    schema: 2,
    id: runId(spec),
    spec,
    status: "done",
    reason: null,
    metrics: { top1Percent: 41, loss: 1 },
    curve: [fakeEpoch(1)],
    startedAt: "2026-12-01T00:00:00.000Z",
    wallSeconds: 1,
    cpuSeconds: 1,
    imagesPerSecond: 100,
    peakMemoryMiB: 10,
    environment: FAKE_ENVIRONMENT,
    dataSha256: "f".repeat(64),
    evaluatedExamples: 100,
    networkSha256: digest("network"),
    ...(spec.teacher === null ? {} : { teacherSha256: digest("teacher") }),
    ...changes,
  };
}

export const FAKE_ENVIRONMENT: Environment = {
  commit: null,
  dirty: null,
  engine: "wasm",
  versions: {},
  device: "cpu",
  threads: 1,
  os: "linux",
  cpu: "fake",
};

/** Hears nothing for so long: as a native call that does not come back. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Takes 400 MiB more, a tenth every 50 ms. */
async function growFat(): Promise<void> {
  const held: Uint8Array[] = [];
  for (let i = 0; i < 10; i++) {
    held.push(new Uint8Array(40 * 2 ** 20).fill(1));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  if (held.length !== 10) throw new Error("unreachable");
}

/** Trains nothing: a step is a short sleep, the checkpoint holds the number of steps done, `slow` takes 20 s. */
export async function fakeTrain(request: TrainRequest, behaviour: Behaviour): Promise<TrainOutcome> {
  const { spec, folder } = request;
  const checkpoint = join(folder, "checkpoint.safetensors");
  /** Whole or not at all, as a real checkpoint. */
  function keep(step: number): void {
    writeFileSync(`${checkpoint}.tmp`, String(step));
    request.beforeWrite?.();
    renameSync(`${checkpoint}.tmp`, checkpoint);
  }
  if (behaviour === "tellEnvironment") request.onNote?.(`environment: ${JSON.stringify(Deno.env.toObject())}`);
  if (behaviour === "throw") throw new Error("the fake trainer threw");
  if (behaviour === "diskFull") throw new Error("Cannot write the checkpoint as the disk is full: free some space");
  if (behaviour === "crash") {
    request.onEpoch?.(fakeEpoch(1));
    Deno.exit(3);
  }
  if (behaviour === "outOfMemory") Deno.kill(Deno.pid, "SIGKILL");
  if (behaviour === "segfault") new Deno.UnsafePointerView(Deno.UnsafePointer.create(8n)!).getInt8();
  if (behaviour === "silent") Deno.exit(0);
  if (behaviour === "deaf") block(60_000);
  if (behaviour === "fat") await growFat();
  if (behaviour === "flaky" && !existsSync(checkpoint)) {
    keep(1);
    throw new Error("the fake trainer threw once");
  }
  const steps = behaviour === "slow" ? SLOW_STEPS : behaviour === "steps" ? MANY_STEPS : 3;
  const first = existsSync(checkpoint) ? Number(readFileSync(checkpoint, "utf8")) : 0;
  for (let step = first; step < steps; step++) {
    keep(step);
    request.onProgress?.({ epoch: 1, epochs: 1, step, steps, loss: 1.5, imagesPerSecond: 100 });
    if (request.shouldStop?.()) {
      return {
        status: "stopped",
        reason: null,
        metrics: null,
        curve: [],
        imagesPerSecond: 0,
        networkSha256: null,
        teacherSha256: null,
      };
    }
    // A resumed slow run has little left, so that a test can see it end.
    if (behaviour === "slow" && first > 0 && step > first + 2) break;
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
  const top1Percent = 40 + spec.seed, metrics = { firstStep: first };
  const epochs = Array.from({ length: spec.recipe.epochs }, (_, i) => fakeEpoch(i + 1, { top1Percent, metrics }));
  const diverged = behaviour === "diverge";
  for (const epoch of epochs) request.onEpoch?.(epoch);
  return {
    status: diverged ? "diverged" : "done",
    reason: diverged ? "the loss is NaN" : null,
    metrics: diverged ? null : { top1Percent, loss: 1, ...metrics },
    curve: epochs,
    imagesPerSecond: 100,
    networkSha256: diverged ? null : "a".repeat(64),
    teacherSha256: spec.teacher === null ? null : "b".repeat(64),
  };
}
