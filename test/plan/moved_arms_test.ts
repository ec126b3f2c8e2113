import assert from "node:assert/strict";
import { withMovedArms } from "../../src/plan/moved_arms.ts";
import { renderReports } from "../../src/report/mod.ts";
import { PAGE, record, RECORDS } from "../report/fixtures.ts";

const MOVED = [
  record({ arm: "good@pact", top1Percent: 71.5 }),
  record({ arm: "copy@dorefa", bits: [4, 4], top1Percent: 72.5 }),
  record({ arm: "qat@dorefa", top1Percent: 73.5 }),
  record({ arm: "other@pact", top1Percent: 74.5 }),
];

Deno.test("withMovedArms() gives arms on another quantizer a table of their own, with the base's label and plain training as control", () => {
  const page = withMovedArms(PAGE, [...RECORDS, ...MOVED]);
  assert.deepEqual(page.tables.slice(0, -1), PAGE.tables);
  assert.deepEqual(page.tables.at(-1), {
    id: "demo-quantizers-cifar10",
    title: "demo-quantizers: methods on another quantizer than their own (ours: no published cells), cifar10",
    dataset: "cifar10",
    arms: ["lsq", "copy@dorefa", "good@pact", "qat@dorefa"],
    bits: [{ weights: 4, activations: 4 }, { weights: 2, activations: 2 }],
  });
  assert.deepEqual(page.arms.slice(PAGE.arms.length), [
    { id: "copy@dorefa", title: "Copy, on quantizer dorefa", label: "stand-in", controls: ["qat@dorefa"] },
    { id: "good@pact", title: "Good, on quantizer pact", label: null, controls: ["pact"] },
    { id: "qat@dorefa", title: "Plain training, on quantizer dorefa", label: null },
  ]);
});

Deno.test("withMovedArms() leaves a page without such runs as it is", () => {
  assert.deepEqual(withMovedArms(PAGE, RECORDS), PAGE);
});

Deno.test("a report shows arms on another quantizer below the paper's tables, and in none of its cells", () => {
  const render = (records: typeof MOVED) =>
    renderReports({ pages: [withMovedArms(PAGE, records)], records, deviations: {} }).find(({ path }) =>
      path === "demo.md"
    )!.text;
  const text = render([...RECORDS, ...MOVED]), [papers, own] = text.split("demo-quantizers");
  assert.ok(own, text.slice(0, 500));
  for (const number of ["71.50", "72.50", "73.50"]) {
    assert.ok(own.includes(number), number);
    assert.ok(!papers!.includes(number), number);
  }
  assert.ok(!text.includes("74.50"), "an arm whose base is not on the page is on no table of it");
});
