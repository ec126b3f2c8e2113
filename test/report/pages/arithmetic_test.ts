import assert from "node:assert/strict";
import { CORE } from "../../../benchmarks/core.ts";
import { arithmeticBlocks } from "../../../src/report/pages/arithmetic.ts";
import { aggregateOf, record, type RunChoice } from "../fixtures.ts";

const run = (arm: string, top1Percent: number, changes: RunChoice = {}) =>
  record({ arm, model: "resnet20", protocol: "reduced", top1Percent, teacher: null, ...changes });
const onOneDnn = (top1Percent: number, seed: number) => run("lsq", top1Percent, { seed, engine: "onednn" });
const onBf16 = (top1Percent: number, seed: number) =>
  run("lsq", top1Percent, { seed, engine: "onednn", precision: "bf16" });
const blocksOf = (records: readonly ReturnType<typeof run>[]) => arithmeticBlocks(CORE, aggregateOf(records));

Deno.test("a method that several arithmetics have run is compared by seed with the arithmetic before", () => {
  const blocks = blocksOf([
    run("lsq", 80),
    run("lsq", 82, { seed: 1 }),
    run("lsq", 99, { seed: 2 }),
    onOneDnn(81, 0),
    onOneDnn(82, 1),
    onBf16(80.5, 0),
    onBf16(81, 1),
    onBf16(10, 3),
    run("mec", 85),
    run("lsq", 70, { model: "resnet18" }),
    run("lsq", 70, { model: "resnet18", engine: "onednn" }),
  ]);
  const table = blocks.find((block) => block.kind === "table")!;
  assert.equal(table.rows.length, 1, "MEC ran in one arithmetic alone, ResNet-18 is another model");
  const [name, bits, float32, integers, bf16, engines, precisions] = table.rows[0] as string[];
  assert.deepEqual([name, bits], ["LSQ", "W2A2"]);
  assert.match(float32!, /^87\.00 ± .* \(3\)$/);
  assert.match(integers!, /^81\.50 ± 0\.71 \(2\)$/);
  assert.match(bf16!, /^57\.17 ± .* \(3\)$/);
  assert.match(engines!, /^\+0\.50 \[/);
  assert.match(precisions!, /^-0\.75 \[.*\] \(2 seeds\)$/, "seed 3 has no partner");
  const list = blocks.find((block) => block.kind === "list")!;
  assert.deepEqual(list.items, [
    "Integers less float32, all 2 pairs: +0.50 points on average, a standard deviation of 0.71",
    "bf16 gradients less float32 ones, all 2 pairs: -0.75 points on average, a standard deviation of 0.35",
  ]);
});

Deno.test("an arithmetic that has not run a method says so, and one pair has no spread", () => {
  const blocks = blocksOf([run("lsq", 80), onBf16(81, 0)]);
  const table = blocks.find((block) => block.kind === "table")!;
  assert.deepEqual(table.rows[0]!.slice(2), ["80.00 (1)", "not run", "81.00 (1)", "", ""]);
  assert.deepEqual(blocks.find((block) => block.kind === "list")?.items ?? [], []);
});

Deno.test("one arithmetic alone has no section", () => {
  assert.deepEqual(blocksOf([run("lsq", 80), run("lsq", 81, { seed: 1 })]), []);
});
