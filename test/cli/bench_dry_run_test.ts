/** What the bench command tells before it runs anything: plan, cells, time, memory and disk. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { PAPERS } from "../../benchmarks/mod.ts";
import { readableRecords } from "../../src/store/store.ts";
import { withFolder } from "../support/fakes/specs.ts";
import { cli } from "../support/bench_cli.ts";

Deno.test("bench --dry-run shows teachers above students, estimates from records, and writes nothing", () =>
  withFolder(async (out) => {
    const args = ["--paper", "mec", "--out", out, "--seeds", "0,1", "--dry-run"];
    const before = await cli(args);
    assert.equal(before.code, 0);
    assert.match(
      before.stdout,
      /^Plan of mec, protocol smoke\nfp resnet8 seed 0 {2}[0-9a-f]{16} {2}no estimate yet, 3\.0 MiB of disk\n {2}lsq resnet8 W4A4 seed 0 /,
    );
    assert.match(before.stdout, /\n6 runs, 0 done, 6 to run: no estimate yet\n$/);
    assert.deepEqual([...Deno.readDirSync(out)], []);

    await cli(["--paper", "mec", "--out", out]);
    const after = await cli(args);
    // 2,048 images at the fake's 100 images/s: 20 s an epoch, FP has two.
    assert.match(
      after.stdout,
      /\nfp resnet8 seed 1 {2}[0-9a-f]{16} {2}about 41 s, \d+ MiB of memory, 3\.0 MiB of disk\n {2}lsq resnet8 W4A4 seed 1 {2}[0-9a-f]{16} {2}about 20 s/,
    );
    assert.match(after.stdout, /\n6 runs, 3 done, 3 to run: about 61 s with 2 at once\n$/);
    // two seeds a cell: 2 x 41 s and 2 x 20 s in hours
    assert.match(
      after.stdout,
      /\nCells of mec mec-bits, cifar10: hours of one process\n {2}resnet8 {2}fp {3}FP {4}2 runs {2}0\.02 h\n {2}resnet8 {2}lsq {2}W4A4 {2}2 runs {2}0\.01 h\n/,
    );
    const document = JSON.parse((await cli([...args, "--json"])).stdout);
    assert.deepEqual(document.runs.map(({ status }: { status: string | null }) => status).sort(), [
      "done",
      "done",
      "done",
      null,
      null,
      null,
    ]);
  }));

Deno.test("bench --dry-run writes sizes of disk without an exponent", () =>
  withFolder(async (out) => {
    const sizes: string[] = [];
    for (const checkpoint of [0.021, 4.9, 4.99, 131, 1300]) {
      const args = ["--paper", "mec", "--methods", "fp", "--out", out, "--dry-run"];
      const { stdout } = await cli(args, { checkpointMiB: () => Promise.resolve(checkpoint) });
      sizes.push(/([^ ]*) MiB of disk/.exec(stdout)![1]!);
    }
    assert.deepEqual(sizes, ["0.042", "9.8", "10", "262", "2600"]);
  }));

Deno.test("bench --dry-run tells memory and disk, and learns from committed records where the folder has none", () =>
  withFolder(async (out) => {
    await cli(["--paper", "mec", "--out", out]);
    const committedRecords = () => Promise.resolve(readableRecords(out));
    const args = ["--paper", "mec", "--out", join(out, "other"), "--dry-run", "--jobs", "1"];
    const { stdout } = await cli(args, { committedRecords });
    // Two checkpoints of 1.5 MiB for each of 3 runs.
    assert.match(stdout, /^Memory: at most \d+ MiB of this machine's 100000 MiB; disk: at most 9 MiB of checkpoints$/m);
    assert.match(stdout, /^fp resnet8 seed 0 {2}[0-9a-f]{16} {2}about 41 s, /m);
    const { resources } = JSON.parse((await cli([...args, "--json"], { committedRecords })).stdout);
    assert.equal(resources.diskMiB, 9);
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
        assert.ok(stdout.includes(`Cells of ${id} ${grid.id}, ${grid.dataset}: hours`), grid.id);
      }
    }
    assert.match(stdout, /\n {2}mobilenetv1 +fpq +W2A2 +3 runs +no estimate\n/);
    const { cells } = JSON.parse((await cli([...args, "--json"])).stdout);
    const table5 = cells.filter(({ paper, table }: Record<string, string>) => paper === "fpq" && table === "table5");
    assert.equal(table5.length, 4 * (1 + 3 * 6)); // models, FP and three widths of six quantized arms
    for (const { runs, estimatedSeconds } of cells) assert.deepEqual([runs.length, estimatedSeconds], [3, null]);
  }));

Deno.test("bench makes one run at once where a GPU is expected, unless --jobs says otherwise", async () => {
  const gpu = { resolveEngine: () => Promise.resolve("tensorflow" as const), gpuExpected: () => Promise.resolve(true) };
  const args = ["--paper", "mec", "--protocol", "smoke", "--dry-run", "--json"];
  const alone = await cli(args, gpu);
  assert.match(alone.stderr, /One run at once, as a run takes the GPU as a whole/);
  assert.doesNotMatch((await cli([...args, "--jobs", "2"], gpu)).stderr, /One run at once/);
  assert.doesNotMatch((await cli(args)).stderr, /One run at once/);
});

Deno.test("bench plans TF32 on a GPU unless --precision says otherwise, in specs of their own", async () => {
  const gpu = { resolveEngine: () => Promise.resolve("tensorflow" as const), gpuExpected: () => Promise.resolve(true) };
  const cpu = { ...gpu, gpuExpected: () => Promise.resolve(false) };
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
});

Deno.test("bench --epochs plans a protocol of its own, says what it shortens, and runs nothing that is not shorter", () =>
  withFolder(async (out) => {
    const args = ["--paper", "mec", "--protocol", "paper", "--table", "mec-bits", "--seeds", "0", "--out", out];
    const planned = async (...more: string[]) => await cli([...args, ...more, "--dry-run", "--json"]);
    const whole = JSON.parse((await planned()).stdout), { stdout, stderr } = await planned("--epochs", "20");
    const short = JSON.parse(stdout);
    assert.match(stderr, /\nShortened by --epochs 20: 20 of 200 epochs quantized and 20 of 200 in full precision, /);
    assert.equal(short.protocol, "paper-20");
    assert.equal(short.runs.length, whole.runs.length);
    type Run = { id: string; spec: { protocol: string; recipe: { epochs: number } } };
    for (const { id, spec: { protocol, recipe } } of short.runs as Run[]) {
      assert.deepEqual([protocol, recipe.epochs], ["paper-20", 20]);
      assert.ok((whole.runs as Run[]).every((run) => run.id !== id));
    }
    const refused = await planned("--epochs", "200");
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /Cannot shorten protocol paper to 200 epochs as .*: give --epochs 1 to 199, /);
  }));
