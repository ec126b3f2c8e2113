import assert from "node:assert/strict";
import { PAPERS, SUITE } from "../../benchmarks/mod.ts";
import { planRuns } from "../../src/plan/tables.ts";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";
import { parseRunSpec, PROTOCOLS } from "../../src/record/spec.ts";

for (const name of PROTOCOLS) {
  Deno.test(`protocol ${name} makes specs that fit their schema and prints deviations`, () => {
    const protocol = PROTOCOL_DEFINITIONS[name];
    assert.equal(protocol.name, name);
    assert.ok(protocol.deviations.length > 0);
    const request = { suite: SUITE, papers: PAPERS, table: null, protocol, engine: "tensorflow" as const };
    const runs = planRuns({ ...request, methods: null, models: null, bits: null, seeds: null });
    for (const { id, spec } of runs) assert.deepEqual(parseRunSpec(JSON.parse(JSON.stringify(spec)), id), spec);
  });
}

Deno.test("protocol paper is FPQ's recipe of section 4", () => {
  const { quantized, calibrationExamples, dataset } = PROTOCOL_DEFINITIONS.paper;
  assert.deepEqual(quantized, {
    version: 1,
    epochs: 200,
    batchSize: 256,
    learningRate: 0.01,
    momentum: 0.9,
    weightDecay: 5e-4,
    warmupEpochs: 0,
    augmentation: "crop_flip",
  });
  assert.deepEqual([calibrationExamples, dataset.heldOut], [100, 0]);
});

Deno.test("protocol smoke says first that it proves nothing about the paper", () => {
  assert.match(
    PROTOCOL_DEFINITIONS.smoke.deviations[0]!,
    /^Protocol smoke tests the software and says nothing about the paper/,
  );
});

Deno.test("no protocol evaluates a table on held-out images or warms up longer than it trains", () => {
  for (const { dataset, fullPrecision, quantized } of Object.values(PROTOCOL_DEFINITIONS)) {
    assert.equal(dataset.evaluateOn, "test");
    for (const recipe of [fullPrecision, quantized]) assert.ok(recipe.warmupEpochs < recipe.epochs);
  }
});
