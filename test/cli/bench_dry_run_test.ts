/** What the bench command reports before it runs anything: plan, cells, time, memory and disk. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { PAPERS } from "../../benchmarks/mod.ts";
import { childCommand, type ChildPlace, datasetSizes } from "../../src/cli/services.ts";
import type { TableCost } from "../../src/plan/cost.ts";
import type { Rate } from "../../src/record/rate.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { readableRecords } from "../../src/store/store.ts";
import { mpsScript, TWO_GPUS, withNvidia } from "../support/fakes/nvidia.ts";
import { fpSpec, studentSpec, withFolder } from "../support/fakes/specs.ts";
import { requireParts } from "../../src/cli/bench_runs.ts";
import type { RunSpec } from "../../src/record/spec.ts";
import { cli } from "../support/bench_cli.ts";

Deno.test("bench --dry-run shows a line for each cell and what is left to pay, from records, and writes nothing", () =>
  withFolder(async (out) => {
    const args = ["--paper", "mec", "--out", out, "--seeds", "0,1", "--dry-run"];
    const before = await cli(args);
    assert.equal(before.code, 0);
    assert.match(
      before.stdout,
      /^Plan of mec, protocol smoke\n\nmec mec-bits, cifar10\n {2}model +method +bits +runs +done +core-hours\n {2}resnet8 +fp +FP +2 +0 +\?\n/,
    );
    assert.match(before.stdout, /\nmec mec-bits +6 +0 +6 +\? +\? +0\.018\n/);
    assert.match(before.stdout, /\n6 runs, 0 done, 6 to run: no estimate yet\n$/);
    assert.deepEqual([...Deno.readDirSync(out)], []);

    await cli(["--paper", "mec", "--out", out]);
    // 2,048 images at the fake's 100 images/s and 1,000 evaluated ones at a third: 24 s an epoch, FP has two
    const committedRecords = () =>
      Promise.resolve(readableRecords(out).map((run) => ({ ...run, wallSeconds: 99, cpuSeconds: 24 })));
    const after = await cli([...args, "--runs"], { committedRecords });
    assert.match(
      after.stdout,
      /\nfp resnet8 seed 1 {2}[0-9a-f]{16} {2}about 41 s, \d+ MiB of memory, 3\.0 MiB of disk\n {2}lsq resnet8 W4A4 seed 1 {2}[0-9a-f]{16} {2}about 20 s/,
    );
    assert.doesNotMatch((await cli(args)).stdout, /[0-9a-f]{16}/);
    assert.match(after.stdout, /\n6 runs, 3 done, 3 to run: about 61 s with 2 at once\n$/);
    // two seeds a cell: 2 x 41 s and 2 x 20 s in hours; of the table 41 + 2 x 20 s are left
    assert.match(after.stdout, /\n {2}resnet8 +fp +FP +2 +1 +0\.02\n {2}resnet8 +lsq +W4A4 +2 +1 +0\.01\n/);
    assert.match(after.stdout, /\nmec mec-bits +6 +3 +3 +0\.02 +[\d.]+ +0\.0088\nall, each run once +6 +3 +3 /);
    const document = JSON.parse((await cli([...args, "--json"])).stdout);
    assert.deepEqual(document.runs.map(({ status }: { status: string | null }) => status).sort(), [
      "done",
      "done",
      "done",
      null,
      null,
      null,
    ]);
    assert.deepEqual(document.costs.tables.map(({ table, left }: TableCost) => [table, left]), [["mec-bits", 3]]);
  }));

Deno.test("bench --dry-run writes sizes of disk without an exponent", () =>
  withFolder(async (out) => {
    const sizes: string[] = [];
    for (const checkpoint of [0.021, 4.9, 4.99, 131, 1300]) {
      const args = ["--paper", "mec", "--methods", "fp", "--out", out, "--dry-run", "--runs"];
      const { stdout } = await cli(args, { checkpointMiB: () => Promise.resolve(checkpoint) });
      sizes.push(/([^ ]*) MiB of disk/.exec(stdout)![1]!);
    }
    assert.deepEqual(sizes, ["0.042", "9.8", "10", "262", "2600"]);
  }));

Deno.test("bench --dry-run shows memory and disk, and learns from committed records where the folder has none", () =>
  withFolder(async (out) => {
    await cli(["--paper", "mec", "--out", out]);
    const records = readableRecords(out).map((record) => ({ ...record, peakMemoryMiB: 3072 }));
    const services = { committedRecords: () => Promise.resolve(records) };
    const args = ["--paper", "mec", "--out", join(out, "other"), "--dry-run", "--jobs", "1"];
    const { stdout } = await cli(args, services);
    // two checkpoints of 1.5 MiB for each of 3 runs
    assert.match(stdout, /\nmec mec-bits +3 +0 +3 +0\.02 +3\.0 +0\.0088\n/);
    assert.match(stdout, /\nMemory \(1 run at once; here: 98\) and disk \(checkpoints\) in GiB\n/);
    const { resources } = JSON.parse((await cli([...args, "--json"], services)).stdout);
    assert.equal(resources.diskMiB, 9);
  }));

Deno.test("bench --dry-run --probe times steps of each kind in processes like a run's, and keeps the rates", () =>
  withFolder(async (out) => {
    const kept: Rate[] = [], args = ["--paper", "mec", "--methods", "lsq", "--out", out, "--dry-run"];
    const services = {
      command: (place: ChildPlace) => childCommand(place),
      datasetSizes,
      rates: () => kept,
      keepRate: (rate: Rate) => void kept.push(rate),
    };
    const { stdout, stderr, code, prepared } = await cli([...args, "--probe"], services);
    assert.equal(code, 0);
    assert.match(stderr, /\nProbing 2 kinds of run on .*; rates are kept in .*rates\.jsonl\n/);
    assert.match(stderr, /\n\[1\/2\] fp resnet8 seed 0: [\d.e+]+ images\/s\n\[2\/2\] lsq resnet8 W4A4 seed 0: /);
    assert.deepEqual(prepared, ["synthetic", "synthetic"]); // of CIFAR's size, without a download
    assert.deepEqual(kept.map(({ spec }) => [spec.arm, spec.recipe.batchSize]), [["fp", 64], ["lsq", 64]]);
    for (const { steps } of kept) assert.ok(steps >= 10 && steps <= 12, `${steps}`);
    for (const { step, start, environment, peakMemoryMiB } of kept) {
      assert.ok(step.cpuSeconds > 0 && start.cpuSeconds > 0 && peakMemoryMiB! > 0);
      assert.deepEqual([environment.engine, environment.device], ["wasm", "cpu"]);
    }
    assert.match(stdout, /\n2 runs, 0 done, 2 to run: about /);
    assert.deepEqual([...Deno.readDirSync(out)], []);
    const again = await cli([...args, "--probe"], services);
    assert.match(again.stderr, /\nProbing 0 kinds of run /);
    assert.equal(again.stdout, stdout);
  }));

Deno.test("bench --dry-run --probe names a kind whose process gives no time, and plans without it", () =>
  withFolder(async (out) => {
    const args = ["--paper", "mec", "--methods", "fp", "--out", out, "--dry-run", "--probe"];
    const { stdout, stderr, code } = await cli(args, { command: () => [Deno.execPath(), "eval", "Deno.exit(3)"] });
    assert.equal(code, 0);
    assert.match(stderr, /\nCannot probe fp resnet8 seed 0 as its process gave no time: no log\n/);
    assert.match(stdout, /\n1 runs, 0 done, 1 to run: no estimate yet\n$/);
  }));

Deno.test("bench --dry-run counts hours of each GPU by its own records alone", () =>
  withFolder(async (out) => {
    await cli(["--paper", "mec", "--out", out]);
    const environment = (run: RunRecord) => ({
      ...run.environment,
      device: "gpu",
      versions: { gpu: "NVIDIA H200, driver 580" },
    });
    const records = readableRecords(out).map((run) => {
      const spec = { ...run.spec, engine: "tensorflow" as const };
      return { ...run, spec, environment: environment(run), imagesPerSecond: 10 };
    });
    const args = ["--paper", "mec", "--out", join(out, "other"), "--dry-run"];
    const { stdout } = await cli(args, { committedRecords: () => Promise.resolve(records) });
    assert.match(stdout, /\ncost of what is left +runs +done +left +core-hours +H200 h +memory +disk\n/);
    // FP 2 x 204.8 s, two students of 204.8 s: 0.23 hours of the H200, and nothing is known of this machine
    assert.match(stdout, /\nmec mec-bits +3 +0 +3 +\? +0\.23 +\? /);
    assert.deepEqual(stdout.split("\n").filter((line) => line.length > 80), []);
  }));

Deno.test("bench refuses a grid that does not fit in memory, and takes fewer at once where none was asked for", () =>
  withFolder(async (out) => {
    await cli(["--paper", "mec", "--out", out]);
    const records = readableRecords(out).map((record) => ({ ...record, peakMemoryMiB: 3000 }));
    const services = { committedRecords: () => Promise.resolve(records), memoryMiB: 4000 };
    const args = ["--paper", "mec", "--out", join(out, "other"), "--dry-run"];
    const refused = await cli([...args, "--jobs", "2"], services);
    assert.equal(refused.code, 2);
    assert.match(
      refused.stderr,
      /^Cannot run 2 at once as they would take 6000 MiB of memory together and this machine has 4000 MiB: give --jobs 1$/m,
    );
    const fewer = await cli(args, services);
    assert.equal(fewer.code, 0);
    assert.match(fewer.stderr, /^1 at once instead of one per core, as more would not fit in 4000 MiB$/m);
    const none = await cli(args, { ...services, memoryMiB: 2000 });
    assert.match(none.stderr, /3000 MiB of memory together .* 2000 MiB: run them on a machine with more$/m);
  }));

Deno.test("bench --dry-run lists every cell of every table, and says where there is no estimate", () =>
  withFolder(async (out) => {
    const args = ["--paper", "all", "--protocol", "paper", "--out", out, "--dry-run"];
    const { stdout, code } = await cli(args);
    assert.equal(code, 0);
    for (const { id, tables } of PAPERS) {
      for (const grid of tables.filter(({ protocols }) => protocols?.includes("paper") ?? true)) {
        assert.ok(stdout.includes(`\n${id} ${grid.id}, ${grid.dataset}\n  model `), grid.id);
      }
    }
    assert.match(stdout, /\n {2}mobilenetv1 +fpq +W2A2 +3 +0 +\?\n/);
    assert.deepEqual(stdout.split("\n").filter((line) => line.length > 80), []);
    const { cells } = JSON.parse((await cli([...args, "--json"])).stdout);
    const table5 = cells.filter(({ paper, table }: Record<string, string>) => paper === "fpq" && table === "table5");
    assert.equal(table5.length, 4 * (1 + 3 * 6)); // models, FP and three widths of six quantized arms
    for (const { runs, estimatedSeconds } of cells) assert.deepEqual([runs.length, estimatedSeconds], [3, null]);
  }));

const ON_GPUS = (count: number) => ({
  resolveEngine: () => Promise.resolve("tensorflow" as const),
  gpus: () => Promise.resolve([0, 1].slice(0, count).map((i) => ({ visible: `${i}`, name: null, memoryMiB: 80_000 }))),
  cores: 16,
});

Deno.test("bench plans one run per GPU at first, unless --jobs says otherwise; --jobs auto is the default", async () => {
  const args = ["--paper", "mec", "--protocol", "smoke", "--dry-run", "--json"];
  const jobs = async (count: number, ...more: string[]) =>
    JSON.parse((await cli([...args, ...more], ON_GPUS(count))).stdout).jobs;
  assert.deepEqual([await jobs(1), await jobs(2), await jobs(2, "--jobs", "auto")], [1, 2, 2]);
  assert.deepEqual([await jobs(2, "--jobs", "5"), await jobs(0)], [5, 16]);
});

Deno.test("bench says how runs share a GPU, and stops the MPS daemon that it started", () =>
  withFolder((folder) =>
    withNvidia(folder, { "nvidia-cuda-mps-control": mpsScript(folder), "nvidia-smi": TWO_GPUS }, async () => {
      const args = ["--paper", "mec", "--protocol", "smoke", "--engine", "tensorflow", "--out", join(folder, "out")];
      const few = ["--methods", "fp", "--models", "resnet20", "--seeds", "0", "--bits", "W2A2"];
      const { stderr, code } = await cli([...args, ...few], ON_GPUS(1));
      assert.equal(code, 0, stderr);
      assert.match(
        stderr,
        /^Runs on the GPU: 1 at once at first, more while that pays\nThey share a GPU by NVIDIA's MPS, started here /m,
      );
      const [start, ask, quit] = Deno.readTextFileSync(join(folder, "log")).trim().split("\n");
      assert.match(start!, /^start .*requant-mps-/);
      assert.deepEqual([ask, quit], ["get_server_list", "quit"]);
      // one run on each of two GPUs shares none
      const both = await cli([...args.slice(0, -1), join(folder, "two"), ...few, "--jobs", "2"], ON_GPUS(2));
      assert.match(both.stderr, /^Runs on 2 GPUs: 2 at once$/m);
    })
  ));

Deno.test("bench plans TF32 on a GPU unless --precision says otherwise, in specs of their own", async () => {
  // an engine that another test opened in this process may have forbidden it
  Deno.env.delete("NVIDIA_TF32_OVERRIDE");
  const gpu = ON_GPUS(1), cpu = ON_GPUS(0);
  const args = ["--paper", "mec", "--protocol", "smoke", "--dry-run", "--json"];
  type Planned = { id: string; spec: { precision?: string } };
  const planned = async (services: typeof gpu, ...more: string[]) =>
    JSON.parse((await cli([...args, ...more], services)).stdout).runs as Planned[];
  const [tf32, float32, onCpu] = [await planned(gpu), await planned(gpu, "--precision", "float32"), await planned(cpu)];
  assert.ok(tf32.length > 0 && tf32.every(({ spec }) => spec.precision === "tf32"));
  assert.ok(float32.every(({ spec }) => !("precision" in spec)));
  assert.deepEqual(float32, onCpu);
  assert.ok(tf32.every(({ id }) => float32.every((run) => run.id !== id)));
  const { code, stderr } = await cli([...args, "--precision", "tf32"], cpu);
  assert.equal(code, 2);
  assert.match(stderr, /Cannot compute in TF32 as no GPU was found: leave --precision out/);
  Deno.env.set("NVIDIA_TF32_OVERRIDE", "0");
  assert.deepEqual(await planned(gpu), float32);
  Deno.env.delete("NVIDIA_TF32_OVERRIDE");
});

Deno.test("bench plans bf16 where it is asked for, in specs of their own, and refuses it on other engines", async () => {
  const args = ["--paper", "mec", "--protocol", "smoke", "--dry-run", "--json"];
  type Planned = { id: string; spec: { precision?: string } };
  const onednn = {
    resolveEngine: () => Promise.resolve("onednn" as const),
    requireBfloat16: () => Promise.resolve(),
  };
  const planned = async (...more: string[]) =>
    JSON.parse((await cli([...args, ...more], onednn)).stdout).runs as Planned[];
  const [bf16, float32] = [await planned("--precision", "bf16"), await planned()];
  assert.ok(bf16.length > 0 && bf16.every(({ spec }) => spec.precision === "bf16"));
  assert.ok(float32.every(({ id, spec }) => !("precision" in spec) && bf16.every((run) => run.id !== id)));
  for (const more of [[], ["--queue", "redis://127.0.0.1:1"]]) {
    const { code, stderr } = await cli([...args, "--precision", "bf16", ...more]);
    assert.equal(code, 2);
    assert.match(stderr, /Cannot compute in bf16 as engine wasm does not have it: take --engine onednn/);
  }
});

Deno.test("bench --epochs plans a protocol of its own, says what it changes, and refuses the length that is there", () =>
  withFolder(async (out) => {
    const args = ["--paper", "mec", "--protocol", "paper", "--table", "mec-bits", "--seeds", "0", "--out", out];
    const planned = async (...more: string[]) => await cli([...args, ...more, "--dry-run", "--json"]);
    const whole = JSON.parse((await planned()).stdout), { stdout, stderr } = await planned("--epochs", "20");
    const short = JSON.parse(stdout);
    assert.match(
      stderr,
      /\nShortened by --epochs 20: 20 epochs quantized in place of 200 and 20 in full precision in place of 200, /,
    );
    assert.equal(short.protocol, "paper-20");
    assert.equal(short.runs.length, whole.runs.length);
    type Run = { id: string; spec: { protocol: string; recipe: { epochs: number } } };
    for (const { id, spec: { protocol, recipe } } of short.runs as Run[]) {
      assert.deepEqual([protocol, recipe.epochs], ["paper-20", 20]);
      assert.ok((whole.runs as Run[]).every((run) => run.id !== id));
    }
    const refused = await planned("--epochs", "200");
    assert.equal(refused.code, 2);
    assert.match(
      refused.stderr,
      /^Cannot give protocol paper 200 epochs as its quantized runs have 200: leave --epochs out$/m,
    );
  }));

for (const flag of ["probe", "runs"]) {
  Deno.test(`bench refuses --${flag} without --dry-run`, async () => {
    const { code, stderr } = await cli(["--paper", "mec", `--${flag}`]);
    assert.equal(code, 2);
    assert.equal(stderr, `Cannot use --${flag} without --dry-run: add it, or leave --${flag} out\n`);
  });
}

Deno.test("a plan that names what does not exist is refused before any run, with the run that asks for it", async () => {
  const student = studentSpec("lsq", fpSpec());
  const plan = (changes: Partial<RunSpec>) => [fpSpec(), { ...student, ...changes }].map((spec) => ({ id: "", spec }));
  await requireParts(plan({}));
  for (
    const [changes, message] of [
      [{ quantization: { ...student.quantization!, quantizer: "lsqq" } }, /^Cannot use quantizer "lsqq"/],
      [{ method: { name: "qatt", options: {} } }, /^Cannot use method "qatt"/],
      [{ method: { name: "fpq", options: { probabilty: 0.1 } } }, /^Cannot use method fpq.s option "probabilty"/],
      [{ model: "resnet21" }, /^Cannot use model "resnet21"/],
      [{ dataset: { ...student.dataset, name: "cifar1O" } }, /^Cannot use data set "cifar1O"/],
    ] as const
  ) {
    await assert.rejects(requireParts(plan(changes)), (error: Error) => {
      assert.deepEqual([error.name, message.test(error.message)], ["InputError", true], error.message);
      assert.match(error.message, /; it was asked for by lsq \w+ W\dA\d seed 0$/);
      return true;
    });
  }
});
