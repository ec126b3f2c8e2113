import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bench, type BenchServices } from "../../benchmarks/bench.ts";
import { PAPERS } from "../../benchmarks/mod.ts";
import { knownModels } from "../../benchmarks/plan.ts";
import { InputError } from "../../src/errors.ts";
import { QUANTIZERS } from "../../src/quant/mod.ts";
import type { ReportInput } from "../../src/report/mod.ts";
import { readableRecords, runFolder } from "../../src/runs/store.ts";
import { fakeCommand, traceOf, withFolder } from "../runs/fakes/specs.ts";

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly prepared: readonly string[];
  readonly reported: readonly ReportInput[];
}

/** The command with fake runs, a fake engine choice and a fake report. */
async function cli(args: readonly string[], overrides: Partial<BenchServices> = {}): Promise<Result> {
  let stdout = "";
  let stderr = "";
  const prepared: string[] = [];
  const reported: ReportInput[] = [];
  const never = new AbortController().signal;
  const code = await bench(args, {
    papers: PAPERS,
    resolveEngine: (choice) => {
      if (choice === "tensorflow") {
        return Promise.reject(new InputError("Cannot use engine tensorflow as it is a test"));
      }
      return Promise.resolve("wasm");
    },
    prepareDataset: (name) => {
      prepared.push(name);
      return Promise.resolve();
    },
    trainSize: () => 50_000,
    renderReports: (input) => {
      reported.push(input);
      return Promise.resolve([
        { path: "page.md", text: `# ${input.records.length} records\n` },
        { path: "page.csv", text: "a,b\n" },
      ]);
    },
    command: () => fakeCommand(),
    cores: 2,
    memoryMiB: 100_000,
    committedRecords: () => Promise.resolve([]),
    checkpointMiB: () => Promise.resolve(1.5),
    listenForInterrupts: () => ({ stop: never, kill: never, dispose: () => {} }),
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
    terminal: false,
    columns: 80,
    ...overrides,
  });
  return { code, stdout, stderr, prepared, reported };
}

const KNOWN_OPTIONS =
  "--paper, --table, --protocol, --methods, --models, --bits, --seeds, --quantizer, --engine, --jobs, --queue, --store, --timeout, " +
  "--memory, --retries, --fail-fast, --keep-epochs, --out, " +
  "--dry-run, --json, --no-report, --help";

const GRIDS_OF_FPQ = PAPERS.find(({ id }) => id === "fpq")!.grids.map(({ id }) => id).join(", ");
/** Of the table that smoke runs. */
const ARMS_OF_MEC = PAPERS.find(({ id }) => id === "mec")!.grids[0]!.arms.map(({ id }) => id).join(", ");

