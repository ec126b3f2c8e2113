import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { allNetworks, findTeachers, placeTeachers } from "../../src/checkpoint/teachers.ts";
import { parseRecords } from "../../src/report/mod.ts";
import { checkpointFile, openRun, readRecord, runFolder, runIds, writeRecord } from "../../src/store/store.ts";
import { openLocks } from "../../src/store/locks.ts";
import { orderRuns } from "../../src/plan/plan.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { record as recordOf } from "../report/fixtures.ts";
import { lockBefore } from "../support/earlier_boot.ts";
import { fpSpec, withFolder } from "../support/fakes/specs.ts";
import { cli } from "../support/bench_cli.ts";

const SPEC = fpSpec(), OTHER = fpSpec({ seed: 1 });

/** A done run with a network of two tensors and a momentum. */
async function writeDone(out: string, spec: RunSpec, value = 1): Promise<RunRecord> {
  const id = runId(spec);
  const made = recordOf({ epochs: spec.recipe.epochs, bits: null, top1Percent: 40 + value });
  // of 1,000 test images: whole percents are met
  const curve = made.curve.map((epoch) => ({ ...epoch, testTop1Percent: Math.round(epoch.testTop1Percent) }));
  const record = { ...made, curve, id, spec };
  openRun(out, spec);
  const tensor = { shape: [2], values: Float32Array.of(value, 0.1) };
  const tensors = { "params/stem/weight": tensor, "state/stem/mean": tensor, "velocity/stem/weight": tensor };
  const position = { runId: id, step: 2, sums: {}, curve: record.curve, trainSeconds: 1 };
  await writeCheckpoint(checkpointFile(out, id), { tensors, position });
  writeRecord(out, record);
  return record;
}

Deno.test("teachers are taken with record and network, without momentum, and only those that are missing", () =>
  withFolder(async (folder) => {
    const [from, out] = [join(folder, "from"), join(folder, "out")];
    const own = await writeDone(out, SPEC, 5);
    await writeDone(from, SPEC, 1);
    const other = await writeDone(from, OTHER, 2);
    const teachers = await findTeachers(from, orderRuns([SPEC, OTHER, fpSpec({ seed: 7 })]));
    assert.deepEqual([...teachers.keys()], [runId(SPEC), runId(OTHER)]);
    assert.deepEqual((await placeTeachers(out, teachers.values())).map(({ id }) => id), [other.id]);
    assert.deepEqual(readRecord(out, own.id), own);
    assert.deepEqual(readRecord(out, other.id), other);
    const network = await readCheckpoint(checkpointFile(out, other.id));
    assert.deepEqual(Object.keys(network!.tensors), ["params/stem/weight", "state/stem/mean"]);
    assert.deepEqual(network!.tensors["params/stem/weight"]!.values, Float32Array.of(2, 0.1));
    assert.deepEqual(await placeTeachers(out, teachers.values()), []);
    assert.deepEqual(
      [...Deno.readDirSync(runFolder(out, other.id))].map(({ name }) => name).sort(),
      ["checkpoint.safetensors", "record.json", "spec.json"],
    );
  }));

Deno.test("a teacher that another scheduler is at is left to it, and bench then waits for its record", () =>
  withFolder(async (folder) => {
    const [from, out] = [join(folder, "from"), join(folder, "out")];
    const grid = ["--paper", "mec", "--methods", "lsq", "--out", out];
    const plan = JSON.parse((await cli([...grid, "--dry-run", "--json"])).stdout);
    const teacher: RunSpec = plan.runs.find(({ spec }: { spec: RunSpec }) => spec.arm === "fp").spec;
    const record = await writeDone(from, teacher);
    const other = openLocks(out);
    assert.equal(other.take(record.id), "taken");
    const running = cli([...grid, "--teachers", from]);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await writeDone(out, teacher);
    other.release(record.id);
    const { code, stderr } = await running;
    other.close();
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /^Took /m);
    assert.match(stderr, /^2 runs to do, 0 done before/m);
  }));

Deno.test("a teacher that a scheduler had before a restart is taken, once it gave no sign of life", () =>
  withFolder(async (folder) => {
    const [from, out] = [join(folder, "from"), join(folder, "out")], { id } = await writeDone(from, SPEC);
    lockBefore(out, id);
    const { networks } = await allNetworks(from), times = { beatMs: 50, staleMs: 300, lookMs: 20 };
    assert.deepEqual((await placeTeachers(out, networks, { times })).map((record) => record.id), [id]);
  }));

