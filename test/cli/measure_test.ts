import assert from "node:assert/strict";
import { join } from "node:path";
import { collectMeasurements } from "../../src/cli/report_collect.ts";
import { MEASUREMENTS } from "../../src/measure/mod.ts";
import { parseMeasurements } from "../../src/report/read/records.ts";
import {
  checkpointFile,
  keptCheckpoints,
  measurementFile,
  openRun,
  readMeasurement,
  runFolder,
  writeRecord,
} from "../../src/store/store.ts";
import { runId } from "../../src/record/spec.ts";
import { command, FP, STUDENT, train, withRuns } from "../support/measured_runs.ts";
import { tinySpec } from "../support/runs.ts";

const SMALL = ["--set", "images=20;probes=2;draws=2;sigmas=0.1;blockSize=10;batches=2"];

Deno.test("measure writes a file for each measurement of each finished run, and a second call keeps them", () =>
  withRuns(async (out) => {
    const first = await command("--out", out, ...SMALL);
    assert.equal(first.code, 0, first.stderr);
    const all = 2 * MEASUREMENTS.length;
    assert.ok(first.stderr.startsWith(`${all} measurements to do, 0 done before, in `), first.stderr);
    const lines = first.stdout.split("\n");
    assert.equal(lines.filter((line) => /^[0-9a-f]{16} /.test(line)).length, all);
    assert.match(
      first.stdout,
      /^hessian_trace: Tr H\nrun +arm +value +seconds\n(.+\n)*.+fp resnet8 seed 3 +-?[\d.]+ ± [\d.]+ +\d+$/m,
    );
    assert.ok(lines.every(({ length }) => length <= 80), "as wide as a terminal");
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
    assert.match(more.stderr, /^1 measurement to do, 0 done before/);
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
    delete record.networkSha256;
    writeRecord(out, { ...record, id: runId(failed), spec: failed, status: "failed", reason: "a test", metrics: null });
    assert.ok(folder);
    const empty = join(out, "empty");
    await Deno.mkdir(empty);
    const cases: [string[], RegExp][] = [
      [["--force"], /^Cannot run `deno task measure` without --out: give --out DIR\n$/],
      [
        ["--out", out, "--names", "sharpness"],
        /^Cannot use measurement "sharpness" as it is not known: choose one of hessian_trace, /,
      ],
      [
        ["--out", out, "--runs", "0123"],
        /^Cannot find run "0123" in .* as no id begins so: see `deno task runs list --out DIR`\n$/,
      ],
      [
        ["--out", out, "--runs", runId(unfinished).slice(0, 8).toUpperCase()],
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
      [
        ["--out", join(out, "none")],
        /^Cannot look for runs in .*none as there is no such folder: give the --out folder/,
      ],
      [["--out", empty], /^Cannot measure anything in .*empty as it holds no finished run: /],
      [
        ["--out", out, "--set", "probe=3"],
        /^Cannot set "probe" as it is an option of none of hessian_trace, .*: choose among images, probes, /,
      ],
      [
        ["--out", out, "--names", "level_span", "--set", "probes=3"],
        /^Cannot set "probes" as it is an option of none of level_span: leave --set out, as they have no options\n$/,
      ],
      [
        ["--out", out, "--set", "probes=4;probes=5"],
        /^Cannot use --set "probes=4;probes=5" as it gives probes twice: /,
      ],
      [["--out", out, "--set", "probes"], /^Cannot use --set "probes" as it must be KEY=VALUE: /],
      [
        ["--out", out, "--set", "probes=1"],
        /^Cannot set probes to 1 in measurement hessian_trace as it must be at least 2: /,
      ],
      [["--out", out, "--engine", "torch"], /^Cannot use engine "torch" as it is not known: /],
      [
        ["--out", out, "--nams", "x"],
        /^Cannot use option --nams as it is not known, perhaps --names was meant: choose among --out, --names, /,
      ],
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
