import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PAPERS, SUITE } from "../../benchmarks/mod.ts";
import { knownModels } from "../../src/plan/tables.ts";
import { PROTOCOLS } from "../../src/record/spec.ts";
import { QUANTIZERS } from "../../src/quant/mod.ts";
import type { ReportInput } from "../../src/report/mod.ts";
import { readableRecords, runFolder, writeRecord } from "../../src/store/store.ts";
import { fakeCommand, traceOf, withFolder } from "../support/fakes/specs.ts";
import { cli } from "../support/bench_cli.ts";

const KNOWN_OPTIONS =
  "--paper, --protocol, --table, --methods, --models, --bits, --seeds, --engine, --jobs, --out, --watch, --dry-run, --print, " +
  "--list, --help-all, --probe, --runs, --epochs, --quantizer, --teachers, --queue, --store, --precision, --timeout, " +
  "--memory, --retries, --fail-fast, --keep-epochs, --no-report, --json, --help";

const TABLES_OF_FPQ = PAPERS.find(({ id }) => id === "fpq")!.tables.map(({ id }) => id).join(", ");
/** Of the table that smoke runs. */
const ARMS_OF_MEC = PAPERS.find(({ id }) => id === "mec")!.tables[0]!.arms.map(({ id }) => id).join(", ");

const IDS = [...PAPERS.map(({ id }) => id), "all"];

const BAD_INPUTS: readonly (readonly [args: string, message: string])[] = [
  ["--dry-run", `Cannot run without --paper: give --paper ${IDS.join("|")}, or --help`],
  ["--paper lsq", `Cannot use paper "lsq" as it is not known: choose one of ${IDS.join(", ")}`],
  [
    "--paper fpq --table table9",
    'Cannot use table of paper fpq "table9" as it is not known: choose one of ' + TABLES_OF_FPQ,
  ],
  ["--paper all --table table4", "Cannot use --table table4 together with --paper all: name the paper of the table"],
  [
    "--paper fpq --quantizer nope",
    'Cannot use quantizer "nope" as it is not known: choose one of ' + QUANTIZERS.map(({ name }) => name).join(", "),
  ],
  [
    "--paper fpq --protocol long",
    `Cannot use protocol "long" as it is not known: choose one of ${PROTOCOLS.join(", ")}`,
  ],
  ["--paper mec --methods vgg", 'Cannot use method "vgg" as it is not known: choose one of ' + ARMS_OF_MEC],
  [
    "--paper mec --methods mec_k1",
    'Cannot use method "mec_k1" as it is no row of the tables to be run (mec-bits): give --paper mec --table mec-ablation',
  ],
  [
    "--paper mec --models vgg",
    'Cannot use model "vgg" as it is not known: choose one of ' + knownModels(SUITE).join(", "),
  ],
  ["--paper mec --bits W9A0", 'Cannot use bits "W9A0" as they must be W1A1 to W8A8: write them such as W2A4'],
  ["--paper mec --bits W4A4,", 'Cannot use --bits "W4A4," as a value between its commas is empty: leave the comma out'],
  ["--paper mec --seeds 0,x", 'Cannot use seed "x" as seeds must be whole numbers from 0: write them such as 0,1,2'],
  ["--paper mec --seeds -1", 'Cannot use seed "-1" as seeds must be whole numbers from 0: write them such as 0,1,2'],
  ["--paper mec --seeds 1.5", 'Cannot use seed "1.5" as seeds must be whole numbers from 0: write them such as 0,1,2'],
  [
    "--paper mec --engine torch",
    'Cannot use engine "torch" as it is not known: choose one of auto, onednn, tensorflow, wasm',
  ],
  ["--paper mec --engine tensorflow", "Cannot use engine tensorflow as it is a test"],
  [
    "--paper mec --jobs 0",
    'Cannot use --jobs "0" as it must be a whole number from 1 to 1024: leave it out for one per core',
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
  ["--paper --json", `Cannot use --paper without a value: give --paper ${IDS.join("|")}`],
  ["--paper mec extra", 'Cannot use "extra" as it belongs to no option: see --help'],
  [
    "--paper mec --methds lsq",
    `Cannot use option --methds as it is not known, perhaps --methods was meant: choose among ${KNOWN_OPTIONS}`,
  ],
  ["--paper mec --watch node7", 'Cannot use --watch "node7" as it must be PORT or HOST:PORT: give such as 8642'],
  [
    "--paper mec --watch --dry-run",
    "Cannot use --watch together with --dry-run: leave one out, as a dry run has nothing to watch",
  ],
  [
    "--paper mec --out /dev/null/x",
    "Cannot write /dev/null/x/runs as a file stands where a folder is needed, or a folder where a file is needed: choose another place",
  ],
];

for (const [args, message] of BAD_INPUTS) {
  Deno.test(`bench ${args} ends with one sentence and exit code 2`, async () => {
    const { code, stdout, stderr } = await cli(args.split(" ").filter((word) => word !== ""));
    assert.equal(code, 2);
    assert.equal(stdout, "");
    // the folder is tried last, after the engine was printed
    assert.equal(args.includes("--out") ? stderr.replace(/^Engine: .*\n/, "") : stderr, message + "\n");
  });
}

Deno.test("bench --list names all papers, and with --paper that one alone", async () => {
  const [all, one] = await Promise.all([cli(["--list"]), cli(["--list", "--paper", "cr"])]);
  assert.deepEqual([all.code, one.code], [0, 0]);
  for (const table of ["cr-main", "mec-bits"]) assert.match(all.stdout, new RegExp(table));
  assert.match(one.stdout, /cr-main/);
  assert.doesNotMatch(one.stdout, /mec-bits/);
});

Deno.test("bench advises a faster engine, unless wasm was asked for", async () => {
  const args = ["--paper", "mec", "--dry-run"];
  const [chosen, auto] = await Promise.all([cli([...args, "--engine", "wasm"]), cli(args)]);
  assert.equal(chosen.stderr, "Engine: wasm\n");
  assert.match(auto.stderr, /^Engine: wasm, which needs nothing installed; others are several times faster/);
});

Deno.test("bench names the methods that it leaves out for want of an imported network", async () => {
  const { code, stderr } = await cli(["--paper", "fpq", "--table", "fp-form", "--protocol", "paper", "--dry-run"]);
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /^Left out: fp_form_pretrained, without an imported network \(deno task teacher, --teachers\)$/m,
  );
});

