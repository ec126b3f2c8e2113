import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { measure } from "../../benchmarks/measure/measure.ts";
import { collectMeasurements } from "../../reports/collect.ts";
import { openEngine } from "../../src/engine/mod.ts";
import { MEASUREMENTS } from "../../src/measure/mod.ts";
import { parseMeasurements } from "../../src/report/measurements.ts";
import { environmentWithoutEngine } from "../../src/runs/environment.ts";
import {
  keptCheckpoints,
  measurementFile,
  readMeasurement,
  writeMeasurement,
} from "../../src/runs/measurement_store.ts";
import type { RunRecord } from "../../src/runs/record.ts";
import { runId, type RunSpec } from "../../src/runs/spec.ts";
import { checkpointFile, openRun, readRecord, runFolder, writeRecord } from "../../src/runs/store.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/train/checkpoint.ts";
import type { Position } from "../../src/train/position.ts";
import { trainRun } from "../../src/train/run.ts";
import { tinyDataset, tinySpec } from "../support/runs.ts";

const DATASET = tinyDataset();

/** The record of a run that was really trained, in the folder that a bench leaves. */
async function train(out: string, spec: RunSpec, teacher: RunSpec | null, dataset = DATASET): Promise<RunRecord> {
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

const FP = tinySpec("fp"), STUDENT = tinySpec("qat_ema", { teacher: runId(FP) });

/** The folder with both runs, trained once. */
let trained: Promise<string> | null = null;

/**
 * Gives a copy of a folder with a full-precision run and a quantized one that kept its epochs; both take two epochs of four
 * steps.
 */
async function withRuns(use: (out: string) => Promise<void>): Promise<void> {
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

async function command(...args: string[]): Promise<{ code: number; stdout: string; stderr: string; opened: number }> {
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

const SMALL = ["--set", "images=20;probes=2;draws=2;sigmas=0.1;blockSize=10;batches=2"];

Deno.test("measure writes a file for each measurement of each finished run, and a second call keeps them", () =>
  withRuns(async (out) => {
    const first = await command("--out", out, ...SMALL);
    assert.equal(first.code, 0, first.stderr);
    const all = 2 * MEASUREMENTS.length;
    assert.ok(first.stderr.startsWith(`${all} measurements to do, 0 done before, in `), first.stderr);
    assert.equal(first.stdout.trim().split("\n").length, 2 + all);
    assert.match(first.stdout, /\| fp resnet8 seed 3 \| hessian_trace \| Tr H -?[\d.]+ ± [\d.]+ \| \d+ \|/);
    const trace = readMeasurement(out, runId(FP), "hessian_trace")!;
    assert.deepEqual(trace.spec, FP);
    assert.deepEqual([trace.values["images"], trace.options["probes"], trace.epochs], [20, 2, []]);
    assert.equal((readMeasurement(out, runId(FP), "feature_coding")!.values["spectrum"] as number[]).length, 64);

    const second = await command("--out", out, ...SMALL);
    assert.deepEqual([second.code, second.opened, second.stderr], [0, 0, ""]);
    assert.equal(second.stdout, first.stdout);

    const again = ["--names", "hessian_trace", "--methods", "fp", "--set", "probes=2;images=20", "--force"];
    const forced = await command("--out", out, ...again);
    assert.equal(forced.opened, 1);
    assert.deepEqual(readMeasurement(out, runId(FP), "hessian_trace")!.values, trace.values);
    const more = await command(
      "--out",
      out,
      "--names",
      "hessian_trace",
      "--runs",
      runId(FP),
      "--set",
      "probes=3;images=20",
    );
    assert.match(more.stderr, /^1 measurements to do, 0 done before/);
    const probes = readMeasurement(out, runId(FP), "hessian_trace")!.values["probes"] as number[];
    assert.deepEqual(probes.slice(0, 2), trace.values["probes"]);
  }));

Deno.test("measure --epochs measures what bench --keep-epochs kept; the last epoch is the run's network", () =>
  withRuns(async (out) => {
    const id = runId(STUDENT),
      args = ["--out", out, "--names", "feature_coding", "--runs", id, "--set", "blockSize=10"];
    assert.deepEqual(keptCheckpoints(out, id).map(({ epoch }) => epoch), [1, 2]);
    await command(...args);
    const { code, stderr } = await command(...args, "--epochs");
    assert.equal(code, 0, stderr);
    const { values, epochs } = readMeasurement(out, id, "feature_coding")!;
    assert.deepEqual(epochs.map(({ epoch }) => epoch), [1, 2]);
    assert.deepEqual(epochs[1]!.values, values);
    assert.notDeepEqual(epochs[0]!.values, values);
    assert.equal((await command(...args, "--epochs")).opened, 0);
    const none = await command("--out", out, "--runs", runId(FP), "--epochs");
    assert.match(
      none.stderr,
      /^Cannot measure the epochs of run [0-9a-f]{16} \(fp resnet8 seed 3\) as none was kept: /,
    );
    assert.equal(none.code, 2);
  }));

Deno.test("measure sees the network that is evaluated: the average of LSQ+EMA, not its student", () =>
  withRuns(async (out) => {
    const args = ["--out", out, "--names", "feature_coding", "--runs", runId(STUDENT), "--set", "blockSize=10"];
    await command(...args);
    const averaged = readMeasurement(out, runId(STUDENT), "feature_coding")!.values;
    // the same training with alpha 0: its average is the student itself
    const plain = { ...STUDENT, method: { name: "qat_ema", options: { alpha: 0 } } };
    await train(out, plain, FP);
    await command("--out", out, "--names", "feature_coding", "--runs", runId(plain), "--set", "blockSize=10");
    assert.notDeepEqual(readMeasurement(out, runId(plain), "feature_coding")!.values, averaged);
  }));

Deno.test("measure ends bad input with one sentence and exit code 2", () =>
  withRuns(async (out) => {
    const fp = runId(FP), unfinished = tinySpec("fp", { seed: 9 });
    openRun(out, unfinished);
    const failed = tinySpec("fp", { seed: 8 }), folder = openRun(out, failed);
    const record = JSON.parse(await Deno.readTextFile(join(runFolder(out, fp), "record.json")));
    writeRecord(out, { ...record, id: runId(failed), spec: failed, status: "failed", reason: "a test", metrics: null });
    assert.ok(folder);
    const cases: [string[], RegExp][] = [
      [[], /^Cannot measure without --out: give the folder/],
      [
        ["--out", out, "--names", "sharpness"],
        /^Cannot use measurement "sharpness" as it is not known: choose one of hessian_trace, /,
      ],
      [
        ["--out", out, "--runs", "0123"],
        /^Cannot measure run 0123 as there is no such run in .*: choose among [0-9a-f]{16}, /,
      ],
      [
        ["--out", out, "--runs", runId(unfinished)],
        /^Cannot measure run .* as it is not finished: run the same `deno task bench`/,
      ],
      [
        ["--out", out, "--runs", runId(failed)],
        /^Cannot measure run .* as it ended as failed: a test; choose other runs/,
      ],
      [
        ["--out", out, "--methods", "mec"],
        /^Cannot measure method "mec" as no finished run is of it: choose among fp, qat_ema\n$/,
      ],
      [["--out", join(out, "none")], /^Cannot measure anything in .*none as it holds no finished run: /],
      [
        ["--out", out, "--set", "probe=3"],
        /^Cannot set "probe" as it is an option of none of hessian_trace, .*: choose among images, probes, /,
      ],
      [
        ["--out", out, "--names", "level_span", "--set", "probes=3"],
        /^Cannot set "probes" as it is an option of none of level_span: leave --set out, as they have no options\n$/,
      ],
      [["--out", out, "--set", "probes"], /^Cannot use --set "probes" as it must be KEY=VALUE: /],
      [
        ["--out", out, "--set", "probes=1"],
        /^Cannot set probes to 1 in measurement hessian_trace as it must be at least 2: /,
      ],
      [["--out", out, "--engine", "torch"], /^Cannot use engine "torch" as it is not known: /],
      [["--out", out, "--nams", "x"], /^Cannot use option --nams as it is not known: choose among --out, --names, /],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await command(...args);
      assert.deepEqual([code, stdout], [2, ""], args.join(" "));
      assert.match(stderr, message);
    }
    await Deno.remove(checkpointFile(out, fp));
    const missing = await command("--out", out, "--methods", "fp");
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /^Cannot measure run .* \(fp resnet8 seed 3\) as its checkpoint is missing: restore /);
    await Deno.copyFile(checkpointFile(out, runId(STUDENT)), checkpointFile(out, fp));
    const other = await command("--out", out, "--methods", "fp", ...SMALL);
    assert.equal(other.code, 2);
    assert.match(
      other.stderr,
      /Cannot measure run [0-9a-f]{16} as the checkpoint .* is of run [0-9a-f]{16}: restore that file, or train that run again$/m,
    );
  }));

/** One measurement of a run, the cheapest. */
const ONE = ["--names", "feature_coding", "--set", "blockSize=10"];

Deno.test("measure ties its numbers to a network, and measures a run again that was trained again", () =>
  withRuns(async (out) => {
    const id = runId(FP), args = ["--out", out, "--runs", id, ...ONE];
    await command(...args);
    const before = readMeasurement(out, id, "feature_coding")!, record = readRecord(out, id)!;
    assert.equal(before.networkSha256, record.networkSha256);
    // one of older code does not tell its network, and stays
    const { networkSha256: _, ...old } = before;
    writeMeasurement(out, old);
    assert.equal((await command(...args)).opened, 0);
    writeMeasurement(out, before);

    await Deno.remove(runFolder(out, id), { recursive: true });
    const other = { ...DATASET, train: { ...DATASET.train, images: DATASET.train.images.map((byte) => byte ^ 3) } };
    await train(out, FP, null, other);
    writeMeasurement(out, before);
    const records = join(out, "reports", "records");
    assert.equal(collectMeasurements(out, records).measurements, 0);
    assert.equal((await command(...args)).opened, 1);
    const after = readMeasurement(out, id, "feature_coding")!;
    assert.equal(after.networkSha256, readRecord(out, id)!.networkSha256);
    assert.notDeepEqual(after.values, before.values);
    assert.equal(collectMeasurements(out, records).measurements, 1);
  }));

Deno.test("measure needs no checkpoint for what is measured already, epochs too", () =>
  withRuns(async (out) => {
    const id = runId(STUDENT), args = ["--out", out, "--runs", id, ...ONE, "--epochs"];
    const first = await command(...args);
    await Deno.remove(checkpointFile(out, id));
    await Deno.remove(join(runFolder(out, id), "checkpoints"), { recursive: true });
    const second = await command(...args);
    assert.deepEqual([second.code, second.opened, second.stdout], [0, 0, first.stdout], second.stderr);
    const more = await command("--out", out, "--runs", id, "--names", "level_span");
    assert.deepEqual([more.code, more.opened], [2, 0]);
    assert.match(more.stderr, /^Cannot measure run .* as its checkpoint is missing: restore /);
  }));

Deno.test("measure refuses a network, and a kept epoch, of another training than the record's", () =>
  withRuns(async (out) => {
    const id = runId(STUDENT), args = ["--out", out, "--runs", id, ...ONE], record = readRecord(out, id)!;
    const kept = join(runFolder(out, id), "checkpoints", "epoch-1.safetensors");
    const { tensors, position } = (await readCheckpoint<Position>(kept))!;
    const curve = position.curve.map((epoch) => ({ ...epoch, trainLoss: epoch.trainLoss + 1 }));
    await writeCheckpoint(kept, { tensors, position: { ...position, curve } });
    const epoch = await command(...args, "--epochs");
    assert.deepEqual([epoch.code, epoch.stdout], [2, ""]);
    assert.match(epoch.stderr, /epoch-1\.safetensors is of another training of that run: restore that file, or train /);
    writeRecord(out, { ...record, networkSha256: "0".repeat(64) });
    assert.match(
      (await command(...args)).stderr,
      /checkpoint\.safetensors is of another training of that run: restore /,
    );
    writeRecord(out, record);
    await Deno.writeTextFile(checkpointFile(out, id), "cut");
    assert.match(
      (await command(...args)).stderr,
      /as it is cut: it has 3 bytes: restore that file, or train that run again$/m,
    );
  }));

Deno.test("measure leaves out trials on held-out images, and refuses those that are named", () =>
  withRuns(async (out) => {
    const trial = tinySpec("fp", { dataset: { ...FP.dataset, evaluateOn: "heldOut" } });
    await train(out, trial, null);
    const { code, stdout, stderr } = await command("--out", out, "--methods", "fp", ...ONE);
    assert.equal(code, 0);
    assert.match(
      stderr,
      /^Left out 1 of 3 finished runs as they are trials on held-out images\n1 measurements to do, /,
    );
    assert.ok(stdout.includes(runId(FP)) && !stdout.includes(runId(trial)), stdout);
    const named = await command("--out", out, "--runs", runId(trial), ...ONE);
    assert.deepEqual([named.code, named.stderr], [
      2,
      `Cannot measure run ${runId(trial)} as it is a trial on held-out images and measurements look at test images: ` +
      "choose other runs with --runs\n",
    ]);
    for (const spec of [FP, STUDENT]) await Deno.remove(runFolder(out, runId(spec)), { recursive: true });
    assert.match(
      (await command("--out", out)).stderr,
      /^Cannot measure anything in .* as each of its finished runs is a trial on held-out images: name the --out folder /,
    );
  }));

Deno.test("measure --help names every option", async () => {
  const { code, stdout } = await command("--help");
  assert.equal(code, 0);
  for (const option of ["--out", "--names", "--runs", "--methods", "--set", "--epochs", "--force", "--engine"]) {
    assert.ok(stdout.includes(`  ${option} `), option);
  }
});

Deno.test("a measurement cut in half, or moved to another run, is refused", () =>
  withRuns(async (out) => {
    const args = ["--out", out, "--names", "feature_coding", "--methods", "fp", "--set", "blockSize=10"];
    await command(...args);
    const path = measurementFile(out, runId(FP), "feature_coding"), text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text.slice(0, 200));
    assert.match(
      (await command(...args)).stderr,
      /^Cannot read the measurement in .* as it is cut in half or no JSON: delete it\n$/,
    );
    const elsewhere = measurementFile(out, runId(STUDENT), "feature_coding");
    await Deno.mkdir(join(elsewhere, ".."), { recursive: true });
    await Deno.writeTextFile(elsewhere, text);
    const { code, stderr } = await command("--out", out, "--names", "feature_coding", "--methods", "qat_ema");
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^Cannot take the measurement in .* as it is feature_coding of run [0-9a-f]{16}: delete it\n$/,
    );
  }));

Deno.test("report --collect takes measurements into the records, and a repeated one replaces the old", () =>
  withRuns(async (out) => {
    const args = ["--out", out, "--names", "feature_coding,hessian_trace", "--methods", "fp"];
    await command(...args, "--set", "blockSize=10;probes=2;images=20");
    const records = join(out, "reports", "records"), path = join(out, "reports", "measurements", "smoke.jsonl");
    assert.deepEqual(collectMeasurements(out, records), { measurements: 2, files: [path] });
    const before = parseMeasurements(await Deno.readTextFile(path), path);
    assert.deepEqual(before.map(({ name }) => name), ["feature_coding", "hessian_trace"]);
    assert.deepEqual(before[1], readMeasurement(out, runId(FP), "hessian_trace"));
    await command(...args, "--set", "blockSize=10;probes=3;images=20");
    collectMeasurements(out, records);
    const after = parseMeasurements(await Deno.readTextFile(path), path);
    assert.deepEqual(after.map(({ options }) => options["probes"]), [undefined, 3]);
  }));

Deno.test.afterAll(async () => {
  if (trained) await Deno.remove(await trained, { recursive: true });
});
