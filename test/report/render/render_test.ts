import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { renderReports } from "../../../src/report/mod.ts";
import type { RunRecord } from "../../../src/record/record.ts";
import { PAGE, record, RECORDS, runs } from "../fixtures.ts";

const DEVIATIONS = { paper: ["Nothing worth telling"], reduced: ["A small net"], smoke: ["Almost nothing is run"] };

function rendered(records: readonly RunRecord[]): Map<string, string> {
  const files = renderReports({ pages: [PAGE], records, deviations: DEVIATIONS });
  return new Map(files.map(({ path, text }) => [path, text]));
}

function markdown(records: readonly RunRecord[]): string {
  return rendered(records).get("demo.md")!;
}

/** The row of a Markdown table whose cells start with these. */
function rowOf(text: string, ...start: string[]): string[] {
  const rows = text.split("\n").filter((line) => line.startsWith("|")).map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  const row = rows.find((cells) => start.every((cell, index) => cells[index] === cell));
  assert.ok(row, `there is a row ${start.join(" | ")}`);
  return row;
}

/** Compares with test/snapshots/<name>; UPDATE_SNAPSHOTS=1 writes it. */
function assertSnapshot(name: string, text: string): void {
  const path = fileURLToPath(new URL(`../../snapshots/${name}`, import.meta.url));
  if (Deno.env.get("UPDATE_SNAPSHOTS") === "1") Deno.writeTextFileSync(path, text);
  assert.equal(text, Deno.readTextFileSync(path), `${name} changed: look at it, then run with UPDATE_SNAPSHOTS=1`);
}

Deno.test("renderReports() writes the Markdown, CSV and HTML of fixed records", () => {
  const files = rendered(RECORDS);
  const pages = [...files.keys()].filter((path) => !path.startsWith("site/runs/"));
  assert.deepEqual(pages, [
    "demo.md",
    "demo.csv",
    "site/index.html",
    "site/demo.html",
    "site/demo_figures_paper_t1.html",
    "site/demo_figures_reduced_t1.html",
    "site/demo_smoke.html",
    "site/style.css",
    "site/site.js",
    "site/data/demo.csv",
    "site/data/demo_wide.csv",
    "site/data/demo.json",
    "site/data/demo.tex",
    "site/data/demo_model_index.yaml",
  ]);
  assertSnapshot("report.md", files.get("demo.md")!);
  assertSnapshot("report.csv", files.get("demo.csv")!);
});

Deno.test("renderReports() gives the same text for the same records in any order", () => {
  assert.deepEqual(rendered(RECORDS.toReversed()), rendered(RECORDS));
});

Deno.test("a page of smoke runs alone says in its first line that it proves nothing about the paper", () => {
  const smoke = markdown(runs({ protocol: "smoke", model: "resnet8", bits: [4, 4] }, [30]));
  assert.equal(
    smoke.split("\n")[0],
    "> **Smoke protocol: this page tests the software and says nothing about the paper.**",
  );
  assert.equal(markdown(RECORDS).split("\n")[0], "# Demo: an invented paper");
  // beside real runs they are on a page of the site alone
  assert.doesNotMatch(markdown(RECORDS), /smoke/i);
  assert.match(rendered(RECORDS).get("site/demo_smoke.html")!, /Smoke protocol: this section tests/);
});

