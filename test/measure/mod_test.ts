/** Which network `deno task measure` takes, and when it takes none. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { collectMeasurements } from "../../src/cli/report_collect.ts";
import {
  checkpointFile,
  readMeasurement,
  readRecord,
  runFolder,
  writeMeasurement,
  writeRecord,
} from "../../src/store/store.ts";
import { runId } from "../../src/record/spec.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { command, DATASET, FP, ONE, STUDENT, train, withRuns } from "../support/measured_runs.ts";
import { tinySpec } from "../support/runs.ts";

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
    const { tensors, position } = (await readCheckpoint(kept))!;
    const curve = position.curve.map((epoch) => ({ ...epoch, trainLoss: epoch.trainLoss + 1 }));
    await writeCheckpoint(kept, { tensors, position: { ...position, curve } }, { keepPrevious: false });
    const epoch = await command(...args, "--epochs");
    assert.deepEqual([epoch.code, epoch.stdout], [2, ""]);
    assert.match(
      epoch.stderr,
      /epoch-1\.safetensors" is of another training of that run: restore that file, or train /,
    );
    writeRecord(out, { ...record, networkSha256: "0".repeat(64) });
    assert.match(
      (await command(...args)).stderr,
      /checkpoint\.safetensors" is of another training of that run: restore /,
    );
    writeRecord(out, record);
    await Deno.writeTextFile(checkpointFile(out, id), "cut");
    assert.match(
      (await command(...args)).stderr,
      /as it is no safetensors file, or cut: it has 3 bytes: restore that file, or train that run again$/m,
    );
  }));

Deno.test("measure refuses data other than the run was trained on", () =>
  withRuns(async (out) => {
    const path = checkpointFile(out, runId(FP)), { tensors, position } = (await readCheckpoint(path))!;
    const dataSha256 = "2".repeat(64);
    await writeCheckpoint(path, { tensors, position: { ...position, dataSha256 } });
    writeRecord(out, { ...readRecord(out, runId(FP))!, dataSha256 });
    const { code, stderr } = await command("--out", out, "--runs", runId(FP), ...ONE);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^Cannot measure run .* as it was trained on data of SHA-256 2{64} and the data set is now 1{64}: restore the data /m,
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
      /^Left out 1 of 3 finished runs as they are trials on held-out images\n1 measurement to do, /,
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

Deno.test("measure unaveraged finds plain LSQ to the bit under averaged weights", () =>
  withRuns(async (out) => {
    const plain = await train(out, { ...STUDENT, method: tinySpec("qat").method, arm: "qat" }, FP);
    const averaged = readRecord(out, runId(STUDENT))!;
    assert.equal((await command("--out", out, "--runs", runId(STUDENT), "--names", "unaveraged")).code, 0);
    const { values } = readMeasurement(out, runId(STUDENT), "unaveraged")!;
    assert.equal(values["top1Percent"], averaged.metrics!["top1Percent"]);
    assert.equal(values["unaveragedTop1Percent"], plain.metrics!["top1Percent"]);
    assert.equal(values["unaveragedLoss"], plain.metrics!["loss"]);
    assert.notEqual(values["unaveragedLoss"], values["loss"]);
  }));
