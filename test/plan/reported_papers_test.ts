import assert from "node:assert/strict";
import { SUITE } from "../../benchmarks/mod.ts";
import type { ArmTitle, Paper } from "../../src/catalog/paper.ts";
import { reportedPapers } from "../../src/plan/reported_papers.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { type PlanRequest, planRuns } from "../../src/plan/tables.ts";
import { renderReports, runsOf } from "../../src/report/mod.ts";
import { PAGE, record, RECORDS } from "../report/fixtures.ts";

const reported = (records: readonly RunRecord[]) => reportedPapers([PAGE], { records, suite: SUITE })[0]!;

const MOVED = [
  record({ arm: "good@pact", top1Percent: 71.5 }),
  record({ arm: "copy@lsq_plus_range", bits: [4, 4], top1Percent: 72.5 }),
  record({ arm: "qat@lsq_plus_range", top1Percent: 73.5 }),
  record({ arm: "other@pact", top1Percent: 74.5 }),
];

/** Titles of `MOVED`, but of the arm that the paper does not have. */
const ARMS: readonly ArmTitle[] = [
  {
    id: "copy@lsq_plus_range",
    title: "Copy, on quantizer lsq_plus_range",
    label: "stand-in",
    controls: ["qat@lsq_plus_range"],
  },
  { id: "good@pact", title: "Good, on quantizer pact", label: null, controls: ["pact"] },
  { id: "qat@lsq_plus_range", title: "Plain training, on quantizer lsq_plus_range", label: null },
];

Deno.test("reportedPapers() gives arms on another quantizer a table of their own, with the base's label and plain training as control", () => {
  const page = reported([...RECORDS, ...MOVED]);
  assert.deepEqual(page.tables.slice(0, -1), PAGE.tables);
  assert.deepEqual(page.tables.at(-1), {
    id: "demo-quantizers-cifar10",
    title: "demo-quantizers: methods on another quantizer than their own (ours: no published cells), cifar10",
    dataset: "cifar10",
    models: ["resnet18"],
    bits: [{ weights: 4, activations: 4 }, { weights: 2, activations: 2 }],
    arms: ARMS,
  });
  assert.deepEqual(page.arms.slice(PAGE.arms.length), ARMS);
});

Deno.test("reportedPapers() leaves a page without such runs as it is", () => {
  assert.deepEqual(reported(RECORDS), PAGE);
});

Deno.test("a report shows arms on another quantizer below the paper's tables, and in none of its cells", () => {
  const render = (records: typeof MOVED) =>
    renderReports({ pages: [reported(records)], records, deviations: {} }).find(({ path }) => path === "demo.md")!.text;
  const text = render([...RECORDS, ...MOVED]), [papers, own] = text.split("demo-quantizers");
  assert.ok(own, text.slice(0, 500));
  for (const number of ["71.50", "72.50", "73.50"]) {
    assert.ok(own.includes(number), number);
    assert.ok(!papers!.includes(number), number);
  }
  assert.ok(!text.includes("74.50"), "an arm whose base is not on the page is on no table of it");
});

/** Requests that leave the papers' tables. */
const REQUESTS: Readonly<Record<string, Partial<PlanRequest>>> = {
  "--bits W3A3 --methods lsq": { bits: [{ weights: 3, activations: 3 }], methods: ["lsq"] },
  "--quantizer pact --methods lsq": { quantizer: "pact", methods: ["lsq"] },
  "--quantizer dorefa": { quantizer: "dorefa" },
  "--table mec-ablation": { table: "mec-ablation" },
};

for (const [asked, request] of Object.entries(REQUESTS)) {
  for (const protocol of Object.values(SUITE.protocols)) {
    Deno.test(`every run of ${asked}, protocol ${protocol.name}, is in a table of the page`, () => {
      const papers = SUITE.papers.filter(({ id }) => id === "mec");
      const all = { suite: SUITE, papers, protocol, engine: "wasm", table: null, methods: null, models: null } as const;
      const runs = planRuns({ ...all, bits: null, seeds: null, ...request });
      const inTables = (pages: readonly Paper<ArmTitle>[]) => pages.flatMap((page) => runsOf(page, runs));
      const shown = new Set(inTables(reportedPapers(papers, { records: runs, suite: SUITE })));
      assert.deepEqual(runs.filter((run) => !shown.has(run)), []);
      if (asked !== "--table mec-ablation") {
        assert.ok(inTables(papers).length < runs.length, "a table of its own is needed");
      }
    });
  }
}

Deno.test("reportedPapers() leaves a run to the paper that has its arm, and out where no paper has it", () => {
  const records = [
    record({ arm: "mec_k1", bits: [3, 3] }),
    record({ arm: "lsq", bits: [3, 3] }),
    record({ arm: "lost" }),
  ];
  const beyond = reportedPapers(SUITE.papers, { records, suite: SUITE }).map(({ id, tables }) => {
    const table = tables.find((table) => table.id === `${id}-beyond-cifar10`);
    return { id, arms: table?.arms.map((arm) => arm.id) ?? [], bits: table?.bits };
  });
  const expected = SUITE.papers.map(({ id, arms: all }) => {
    const arms = ["lsq", "mec_k1"].filter((arm) => all.some(({ id }) => id === arm));
    return { id, arms, bits: arms.length > 0 ? [{ weights: 3, activations: 3 }] : undefined };
  });
  assert.deepEqual(beyond, expected);
  assert.deepEqual(beyond.filter(({ arms }) => arms.includes("mec_k1")).map(({ id }) => id), ["mec"]);
});