const BAD_INPUTS: readonly (readonly [args: string, message: string])[] = [
  ["", "Cannot run without --paper: give --paper mec|fpq|cr|all, or --help"],
  ["--paper lsq", 'Cannot use paper "lsq" as it is not known: choose one of mec, fpq, cr, all'],
  [
    "--paper fpq --table table9",
    'Cannot use table of paper fpq "table9" as it is not known: choose one of ' + GRIDS_OF_FPQ,
  ],
  ["--paper all --table table4", "Cannot use --table table4 together with --paper all: name the paper of the table"],
  [
    "--paper fpq --quantizer nope",
    'Cannot use quantizer "nope" as it is not known: choose one of ' + QUANTIZERS.map(({ name }) => name).join(", "),
  ],
  ["--paper fpq --protocol full", 'Cannot use protocol "full" as it is not known: choose one of smoke, reduced, paper'],
  ["--paper mec --methods fpq", 'Cannot use method "fpq" as it is not known: choose one of ' + ARMS_OF_MEC],
  [
    "--paper mec --models vgg",
    'Cannot use model "vgg" as it is not known: choose one of ' + knownModels().join(", "),
  ],
  ["--paper mec --bits W9A0", 'Cannot use bits "W9A0" as they must be W1A1 to W8A8: write them such as W2A4'],
  ["--paper mec --bits W4A4,", 'Cannot use --bits "W4A4," as a value between its commas is empty: leave the comma out'],
  ["--paper mec --seeds 0,x", 'Cannot use seed "x" as seeds must be whole numbers from 0: write them such as 0,1,2'],
  ["--paper mec --seeds -1", 'Cannot use seed "-1" as seeds must be whole numbers from 0: write them such as 0,1,2'],
  ["--paper mec --seeds 1.5", 'Cannot use seed "1.5" as seeds must be whole numbers from 0: write them such as 0,1,2'],
  ["--paper mec --engine torch", 'Cannot use engine "torch" as it is not known: choose one of auto, tensorflow, wasm'],
  ["--paper mec --engine tensorflow", "Cannot use engine tensorflow as it is a test"],
  [
    "--paper mec --jobs 0",
    'Cannot use --jobs "0" as it must be a whole number from 1 to 1024: leave it out for one a core',
  ],
  ["--paper mec --timeout 0", 'Cannot use --timeout "0" as it must be a number above 0: give minutes, such as 90'],
  ["--paper mec --memory 2G", 'Cannot use --memory "2G" as it must be a number above 0: give MiB, such as 2000'],
  [
    "--paper mec --retries -1",
    'Cannot use --retries "-1" as it must be a whole number from 0 to 99: give such as 2',
  ],
  [
    "--paper mec --paper fpq",
    "Cannot use --paper twice: give all values in one, separated by commas where it takes several",
  ],
  [
    "--paper mec --queue redis://127.0.0.1:1 --keep-epochs",
    "Cannot use --keep-epochs together with --queue: leave it out, or run without a queue",
  ],
  ["--paper mec --json=yes", 'Cannot use --json=yes as --json takes no value: leave "=yes" out'],
  ["--paper --json", "Cannot use --paper without a value: give --paper mec|fpq|cr|all"],
  ["--paper mec extra", 'Cannot use "extra" as it belongs to no option: see --help'],
  ["--paper mec --methds lsq", `Cannot use option --methds as it is not known: choose among ${KNOWN_OPTIONS}`],
  [
    "--paper mec --out /dev/null/x",
    "Cannot write /dev/null/x/runs as a file stands where a folder is needed, or a folder where a file is needed: choose another folder with --out",
  ],
];

for (const [args, message] of BAD_INPUTS) {
  Deno.test(`bench ${args} ends with one sentence and exit code 2`, async () => {
    const { code, stdout, stderr } = await cli(args.split(" ").filter((word) => word !== ""));
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.equal(stderr.replace(/^Engine: .*\n/, ""), message + "\n");
  });
}

Deno.test("bench --help names every option and exit code", async () => {
  const { code, stdout } = await cli(["--help"]);
  assert.equal(code, 0);
  for (const option of KNOWN_OPTIONS.split(", ")) assert.ok(stdout.includes(`  ${option} `), option);
  assert.match(stdout, /Exit codes: 0 all runs done, 1 some runs failed or were stopped, 2 bad input/);
});

Deno.test("bench runs a paper's smoke table, prints its Markdown, and a second call runs nothing", () =>
  withFolder(async (out) => {
    const args = ["--paper", "fpq", "--out", out];
    const first = await cli(args);
    assert.equal(first.code, 0, first.stderr);
    assert.equal(first.stdout, "# 3 records\n\n");
    assert.match(first.stderr, /^Engine: wasm, .*run `deno task engine install` to get it\n/);
    assert.match(first.stderr, /3 of 3 runs are done/);
    assert.equal(Deno.readTextFileSync(join(out, "reports", "page.csv")), "a,b\n");
    assert.deepEqual(first.prepared, ["cifar10"]);
    const [input] = first.reported;
    assert.deepEqual(input!.pages.map(({ id }) => id), ["fpq"]);
    assert.deepEqual(Object.keys(input!.deviations), ["smoke"]);
    assert.deepEqual(input!.records.map(({ spec }) => spec.arm), ["fp", "lsq", "fpq"]);

    const second = await cli(args);
    assert.equal(second.code, 0);
    assert.deepEqual(second.prepared, []);
    assert.deepEqual(second.reported[0]!.records, input!.records);
    assert.equal(traceOf(out).filter((line) => line.startsWith("start")).length, 3);
  }));

