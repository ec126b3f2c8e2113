import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { PAPERS } from "../../benchmarks/mod.ts";
import { knownModels, type PlanRequest, planRuns } from "../../benchmarks/plan.ts";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";
import { runId } from "../../src/runs/spec.ts";
import type { ProtocolName, RunSpec } from "../../src/runs/spec.ts";

function plan(papers: readonly string[], protocol: ProtocolName, overrides: Partial<PlanRequest> = {}): RunSpec[] {
  return planRuns({
    papers: PAPERS.filter(({ id }) => papers.includes(id)),
    table: null,
    protocol: PROTOCOL_DEFINITIONS[protocol],
    engine: "wasm",
    methods: null,
    models: null,
    bits: null,
    seeds: null,
    ...overrides,
  }).map(({ spec }) => spec);
}

function countArms(specs: readonly RunSpec[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { arm } of specs) counts[arm] = (counts[arm] ?? 0) + 1;
  return counts;
}

Deno.test("PAPERS lists every folder that has a paper", () => {
  const root = new URL("../../benchmarks/", import.meta.url);
  const folders = [...Deno.readDirSync(root)].filter(({ name, isDirectory }) => {
    if (!isDirectory) return false;
    try {
      return Deno.statSync(fileURLToPath(new URL(`${name}/paper.ts`, root))).isFile;
    } catch {
      return false;
    }
  });
  assert.deepEqual(PAPERS.map(({ id }) => id).sort(), folders.map(({ name }) => name).sort());
});

for (const { id, page, grids } of PAPERS) {
  Deno.test(`the page of ${id} has a title for every table and arm that is run`, () => {
    assert.equal(page.id, id);
    const tables = page.tables.map((table) => table.id);
    const arms = page.arms.map((arm) => arm.id);
    for (const grid of grids) {
      assert.ok(tables.includes(grid.id), grid.id);
      for (const arm of grid.arms) assert.ok(arms.includes(arm.id), arm.id);
    }
  });
}

Deno.test("planRuns() plans FP, LSQ and the method for smoke, students pointing at their teacher", () => {
  const specs = plan(["fpq"], "smoke");
  assert.deepEqual(specs.map(({ arm, model, seed }) => [arm, model, seed]), [
    ["fp", "resnet8", 0],
    ["lsq", "resnet8", 0],
    ["fpq", "resnet8", 0],
  ]);
  const [fp, lsq, fpq] = specs;
  assert.deepEqual([fp!.teacher, lsq!.teacher, fpq!.teacher], [null, runId(fp!), runId(fp!)]);
  assert.equal(lsq!.quantization!.quantizer, "lsq");
  assert.equal(fpq!.quantization!.quantizer, "lsq_asymmetric");
  assert.deepEqual([fp!.recipe.epochs, fpq!.recipe.epochs], [2, 1]);
  assert.deepEqual(fpq!.method, { name: "fpq", options: { probability: 0.1, csdWeight: 1 } });
});

Deno.test("planRuns() shares FP and LSQ among all papers", () => {
  const specs = plan(["fpq", "mec", "cr"], "reduced");
  // 3 seeds; LSQ at 3 bits for all papers; FPQ's arms of tables 2 and 3 at W2A4 only.
  assert.deepEqual(countArms(specs), {
    fp: 3,
    lsq: 9,
    mec: 9,
    pact: 9,
    lsq_plus: 9,
    lsq_asymmetric: 9,
    kd: 9,
    fpq: 9,
    fpq_sfp: 3,
    fpq_csd: 3,
    fpq_p03: 3,
    fpq_p05: 3,
    fpq_p07: 3,
    fpq_p09: 3,
    fpq_p1: 3,
    lsq_two_view: 9,
    lsq_ema: 9,
    cr: 9,
  });
  assert.equal(new Set(specs.map(runId)).size, specs.length);
  assert.deepEqual(specs.slice(0, 3).map(({ arm }) => arm), ["fp", "fp", "fp"]);
});

Deno.test("planRuns() takes the papers' own models and bits for protocol paper", () => {
  const specs = plan(["mec"], "paper");
  assert.deepEqual(countArms(specs), { fp: 3, lsq: 12, mec: 12 });
  assert.deepEqual([...new Set(specs.map(({ model }) => model))], ["resnet18"]);
  assert.ok(specs.some(({ quantization }) => quantization?.activationBits === 1));
  assert.equal(specs[0]!.dataset.heldOut, 0);
});

Deno.test("planRuns() adds the teacher of a method that was picked alone", () => {
  const specs = plan(["mec"], "smoke", {
    methods: ["mec"],
    seeds: [7],
    bits: [{ weights: 3, activations: 5 }, { weights: 2, activations: 2 }],
  });
  assert.deepEqual(
    specs.map(({ arm, seed, quantization }) => [arm, seed, quantization?.weightBits, quantization?.activationBits]),
    [["fp", 7, undefined, undefined], ["mec", 7, 3, 5], ["mec", 7, 2, 2]],
  );
});

Deno.test("planRuns() runs all arms of a table that was asked for", () => {
  assert.deepEqual(countArms(plan(["fpq"], "smoke", { table: "table4" })), {
    fp: 1,
    pact: 1,
    lsq: 1,
    lsq_plus: 1,
    lsq_asymmetric: 1,
    kd: 1,
    fpq: 1,
  });
  // Table 2 has no column at smoke's W4A4 and takes it.
  assert.equal(plan(["fpq"], "smoke", { table: "table2" }).at(-1)!.quantization!.weightBits, 4);
});

Deno.test("every model, quantizer and method that a table or protocol names exists and takes its options", async () => {
  const { modelNamed } = await import("../../src/nn/mod.ts");
  const { quantizerNamed } = await import("../../src/quant/mod.ts");
  const { createMethod } = await import("../../src/methods/mod.ts");
  for (const model of knownModels()) assert.equal(modelNamed(model).name, model);
  for (const arm of PAPERS.flatMap(({ grids }) => grids.flatMap(({ arms }) => arms))) {
    if (arm.quantizer !== null) assert.equal(quantizerNamed(arm.quantizer).name, arm.quantizer);
    assert.equal(createMethod(arm.method).quantized, arm.quantizer !== null);
  }
});
