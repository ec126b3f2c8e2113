import assert from "node:assert/strict";
import { join } from "node:path";
import { report } from "../../reports/report.ts";
import type { RunRecord } from "../../src/runs/record.ts";
import { openRun, writeRecord } from "../../src/runs/store.ts";
import { PAGE, record, RECORDS } from "./fixtures.ts";

const OTHER = { ...PAGE, id: "other", title: "Another paper" };

/** The command on two invented papers, in a folder that is removed afterwards. */
function inFolder(
  use: (folder: string, run: (...args: string[]) => { code: number; stdout: string; stderr: string }) => void,
) {
  const folder = Deno.makeTempDirSync();
  const run = (...args: string[]) => {
    let stdout = "", stderr = "";
    const code = report(args, {
      pages: [PAGE, OTHER],
      deviations: {},
      stdout: (text) => void (stdout += text),
      stderr: (text) => void (stderr += text),
    });
    return { code, stdout, stderr };
  };
  try {
    use(folder, run);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function writeRecords(folder: string, records: readonly RunRecord[]): string {
  const path = join(folder, "records");
  Deno.mkdirSync(path, { recursive: true });
  Deno.writeTextFileSync(join(path, "a.jsonl"), records.map((item) => JSON.stringify(item) + "\n").join(""));
  return path;
}

Deno.test("report writes all files of all papers, and --check then finds them fresh", () => {
  inFolder((folder, run) => {
    const records = writeRecords(folder, RECORDS);
    const out = join(folder, "out");
    assert.equal(run("--records", records, "--out", out).code, 0);
    const html = [...Deno.readDirSync(join(out, "site"))].map(({ name }) => name).sort();
    assert.deepEqual(html, ["demo.html", "index.html", "other.html"]);
    assert.match(Deno.readTextFileSync(join(out, "demo.md")), /^# Demo: an invented paper/);
    const checked = run("--check", "--records", records, "--out", out);
    assert.deepEqual(checked, { code: 0, stdout: "All 7 files are what the records give\n", stderr: "" });
  });
});

Deno.test("report --check names every stale and missing file and exits with 1", () => {
  inFolder((folder, run) => {
    const records = writeRecords(folder, RECORDS);
    const out = join(folder, "out");
    run("--records", records, "--out", out);
    Deno.writeTextFileSync(join(out, "demo.csv"), "edited\n");
    Deno.removeSync(join(out, "site", "other.html"));
    const { code, stderr } = run("--check", "--records", records, "--out", out);
    assert.equal(code, 1);
    assert.deepEqual(stderr.split("\n").slice(0, 2), [
      `${join(out, "demo.csv")} is not what the records give`,
      `${join(out, "site", "other.html")} is missing`,
    ]);
    assert.equal(Deno.readTextFileSync(join(out, "demo.csv")), "edited\n", "--check writes nothing");
  });
});

Deno.test("report --paper writes the files of one paper and the overview", () => {
  inFolder((folder, run) => {
    const records = writeRecords(folder, RECORDS);
    const { stdout } = run("--paper", "other", "--records", records, "--out", folder);
    const names = ["other.md", "other.csv", join("site", "other.html"), join("site", "index.html")];
    assert.equal(stdout, names.map((name) => `Wrote ${join(folder, name)}\n`).join(""));
  });
});

Deno.test("report tells of runs that belong to no table", () => {
  inFolder((folder, run) => {
    const lost = record({ arm: "nobody" });
    const { code, stderr } = run("--records", writeRecords(folder, [lost]), "--out", folder);
    assert.equal(code, 0);
    assert.equal(stderr, `Run ${lost.id} (nobody, cifar10) belongs to no table of a paper and is left out\n`);
  });
});

Deno.test("report --collect adds the ended runs of a bench folder and replaces a failure by its repetition", () => {
  inFolder((folder, run) => {
    const records = join(folder, "records"), bench = join(folder, "bench");
    const failed = record({ arm: "good", top1Percent: null });
    const again = record({ arm: "good", top1Percent: 81 });
    for (const item of [failed, record({ protocol: "reduced" })]) {
      openRun(bench, item.spec);
      writeRecord(bench, item);
    }
    assert.equal(run("--collect", bench, "--records", records, "--out", folder).code, 0);
    assert.match(Deno.readTextFileSync(join(records, "paper.jsonl")), /"status":"failed"/);
    assert.equal(Deno.readTextFileSync(join(records, "reduced.jsonl")).trim().split("\n").length, 1);
    writeRecord(bench, again);
    run("--collect", bench, "--records", records, "--out", folder);
    assert.equal(Deno.readTextFileSync(join(records, "paper.jsonl")), JSON.stringify(again) + "\n");
  });
});

Deno.test("report ends bad input with one sentence and exit code 2", () => {
  inFolder((folder, run) => {
    const cut = join(folder, "cut");
    Deno.mkdirSync(cut);
    Deno.writeTextFileSync(join(cut, "b.jsonl"), '{"schema":1');
    const cases: [string[], RegExp][] = [
      [["--paper", "nope"], /^Cannot use paper "nope" as it is not known: choose one of demo, other, all\n$/],
      [["--papers"], /^Cannot read the command line: Unknown option '--papers'; see --help\n$/],
      [["--check", "--collect", "runs"], /^Cannot use --check together with --collect runs as --check writes nothing/],
      [
        ["--records", join(folder, "none")],
        /^Cannot read the records as there is no folder .*none: name another with --records\n$/,
      ],
      [["--records", cut], /^Cannot read line 1 of .*b\.jsonl as it is not complete JSON/],
      [["--collect", folder], /^Cannot collect from .* as it holds no ended run/],
      [["--records", folder, "--out", join(cut, "b.jsonl")], /^Cannot write .* choose another folder with --out\n$/],
    ];
    for (const [args, message] of cases) {
      const { code, stderr } = run(...args);
      assert.equal(code, 2, args.join(" "));
      assert.match(stderr, message);
    }
  });
});

Deno.test("report --help names every option", () => {
  inFolder((_folder, run) => {
    const { code, stdout } = run("--help");
    assert.equal(code, 0);
    for (const option of ["--paper demo|other|all", "--records", "--out", "--collect", "--check"]) {
      assert.ok(stdout.includes(option), option);
    }
  });
});