Deno.test("bench reuses FP and LSQ of another paper and reports only its own runs", () =>
  withFolder(async (out) => {
    await cli(["--paper", "fpq", "--out", out]);
    const { code, reported } = await cli(["--paper", "mec", "--out", out]);
    assert.equal(code, 0);
    assert.deepEqual(reported[0]!.records.map(({ spec }) => spec.arm), ["fp", "lsq", "mec"]);
    assert.deepEqual(traceOf(out).filter((line) => line.startsWith("start")).sort(), [
      "start fp",
      "start fpq",
      "start lsq",
      "start mec",
    ]);
  }));

Deno.test("bench exits with 1 when a run failed, and names it, its reason and its log", () =>
  withFolder(async (out) => {
    const { code, stderr, reported } = await cli(["--paper", "cr", "--out", out], {
      command: () => fakeCommand(["cr=throw"]),
    });
    assert.equal(code, 1);
    assert.match(stderr, /^cr resnet8 W4A4 seed 0 failed: the fake trainer threw \(log: .*log\.txt\)$/m);
    assert.match(stderr, /^2 of 3 runs are done, 1 not$/m);
    assert.deepEqual(reported[0]!.records.map(({ status }) => status), ["done", "done", "failed"]);
  }));

Deno.test("bench --json prints one document with records and paths", () =>
  withFolder(async (out) => {
    const { stdout } = await cli(["--paper", "mec", "--out", out, "--json"]);
    const document = JSON.parse(stdout);
    assert.deepEqual([document.schema, document.papers, document.protocol, document.engine], [
      1,
      ["mec"],
      "smoke",
      "wasm",
    ]);
    assert.deepEqual(document.records.map(({ status }: { status: string }) => status), ["done", "done", "done"]);
    assert.deepEqual(document.reports, [join(out, "reports", "page.md"), join(out, "reports", "page.csv")]);
  }));

Deno.test("bench --keep-epochs tells every run's process to keep its epochs", () =>
  withFolder(async (out) => {
    const { code } = await cli(["--paper", "mec", "--methods", "fp", "--out", out, "--keep-epochs"]);
    assert.equal(code, 0);
    assert.deepEqual(traceOf(out), ["start fp, keeping epochs", "end fp"]);
  }));

Deno.test("bench --no-report writes no tables", () =>
  withFolder(async (out) => {
    const { code, stdout, reported } = await cli(["--paper", "mec", "--methods", "fp", "--out", out, "--no-report"]);
    assert.deepEqual([code, stdout, reported.length], [0, "", 0]);
  }));

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
    assert.match(fewer.stderr, /^1 at once instead of one a core, as more would not fit in 4000 MiB$/m);
    const none = await cli(args, { ...services, memoryMiB: 2000 });
    assert.match(none.stderr, /3000 MiB of memory together .* 2000 MiB: run them on a machine with more$/m);
  }));

Deno.test("bench --dry-run lists every cell of every table, and says where there is no estimate", () =>
  withFolder(async (out) => {
    const args = ["--paper", "all", "--protocol", "paper", "--out", out, "--dry-run"];
    const { stdout, code } = await cli(args);
    assert.equal(code, 0);
    for (const { id, grids } of PAPERS) {
      for (const grid of grids) {
        assert.ok(stdout.includes(`Cells of ${id} ${grid.id}, ${grid.dataset}: hours`), grid.id);
      }
    }
    assert.match(stdout, /\n {2}mobilenetv1 +fpq +W2A2 +3 runs +no estimate\n/);
    const { cells } = JSON.parse((await cli([...args, "--json"])).stdout);
    const table5 = cells.filter(({ paper, table }: Record<string, string>) => paper === "fpq" && table === "table5");
    assert.equal(table5.length, 4 * (1 + 3 * 6)); // models, FP and three widths of six quantized arms
    for (const { runs, estimatedSeconds } of cells) assert.deepEqual([runs.length, estimatedSeconds], [3, null]);
  }));

