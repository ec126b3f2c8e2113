import assert from "node:assert/strict";
import { join } from "node:path";
import { report } from "../../src/cli/report.ts";
import { checkFiles, writeFiles } from "../../src/cli/report_files.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { openRun, writeRecord } from "../../src/store/store.ts";
import { PAGE, record, RECORDS } from "../report/fixtures.ts";
import { withFolder } from "../support/fakes/specs.ts";

const OTHER = { ...PAGE, id: "other", title: "Another paper" };

/** The command on two invented papers, in a folder that is removed afterwards. */
function inFolder(
  use: (folder: string, run: (...args: string[]) => Promise<Printed>) => Promise<void>,
): Promise<void> {
  return withFolder((folder) => use(folder, run));
}

interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...args: string[]): Promise<Printed> {
  let stdout = "", stderr = "";
  const code = await report(args, {
    pages: [PAGE, OTHER],
    deviations: {},
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
  });
  return { code, stdout, stderr };
}

function namesOf(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

function writeRecords(folder: string, records: readonly RunRecord[]): string {
  const path = join(folder, "records");
  Deno.mkdirSync(path, { recursive: true });
  Deno.writeTextFileSync(join(path, "a.jsonl"), records.map((item) => JSON.stringify(item) + "\n").join(""));
  return path;
}

Deno.test("report writes all files of all papers, and --check then finds them fresh", () => {
  return inFolder(async (folder, run) => {
    const records = writeRecords(folder, RECORDS);
    const out = join(folder, "out");
    assert.equal((await run("--records", records, "--out", out)).code, 0);
    const site = [...Deno.readDirSync(join(out, "site"))].map(({ name }) => name).sort();
    const pages = ["demo", "other"].flatMap((paper) =>
      ["", "_figures_paper_t1", "_figures_reduced_t1", "_smoke"].map((part) => `${paper}${part}.html`)
    );
    assert.deepEqual(site, ["data", ...pages, "index.html", "runs", "site.js", "style.css"].sort());
    const runPages = new Set(RECORDS.map(({ id }) => `${id}.html`));
    assert.deepEqual(namesOf(join(out, "site", "runs")), [...runPages, "index.html"].sort());
    assert.match(Deno.readTextFileSync(join(out, "demo.md")), /^# Demo: an invented paper/);
    const checked = await run("--check", "--records", records, "--out", out);
    // 2 papers: Markdown and CSV, 4 pages, 5 data files; then overview, runs, style and script; then a page per run
    const count = 2 * (2 + 4 + 5) + 4 + runPages.size;
    assert.deepEqual(checked, { code: 0, stdout: `All ${count} files are what the records give\n`, stderr: "" });
  });
});

Deno.test("report --check names every stale and missing file and exits with 1", () => {
  return inFolder(async (folder, run) => {
    const records = writeRecords(folder, RECORDS);
    const out = join(folder, "out");
    await run("--records", records, "--out", out);
    Deno.writeTextFileSync(join(out, "demo.csv"), "edited\n");
    Deno.removeSync(join(out, "site", "other.html"));
    const { code, stderr } = await run("--check", "--records", records, "--out", out);
    assert.equal(code, 1);
    assert.deepEqual(stderr.split("\n").slice(0, 2), [
      `${join(out, "demo.csv")} is not what the records give`,
      `${join(out, "site", "other.html")} is missing`,
    ]);
    assert.equal(Deno.readTextFileSync(join(out, "demo.csv")), "edited\n", "--check writes nothing");
  });
});

Deno.test("report removes the pages of runs that no record has, and --check names them", () => {
  return inFolder(async (folder, run) => {
    const out = join(folder, "out");
    const [first, second] = [record(), record({ seed: 1 })];
    await run("--records", writeRecords(folder, [first, second]), "--out", out);
    Deno.writeTextFileSync(join(out, "site", "runs", "notes.html"), "of a user\n");
    const args = ["--records", writeRecords(folder, [first]), "--out", out];
    const page = join(out, "site", "runs", `${second.id}.html`);
    const checked = await run("--check", ...args);
    assert.equal(checked.code, 1);
    assert.ok(checked.stderr.includes(`${page} is of no record\n`), checked.stderr);
    assert.match(
      (await run(...args)).stdout,
      new RegExp(`Removed .*${second.id}\\.html, a page of a run that no record has\n$`),
    );
    assert.deepEqual(namesOf(join(out, "site", "runs")), [`${first.id}.html`, "index.html", "notes.html"].sort());
    assert.equal((await run("--check", ...args)).code, 0);
  });
});

Deno.test("report without a site leaves the pages of an earlier one where they are", () =>
  withFolder((out) => {
    const page = { path: `site/runs/${record().id}.html`, text: "a run" }, table = { path: "demo.md", text: "a table" };
    const target = { out, stdout: () => {}, stderr: () => {} };
    writeFiles([table, page], target);
    writeFiles([table], target);
    assert.equal(Deno.readTextFileSync(join(out, page.path)), page.text);
    assert.equal(checkFiles([table], target), 0);
  }));

Deno.test("report leaves out the measurements of a network that was trained again, and names its run", () =>
  inFolder(async (folder, run) => {
    const own = { ...record(), networkSha256: "1".repeat(64) }, { id, spec, environment } = own;
    const values = { trace: 1, standardError: 1, relativeTrace: 1, relativeStandardError: 1 };
    const measurement = {
      schema: 1,
      name: "hessian_trace",
      options: {},
      run: id,
      spec,
      values,
      epochs: [],
      environment,
    };
    Deno.mkdirSync(join(folder, "measurements"));
    const said = async (networkSha256: string) => {
      const line = { ...measurement, networkSha256, dataSha256: "0".repeat(64), seconds: 1 };
      Deno.writeTextFileSync(join(folder, "measurements", "a.jsonl"), JSON.stringify(line));
      const { code, stderr } = await run("--records", writeRecords(folder, [own]), "--out", join(folder, "out"));
      assert.equal(code, 0, stderr);
      return stderr;
    };
    assert.equal(await said(own.networkSha256), "");
    assert.equal(
      await said("f".repeat(64)),
      `Left out 1 measurement, as ${id} was trained again since: measure it again\n`,
    );
  }));

Deno.test("report writes and removes nothing where the folder of the records holds none, as a bench's does", () => {
  return inFolder(async (folder, run) => {
    const out = join(folder, "out"), bench = join(folder, "bench"), item = record();
    await run("--records", writeRecords(folder, [item]), "--out", out);
    openRun(bench, item.spec);
    writeRecord(bench, item);
    const page = join(out, "demo.md"), before = Deno.readTextFileSync(page);
    assert.deepEqual(await run("--records", bench, "--out", out), {
      code: 2,
      stdout: "",
      stderr:
        `Cannot read the records as ${bench} holds no .jsonl: name another folder with --records, or add the runs of a ` +
        "`deno task bench` with --collect DIR\n",
    });
    assert.equal(Deno.readTextFileSync(page), before);
    assert.ok(namesOf(join(out, "site", "runs")).includes(`${item.id}.html`));
  });
});

Deno.test("report --paper writes the files of one paper and those over all papers", () => {
  return inFolder(async (folder, run) => {
    const records = writeRecords(folder, RECORDS);
    const { stdout } = await run("--paper", "other", "--records", records, "--out", folder);
    assert.match(stdout, /other\.md\n/);
    assert.match(stdout, /site\/data\/other_wide\.csv\n/);
    assert.match(stdout, /site\/index\.html\n/);
    assert.match(stdout, /Wrote \d+ pages of runs to .*site\/runs\n$/);
    assert.doesNotMatch(stdout, /demo/);
  });
});

Deno.test("report tells of runs that belong to no table", () => {
  return inFolder(async (folder, run) => {
    const lost = record({ arm: "nobody" });
    const { code, stderr } = await run("--records", writeRecords(folder, [lost]), "--out", folder);
    assert.equal(code, 0);
    const told = "in no table of a paper, shown by pages of their own alone";
    assert.equal(stderr, `1 run ${told}: nobody at W2A2 on cifar10\n`);
    const records = [
      ...[lost, record({ arm: "nobody", seed: 1 }), record({ arm: "trial", evaluateOn: "heldOut" })],
      ...[record({ arm: "lsq", bits: [7, 7] }), record({ arm: "nofp", bits: null })],
    ];
    assert.equal(
      (await run("--records", writeRecords(folder, records), "--out", folder)).stderr,
      // bits beyond the paper's have a table of their own
      `3 runs ${told}: nobody at W2A2 on cifar10; nofp on cifar10\n`,
    );
  });
});

Deno.test("report --collect adds the ended runs of a bench folder and keeps a done run that another replaces", () => {
  return inFolder(async (folder, run) => {
    const records = join(folder, "records"), bench = join(folder, "bench");
    const failed = record({ arm: "good", top1Percent: null });
    const again = record({ arm: "good", top1Percent: 81 });
    for (const item of [failed, record({ protocol: "reduced" })]) {
      openRun(bench, item.spec);
      writeRecord(bench, item);
    }
    assert.equal((await run("--collect", bench, "--records", records, "--out", folder)).code, 0);
    assert.match(Deno.readTextFileSync(join(records, "paper.jsonl")), /"status":"failed"/);
    assert.equal(Deno.readTextFileSync(join(records, "reduced.jsonl")).trim().split("\n").length, 1);
    writeRecord(bench, again);
    await run("--collect", bench, "--records", records, "--out", folder);
    assert.equal(Deno.readTextFileSync(join(records, "paper.jsonl")), JSON.stringify(again) + "\n");
    const kept = join(records, "replaced", "paper.jsonl");
    assert.throws(() => Deno.statSync(kept), Deno.errors.NotFound, "a failure is not kept");
    const third = { ...again, startedAt: "2026-12-01T00:00:00.000Z" };
    writeRecord(bench, third);
    for (let times = 0; times < 2; times++) await run("--collect", bench, "--records", records, "--out", folder);
    assert.equal(Deno.readTextFileSync(join(records, "paper.jsonl")), JSON.stringify(third) + "\n");
    assert.equal(Deno.readTextFileSync(kept), JSON.stringify(again) + "\n");
  });
});

Deno.test("report ends bad input with one sentence and exit code 2", () => {
  return inFolder(async (folder, run) => {
    const cut = join(folder, "cut"), whole = writeRecords(folder, RECORDS);
    Deno.mkdirSync(cut);
    Deno.writeTextFileSync(join(cut, "b.jsonl"), '{"schema":1');
    const cases: [string[], RegExp][] = [
      [["--paper", "nope"], /^Cannot use paper "nope" as it is not known: choose one of demo, other, all\n$/],
      [
        ["--papers"],
        /^Cannot use option --papers as it is not known, perhaps --paper was meant: choose among --paper, /,
      ],
      [
        ["--check", "--collect", "runs"],
        /^Cannot use --check together with --collect: leave one out, as --check writes nothing\n$/,
      ],
      [
        ["--records", join(folder, "none")],
        /^Cannot read the records as there is no folder .*none: name another with --records\n$/,
      ],
      [
        ["--records", folder],
        /^Cannot read the records as .* holds no \.jsonl: name another folder with --records, or /,
      ],
      [["--records", folder, "--check"], /^Cannot read the records as .* holds no \.jsonl: /],
      [["--records", cut], /^Cannot read line 1 of .*b\.jsonl as it is not complete JSON/],
      [["--collect", folder], /^Cannot collect from .* as it holds no ended run/],
      [["--import", "none.csv"], /^Cannot import none\.csv into reports as committed pages come from .*: name another/],
      [["--import", "none.csv", "--out", folder], /^Cannot import none\.csv as there is no such file/],
      [
        ["--diff", "HEAD", "--check"],
        /^Cannot use --diff together with --check: leave one out, as --diff only compares records\n$/,
      ],
      [["--diff", "HEAD", "--records", cut], /^Cannot read line 1 of/],
      [["--records", whole, "--out", join(cut, "b.jsonl")], /^Cannot write .* choose another place\n$/],
    ];
    for (const [args, message] of cases) {
      const { code, stderr } = await run(...args);
      assert.equal(code, 2, args.join(" "));
      assert.match(stderr, message);
    }
  });
});

Deno.test("report --help names every option", () => {
  return inFolder(async (_folder, run) => {
    const { code, stdout } = await run("--help");
    assert.equal(code, 0);
    for (
      const option of ["--paper demo|other|all", "--records", "--out", "--collect", "--import", "--check", "--diff"]
    ) {
      assert.ok(stdout.includes(option), option);
    }
  });
});

Deno.test("report --import shows another tool's rows beside ours and leaves our cells as they are", () => {
  return inFolder(async (folder, run) => {
    const records = writeRecords(folder, RECORDS);
    const path = join(folder, "mq.csv");
    const line = (method: string, seed: number, top1: number) =>
      `demo,t1,cifar10,resnet18,${method},2,2,${seed},${top1},MQ 1,paper,\n`;
    const header = "paper,table,dataset,model,method,w_bits,a_bits,seed,top1_percent,tool,protocol,notes\n";
    const lines = [0, 1, 2].flatMap((seed) => [line("lsq", seed, 86 + seed), line("good", seed, 87.5 + seed)]);
    Deno.writeTextFileSync(path, header + lines.join(""));
    await run("--records", records, "--out", join(folder, "ours"));
    assert.equal((await run("--records", records, "--out", join(folder, "both"), "--import", path)).code, 0);
    const read = (name: string) => Deno.readTextFileSync(join(folder, name));
    assert.match(read("both/demo.md"), /^## Results of other tools$/m);
    assert.equal(read("both/demo.csv"), read("ours/demo.csv"));
    assert.doesNotMatch(read("ours/demo.md"), /other tools/);
    assert.match(read("both/demo.md"), /\| Good +\| +87\.50 \| +89\.53 ± 0\.32 \(3\) \| +88\.50 ± 1\.00 \(3\) \|/);
  });
});

Deno.test("report --diff names the cells that moved since a commit, and refuses what git does not know", () => {
  return inFolder(async (folder, run) => {
    const git = (...args: string[]) => {
      const command = new Deno.Command("git", { args: ["-C", folder, ...args], stdout: "null", stderr: "null" });
      assert.ok(command.outputSync().success, args.join(" "));
    };
    const records = writeRecords(folder, [record(), record({ arm: "good", top1Percent: 81 })]);
    const outside = await run("--diff", "HEAD", "--records", records);
    assert.equal(outside.code, 2);
    assert.match(
      outside.stderr,
      /^Cannot compare with HEAD as .*records is no folder of a git checkout \(fatal: not a git repository /,
    );
    git("init", "--quiet");
    git("-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "--quiet", "--allow-empty", "-m", "of something else");
    const untracked = await run("--diff", "HEAD", "--records", records);
    assert.deepEqual([untracked.code, untracked.stdout], [2, ""]);
    assert.match(
      untracked.stderr,
      /^Cannot compare with HEAD as .*records is no folder of a git checkout \(git has none of it\): /,
    );
    git("add", ".");
    git("-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "first");
    assert.match((await run("--diff", "HEAD", "--records", records)).stdout, /No cell moved: 2 runs then, 2 runs now/);
    writeRecords(folder, [record(), record({ arm: "good", top1Percent: 81 }), record({ seed: 1, top1Percent: 82 })]);
    const { code, stdout } = await run("--diff", "HEAD", "--records", records, "--paper", "demo");
    assert.equal(code, 0);
    assert.match(stdout, /^1 cell moved: 2 runs then, 3 runs now\./m);
    assert.match(stdout, /\| LSQ +\| +80\.00 \(1\) \| 81\.00 ± 1\.41 \(2\) \| +\+1\.00 \| not comparable \|/);
    writeRecords(folder, [record(), record({ arm: "good", top1Percent: 81 }), record({ arm: "good@pact" })]);
    git("-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "--quiet", "-am", "a run of another quantizer");
    writeRecords(folder, [record(), record({ arm: "good", top1Percent: 81 })]);
    assert.match(
      (await run("--diff", "HEAD", "--records", records)).stdout,
      /^\d cells? moved: 3 runs then, 2 runs now/m,
    );
    for (const revision of ["v9", "--all"]) {
      const unknown = await run(`--diff=${revision}`, "--records", records);
      assert.equal(unknown.code, 2);
      assert.ok(unknown.stderr.startsWith(`Cannot compare with "${revision}" as git knows no such commit here: `));
    }
  });
});

Deno.test("report writes all files where the reader of its output closes the pipe", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const records = writeRecords(folder, RECORDS),
      main = new URL("../../src/cli/main.ts", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", main, "report", "--records", records, "--out", folder],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
    assert.equal((await child.status).code, 0);
    assert.ok(namesOf(join(folder, "site", "runs")).includes("index.html"));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
