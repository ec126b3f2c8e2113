/** Runs that were really trained, and `deno task measure` on them. */
import { cp } from "node:fs/promises";
import * as tf from "@tensorflow/tfjs-core";
import { measure } from "../../src/cli/measure.ts";
import { openEngine } from "../../src/engine/mod.ts";
import { environmentWithoutEngine } from "../../src/pool/environment.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { checkpointFile, openRun, writeRecord } from "../../src/store/store.ts";
import { trainRun } from "../../src/train/run.ts";
import { tinyDataset, tinySpec } from "./runs.ts";

export const DATASET = tinyDataset();

/** The record of a run that was really trained, in the folder that a bench leaves. */
export async function train(
  out: string,
  spec: RunSpec,
  teacher: RunSpec | null,
  dataset = DATASET,
): Promise<RunRecord> {
  const engine = await openEngine("wasm");
  await tf.setBackend("wasm");
  const { status, reason, metrics, curve, networkSha256, teacherSha256 } = await trainRun({
    spec,
    dataset,
    engine,
    teacherCheckpoint: teacher && checkpointFile(out, runId(teacher)),
    folder: openRun(out, spec),
    keepEpochs: teacher !== null,
  });
  const record: RunRecord = {
    schema: 1,
    id: runId(spec),
    spec,
    status: status as "done",
    reason,
    metrics,
    curve: [...curve],
    startedAt: "2026-11-24T20:00:00.000Z",
    wallSeconds: 1,
    cpuSeconds: 1,
    imagesPerSecond: 1,
    peakMemoryMiB: 1,
    environment: environmentWithoutEngine("wasm"),
    dataSha256: dataset.sha256,
    networkSha256: networkSha256!,
    ...(teacherSha256 === null ? {} : { teacherSha256 }),
  };
  writeRecord(out, record);
  return record;
}

export const FP = tinySpec("fp"), STUDENT = tinySpec("qat_ema", { teacher: runId(FP) });

/** The folder with both runs, trained once. */
let trained: Promise<string> | null = null;

/**
 * Gives a copy of a folder with a full-precision run and a quantized one that kept its epochs; both take two epochs of four
 * steps.
 */
export async function withRuns(use: (out: string) => Promise<void>): Promise<void> {
  trained ??= (async () => {
    const folder = await Deno.makeTempDir();
    await train(folder, FP, null);
    await train(folder, STUDENT, FP);
    return folder;
  })();
  const out = await Deno.makeTempDir();
  try {
    await cp(await trained, out, { recursive: true });
    await use(out);
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}

/** `deno task measure` on engine wasm; `opened`: how often it opened the engine. */
export async function command(
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string; opened: number }> {
  let stdout = "", stderr = "", opened = 0;
  const code = await measure(args, {
    openEngine: async () => {
      opened++;
      const engine = await openEngine("wasm");
      await tf.setBackend("wasm");
      return engine;
    },
    loadDataset: () => Promise.resolve(DATASET),
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
  });
  return { code, stdout, stderr, opened };
}

/** One measurement of a run, the cheapest. */
export const ONE = ["--names", "feature_coding", "--set", "blockSize=10"];

Deno.test.afterAll(async () => {
  if (trained) await Deno.remove(await trained, { recursive: true });
});