Deno.test("the papers of bench are those of the project", () => {
  for (const id of ["mec", "fpq", "cr", "all"]) assert.ok(IDS.includes(id), id);
});

Deno.test("bench --help-all names every option; --help fits one screen", async () => {
  const { code, stdout } = await cli(["--help-all"]);
  assert.equal(code, 0);
  for (const option of KNOWN_OPTIONS.split(", ")) assert.ok(stdout.includes(`  ${option} `), option);
  const short = (await cli(["--help"])).stdout;
  assert.match(short, /Exit codes: 0 all runs done, 1 some runs failed or were stopped, 2 bad input\n$/);
  assert.ok(!short.includes("--queue"));
  const lines = short.trimEnd().split("\n");
  assert.ok(lines.length < 24, "one screen, with a line for the prompt");
  for (const line of lines) assert.ok(line.length <= 80, line);
  assert.equal((await cli([])).stdout, short, "the command alone");
});

Deno.test("bench runs a paper's smoke table, prints its Markdown, and a second call runs nothing", () =>
  withFolder(async (out) => {
    const args = ["--paper", "fpq", "--out", out];
    const first = await cli(args);
    assert.equal(first.code, 0, first.stderr);
    assert.equal(first.stdout, "# 3 records\n\n");
    assert.match(first.stderr, /^Engine: wasm, .*run `deno task engine install` to get them\n/);
    assert.match(first.stderr, /^Protocol smoke, 3 of 3 runs done$/m);
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

Deno.test("bench says of runs that it keeps how many had uncommitted changes, as their code may be edited since", () =>
  withFolder(async (out) => {
    const args = ["--paper", "fpq", "--out", out], says = /(\d+) runs? of those done before had uncommitted changes: /;
    const marked = (dirty: (index: number) => boolean) => {
      for (const [index, record] of readableRecords(out).entries()) {
        const { otherEnvironments: _, ...rest } = record; // the tests' own checkout may be dirty
        writeRecord(out, { ...rest, environment: { ...record.environment, dirty: dirty(index) } });
      }
    };
    await cli(args);
    marked(() => false);
    assert.doesNotMatch((await cli(args)).stderr, says);
    marked((index) => index === 0);
    assert.equal(says.exec((await cli(args)).stderr)?.[1], "1");
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
    assert.match(stderr, /^failed {2}cr resnet8 W4A4 seed 0: the fake trainer threw$/m);
    assert.match(stderr, /^Protocol smoke, 2 of 3 runs done$/m);
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

Deno.test("bench refuses a folder of reports that is a link before it runs anything, and --no-report does not care", () =>
  withFolder(async (folder) => {
    const out = join(folder, "out"), outside = join(folder, "outside"), args = ["--paper", "mec", "--methods", "fp"];
    for (const path of [out, outside]) Deno.mkdirSync(path);
    Deno.symlinkSync(outside, join(out, "reports"));
    const refused = await cli([...args, "--out", out]);
    assert.equal(refused.code, 2);
    assert.match(
      refused.stderr,
      /^Cannot use \S+reports as it is a link, and only files and folders may be there: delete it$/m,
    );
    assert.deepEqual([...Deno.readDirSync(outside), ...Deno.readDirSync(join(out, "runs"))], []);
    assert.equal((await cli([...args, "--out", out, "--no-report"])).code, 0);
  }));

Deno.test("bench --quantizer runs every arm on that quantizer, under ids of their own", () =>
  withFolder(async (out) => {
    const { code, stderr, reported } = await cli(["--paper", "fpq", "--quantizer", "dorefa", "--out", out]);
    assert.equal(code, 0, stderr);
    const [{ records, pages }] = reported as [ReportInput];
    assert.deepEqual(records.map(({ spec }) => spec.arm), ["fp", "dorefa", "fpq@dorefa"]);
    assert.deepEqual(records.map(({ spec }) => spec.quantization?.quantizer), [undefined, "dorefa", "dorefa"]);
    const own = pages[0]!.tables.slice(-2).map(({ id, arms }) => [id, ...arms.map((arm) => arm.id)]);
    assert.deepEqual(own, [["fpq-quantizers-cifar10", "fpq@dorefa"], ["fpq-beyond-cifar10", "dorefa"]]);
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
    assert.match(stderr, /^Stopped with 3 runs to go\. Next\n {2}deno task bench --paper mec --out .*$/m);
    assert.equal(reported.length, 0);
  }));

Deno.test("bench stops the other runs and exits with 2 when one failed as the disk is full", () =>
  withFolder(async (out) => {
    const { code, stderr } = await cli(["--paper", "mec", "--out", out, "--jobs", "1"], {
      command: () => fakeCommand(["lsq=diskFull"]),
    });
    assert.equal(code, 2);
    assert.match(stderr, /^failed {2}lsq resnet8 W4A4 seed 0: Cannot write .* as the disk is full: /m);
    assert.match(stderr, /^Stopped with 1 run to go\. Next$/m);
    assert.match(
      stderr,
      /^Cannot continue as the disk of .* is full: free some space and run the same command again$/m,
    );
    assert.ok(!traceOf(out).includes("start mec"));
  }));

Deno.test("the command itself exits with 2 on bad input", async () => {
  const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", main, "bench", "--paper", "nope"],
    stdout: "piped",
    stderr: "piped",
  }).output();
  assert.equal(code, 2);
  assert.equal(
    new TextDecoder().decode(stderr),
    `Cannot use paper "nope" as it is not known: choose one of ${IDS.join(", ")}\n`,
  );
});