Deno.test("sections come in the order paper, reduced; a paper protocol without runs last", () => {
  const titles = (text: string) => text.split("\n").filter((line) => /^## (Protocol|Cells)/.test(line));
  assert.deepEqual(titles(markdown(RECORDS)), ["## Protocol paper", "## Protocol reduced"]);
  const small = RECORDS.filter(({ spec }) => spec.protocol !== "paper");
  assert.deepEqual(titles(markdown(small)), [
    "## Protocol reduced",
    "## Cells of protocol paper without a run",
  ]);
});

Deno.test("a section of full precision and LSQ alone is in the CSV, and in Markdown only if there is no other", () => {
  const alone = ["fp", "lsq"].map((arm) =>
    record({ arm, protocol: "reduced-5", ...(arm === "fp" ? { bits: null } : {}), model: "resnet20" })
  );
  const title = /^## Protocol reduced, 5 epochs/m;
  assert.match(markdown(alone), title);
  const files = rendered([...alone, ...RECORDS]);
  assert.doesNotMatch(files.get("demo.md")!, title);
  assert.match(files.get("demo.csv")!, new RegExp(alone[1]!.spec.protocol));
  const compared = record({ arm: "good", protocol: "reduced-5", model: "resnet20" });
  assert.match(markdown([...alone, compared, ...RECORDS]), title);
});

Deno.test("a difference is paired by seed, not taken of the means", () => {
  // seed 0 has no LSQ run: its 99 must not count
  const text = markdown([
    record({ arm: "good", seed: 0, top1Percent: 99 }),
    record({ arm: "good", seed: 1, top1Percent: 81 }),
    record({ arm: "lsq", seed: 1, top1Percent: 80 }),
  ]);
  const row = rowOf(text, "ResNet-18", "W2A2", "Good");
  assert.equal(row[4], "90.00 ± 12.73 (2)");
  assert.equal(row[6], "+1.00 (1 seed)");
});

Deno.test("a difference is not taken to an LSQ run of another engine", () => {
  const text = markdown([record({ arm: "good" }), record({ arm: "lsq", engine: "tensorflow" })]);
  assert.equal(rowOf(text, "ResNet-18", "W2A2", "Good")[6], "");
});

Deno.test("the gap to full precision is to the run that was started from", () => {
  const own = record({ arm: "fp", bits: null, seed: 0, top1Percent: 90 });
  const other = record({ arm: "fp_long", bits: null, seed: 0, top1Percent: 70 });
  const text = markdown([own, other, record({ arm: "good", seed: 0, top1Percent: 88.5, teacher: own.id })]);
  assert.equal(rowOf(text, "ResNet-18", "W2A2", "Good")[7], "-1.50");
});

Deno.test("a published cell stands beside runs, with its anomalies; a missing one is none, an unknown one unknown", () => {
  const text = markdown([record({ arm: "bad" }), record({ arm: "torn" }), record({ arm: "bad", bits: [4, 4] })]);
  assert.equal(rowOf(text, "ResNet-18", "W2A2", "Bad")[3], "88.00 †1 †2");
  assert.equal(rowOf(text, "ResNet-18", "W2A2", "Torn")[3], "unknown");
  assert.equal(rowOf(text, "ResNet-18", "W4A4", "Bad")[3], "none");
});

Deno.test("a run of another model, width or data set than the table's is in no table", () => {
  const text = markdown([record({ bits: [3, 3] }), record({ arm: "nobody" })]);
  assert.match(text, /^## Cells of protocol paper without a run$/m);
});

Deno.test("failed runs are named with their reason and left out of the mean", () => {
  const text = markdown([
    record({ arm: "good", top1Percent: 80 }),
    record({ arm: "good", seed: 1, top1Percent: null, status: "diverged", reason: "the loss is NaN" }),
    record({ arm: "bad", top1Percent: null, status: "timeout", reason: "it took 2 hours" }),
  ]);
  assert.equal(rowOf(text, "ResNet-18", "W2A2", "Good")[4], "80.00 (1 of 2)");
  assert.equal(rowOf(text, "ResNet-18", "W2A2", "Bad")[4], "none of 1 finished");
  assert.match(text, /^- \w{16} \(Good, ResNet-18, W2A2, seed 1\): diverged, the loss is NaN$/m);
  assert.match(text, /^- \w{16} \(Bad, ResNet-18, W2A2, seed 0\): timeout, it took 2 hours$/m);
});

Deno.test("runs left out are counted in words", () => {
  const text = markdown([
    record({ version: 2 }),
    record({ arm: "good", version: 1 }),
    record({ evaluateOn: "heldOut" }),
  ]);
  assert.match(text, /^- 1 run on held-out training images, /m);
  assert.match(text, /^- 1 run of an older version \(recipe 1, lsq 1\): /m);
});

Deno.test("a dirty checkout is marked", () => {
  assert.equal(rowOf(markdown([record({ dirty: true })]), "0123456789ab with uncommitted changes")[1], "wasm");
});

Deno.test("markup in a text is text, in Markdown and in HTML", () => {
  const files = rendered([record({ top1Percent: null, reason: "<b>a|b</b> &amp; *c*" })]);
  assert.match(files.get("demo.md")!, /: failed, &lt;b>a\|b&lt;\/b> &amp;amp; \\\*c\\\*$/m);
  assert.match(files.get("site/demo.html")!, /failed, &lt;b&gt;a\|b&lt;\/b&gt; &amp;amp; \*c\*<\/li>/);
});

Deno.test("the overview counts the cells of each paper and protocol by verdict", () => {
  const html = rendered(RECORDS).get("site/index.html")!;
  const row = html.split("\n").find((line) => line.includes("<td>paper</td>"))!;
  const numbers = [...row.matchAll(/>(\d*)<\/(?:span|td)>/g)].map(([, number]) => number);
  // runs, reproduced, not reproduced, inconclusive, not comparable (FP, LSQ, stand-in), not run (LSQ and Good at W4A4, Torn twice)
  assert.deepEqual(numbers.filter((number) => number !== ""), ["18", "1", "1", "1", "3", "4"]);
});