Deno.test("bench --quantizer runs every arm on that quantizer, under ids of their own", () =>
  withFolder(async (out) => {
    const { code, stderr, reported } = await cli(["--paper", "fpq", "--quantizer", "dorefa", "--out", out]);
    assert.equal(code, 0, stderr);
    const [{ records, pages }] = reported as [ReportInput];
    assert.deepEqual(records.map(({ spec }) => spec.arm), ["fp", "qat@dorefa", "fpq@dorefa"]);
    assert.deepEqual(records.map(({ spec }) => spec.quantization?.quantizer), [undefined, "dorefa", "dorefa"]);
    assert.equal(pages[0]!.tables.at(-1)!.id, "fpq-quantizers-cifar10");
  }));

Deno.test("bench refuses a record cut in half and leaves the others", () =>
  withFolder(async (out) => {
    await cli(["--paper", "mec", "--out", out]);
    const [folder] = [...Deno.readDirSync(join(out, "runs"))].map(({ name }) => name);
    const path = join(runFolder(out, folder!), "record.json");
    Deno.writeTextFileSync(path, Deno.readTextFileSync(path).slice(0, 100));
    const { code, stderr } = await cli(["--paper", "mec", "--out", out]);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /Cannot read the record in .* as it is cut in half or no JSON: delete the folder .* to run it again, or restore /,
    );
    assert.equal(traceOf(out).filter((line) => line.startsWith("start")).length, 3);
  }));

Deno.test("bench that was stopped says how to go on, writes no report and exits with 1", () =>
  withFolder(async (out) => {
    const stop = new AbortController();
    const kill = new AbortController();
    const running = cli(["--paper", "mec", "--out", out], {
      command: () => fakeCommand(["fp=slow"]),
      listenForInterrupts: () => ({ stop: stop.signal, kill: kill.signal, dispose: () => {} }),
    });
    while (!traceOf(out).includes("start fp")) await new Promise((resolve) => setTimeout(resolve, 20));
    stop.abort();
    const { code, stderr, reported } = await running;
    assert.equal(code, 1);
    assert.match(stderr, /^Stopping: the runs write their checkpoints; Ctrl-C again stops them at once$/m);
    assert.match(stderr, /^Stopped with 3 runs to go: the same command goes on from there$/m);
    assert.equal(reported.length, 0);
  }));

Deno.test("the command itself exits with 2 on bad input and starts within seconds", async () => {
  const main = fileURLToPath(new URL("../../benchmarks/main.ts", import.meta.url));
  const started = performance.now();
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", main, "--paper", "nope"],
    stdout: "piped",
    stderr: "piped",
  }).output();
  assert.equal(code, 2);
  assert.equal(
    new TextDecoder().decode(stderr),
    'Cannot use paper "nope" as it is not known: choose one of mec, fpq, cr, all\n',
  );
  assert.ok(performance.now() - started < 10_000);
});

Deno.test("bench makes one run at once where a GPU is expected, unless --jobs says otherwise", async () => {
  const gpu = { resolveEngine: () => Promise.resolve("tensorflow" as const), gpuExpected: () => Promise.resolve(true) };
  const args = ["--paper", "mec", "--protocol", "smoke", "--dry-run", "--json"];
  const alone = await cli(args, gpu);
  assert.match(alone.stderr, /One run at once, as a run takes the GPU as a whole/);
  assert.doesNotMatch((await cli([...args, "--jobs", "2"], gpu)).stderr, /One run at once/);
  assert.doesNotMatch((await cli(args)).stderr, /One run at once/);
});