Deno.test("a network that is not of its record, cut or missing is refused in one sentence", () =>
  withFolder(async (out) => {
    const { id } = await writeDone(out, SPEC), path = checkpointFile(out, id);
    const refused = (message: RegExp) => assert.rejects(findTeachers(out, orderRuns([SPEC])), { message });
    const whole = Deno.readFileSync(path);
    Deno.writeFileSync(path, whole.subarray(0, 300));
    await refused(/^Cannot read the checkpoint ".*" as .*: restore that file, or train that run again$/);
    Deno.removeSync(path);
    await refused(
      /^Cannot start from run .* as its checkpoint .* is missing: restore that file, or train that run again$/,
    );
    await writeDone(out, OTHER);
    Deno.copyFileSync(checkpointFile(out, runId(OTHER)), path);
    await refused(new RegExp(`as the checkpoint .* is of run ${runId(OTHER)}: restore that file, or train that run`));
    await assert.rejects(findTeachers(join(out, "none"), orderRuns([SPEC])), {
      message: /^Cannot take teachers from .*none as it holds no runs: name an --out folder, or one that /,
    });
  }));

Deno.test("allNetworks() names the runs whose checkpoint is gone, and fails only if no network is left", () =>
  withFolder(async (out) => {
    const { id } = await writeDone(out, SPEC), other = await writeDone(out, OTHER);
    Deno.removeSync(checkpointFile(out, id));
    const { networks, gone } = await allNetworks(out);
    assert.deepEqual([networks.map(({ record }) => record.id), gone], [[other.id], [id]]);
    Deno.removeSync(checkpointFile(out, other.id));
    await assert.rejects(allNetworks(out), {
      message:
        /^Cannot copy networks from .* as it has no run that is done and has its checkpoint: name another --out$/,
    });
  }));

Deno.test("bench --teachers runs no teacher that the folder has, and a dry run copies nothing", () =>
  withFolder(async (folder) => {
    const [from, out] = [join(folder, "from"), join(folder, "out")];
    const grid = ["--paper", "mec", "--methods", "lsq", "--out", out];
    const plan = JSON.parse((await cli([...grid, "--dry-run", "--json"])).stdout);
    const teacher: { id: string; spec: RunSpec } = plan.runs.find(({ spec }: { spec: RunSpec }) => spec.arm === "fp");
    await writeDone(from, teacher.spec);
    const dry = JSON.parse((await cli([...grid, "--dry-run", "--json", "--teachers", from])).stdout);
    assert.deepEqual(dry.runs.map(({ status }: { status: string | null }) => status), ["done", null]);
    assert.deepEqual(runIds(out), []);
    const { code, stderr } = await cli([...grid, "--teachers", from]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^Took fp resnet8 seed 0, 41\.00 %, from /m);
    assert.match(stderr, /^1 run to do, 1 done before/m);
    const keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], before = keys.map((key) => Deno.env.get(key));
    for (const key of keys) Deno.env.set(key, "key");
    const bucket = ["--queue", "redis://localhost:1", "--store", "s3://bucket/prefix"];
    const refused = await cli([...grid, "--teachers", from, ...bucket]);
    keys.forEach((key, i) => before[i] === undefined ? Deno.env.delete(key) : Deno.env.set(key, before[i]!));
    assert.deepEqual([refused.code, refused.stderr], [
      2,
      "Cannot use --teachers together with --store: leave it out, or share a folder instead\n",
    ]);
  }));

Deno.test("bench tells which full-precision runs --teachers does not spare", () =>
  withFolder(async (folder) => {
    const from = join(folder, "from"), grid = ["--paper", "mec", "--methods", "lsq", "--out", join(folder, "out")];
    const plan = JSON.parse((await cli([...grid, "--dry-run", "--json"])).stdout);
    const teacher: RunSpec = plan.runs.find(({ spec }: { spec: RunSpec }) => spec.arm === "fp").spec;
    await writeDone(from, teacher);
    const told = async (seeds: string) => {
      const { code, stderr } = await cli([...grid, "--seeds", seeds, "--dry-run", "--teachers", from]);
      assert.equal(code, 0, stderr);
      return stderr.split("\n").slice(1).join("\n");
    };
    assert.equal(await told("0"), "");
    assert.equal(await told("1"), `The full-precision run of this plan is not in ${from}, so it is trained\n`);
    assert.equal(
      await told("1,2"),
      `None of the 2 full-precision runs of this plan is in ${from}, so they are trained\n`,
    );
    assert.equal(await told("0,1,2"), `1 of the 3 full-precision runs of this plan is in ${from}; 2 to train\n`);
  }));

Deno.test("every committed teacher is the run of its committed record", async () => {
  const reports = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "reports");
  const teachers = join(reports, "teachers");
  const records = new Map(
    [...Deno.readDirSync(join(reports, "records"))].filter(({ isFile }) => isFile).flatMap(({ name }) => {
      const path = join(reports, "records", name);
      return parseRecords(Deno.readTextFileSync(path), path);
    }).map((record) => [record.id, record]),
  );
  const ids = runIds(teachers);
  assert.ok(ids.length > 0);
  for (const id of ids) {
    const record = records.get(id);
    assert.ok(record, `${id} has a record`);
    assert.deepEqual(readRecord(teachers, id), record);
    const found = await findTeachers(teachers, orderRuns([record.spec]));
    assert.equal(found.size, 1, id);
  }
});
