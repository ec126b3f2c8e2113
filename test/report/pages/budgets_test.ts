import assert from "node:assert/strict";
import { CORE } from "../../../benchmarks/core.ts";
import type { TableBlock } from "../../../src/report/pages/blocks.ts";
import { budgetBlocks } from "../../../src/report/pages/budgets.ts";
import { aggregateOf, record, type RunChoice } from "../fixtures.ts";

type Run = ReturnType<typeof record>;

/** A full precision and methods that start from it, at one length. */
function budget(epochs: number, tops: Readonly<Record<string, number>>, changes: RunChoice = {}): Run[] {
  const protocol = epochs === 10 ? "reduced" : `reduced-${epochs}` as const;
  const place = { protocol, model: "resnet20", epochs, ...changes } as const;
  const fp = record({ ...place, arm: "fp", bits: null, top1Percent: 90 });
  return [
    fp,
    ...Object.entries(tops).map(([arm, top1Percent]) => record({ ...place, arm, top1Percent, teacher: fp.id })),
  ];
}

function blocksOf(records: readonly Run[]) {
  return budgetBlocks({
    core: CORE,
    aggregate: aggregateOf(records),
    records: new Map(records.map((run) => [run.id, run])),
  });
}

const tables = (records: readonly Run[]) =>
  blocksOf(records).filter((block): block is TableBlock => block.kind === "table");

Deno.test("methods at two lengths stand side by side, compared with LSQ of the same length", () => {
  const [tops, differences] = tables([
    ...budget(10, { lsq: 80, mec: 81, cr: 50 }),
    ...budget(5, { lsq: 70, mec: 69 }),
    ...budget(40, { lsq: 85, mec: 87 }),
  ]);
  assert.deepEqual(tops!.columns.map(({ title }) => title), ["Method", "5 epochs", "10 epochs", "40 epochs"]);
  assert.deepEqual(tops!.rows, [
    ["Full precision", "90.00 (1)", "90.00 (1)", "90.00 (1)"],
    ["LSQ", "70.00 (1)", "80.00 (1)", "85.00 (1)"],
    ["MEC (reconstruction)", "69.00 (1)", "81.00 (1)", "87.00 (1)"],
  ], "CR-like ran at one length alone");
  assert.match(tops!.caption, /^W2A2, protocol reduced and its other lengths: top-1$/);
  assert.deepEqual(differences!.rows, [["MEC (reconstruction)", "-1.00", "+1.00", "+2.00"]]);
});

Deno.test("a length that a method did not run says so; the picture has the points that are there", () => {
  const records = [...budget(10, { lsq: 80, mec: 81 }), ...budget(5, { lsq: 70 }), ...budget(20, { lsq: 82, mec: 84 })];
  const [tops] = tables(records);
  assert.deepEqual(tops!.rows[2], ["MEC (reconstruction)", "not run", "81.00 (1)", "84.00 (1)"]);
  const figure = blocksOf(records).find((block) => block.kind === "figure")!;
  assert.equal(figure.drawing.kind, "labelled");
  const { series } = figure.drawing as Extract<typeof figure.drawing, { kind: "labelled" }>;
  assert.deepEqual(series.map(({ points }) => points), [
    [{ x: 0, y: 70 }, { x: 1, y: 80 }, { x: 2, y: 82 }],
    [{ x: 1, y: 81 }, { x: 2, y: 84 }],
  ]);
});

Deno.test("lengths of two engines are never mixed, and one length has no section", () => {
  const here = budget(10, { lsq: 80 }), there = budget(5, { lsq: 70 }, { engine: "onednn" });
  assert.deepEqual(blocksOf([...here, ...there]), []);
  assert.deepEqual(blocksOf(here), []);
  const both = tables([...here, ...there, ...budget(10, { lsq: 81 }, { engine: "onednn" })]);
  assert.deepEqual(both.map(({ caption }) => caption), [
    "W2A2, protocol reduced, on engine onednn and its other lengths: top-1",
  ]);
});
