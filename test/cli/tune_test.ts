import assert from "node:assert/strict";
import { PAPERS } from "../../benchmarks/mod.ts";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";
import { CHOICES, trialSpec, tuningRows, tuningSpecs, tuningTable } from "../../src/cli/tune.ts";
import { METHODS } from "../../src/methods/mod.ts";
import { parseRecords } from "../../src/report/mod.ts";
import type { RunRecord, RunStatus } from "../../src/record/record.ts";
import { parseRunSpec, runId } from "../../src/record/spec.ts";

/** Records of the trials of the first choice with these outcomes. */
function records(outcomes: readonly (number | "diverged")[]): RunRecord[] {
  const trials = tuningSpecs("tensorflow").slice(1);
  return outcomes.map((outcome, i) => {
    const diverged = outcome === "diverged";
    const status: RunStatus = diverged ? "diverged" : "done";
    const metrics = diverged ? null : { top1Percent: outcome, loss: 1 };
    return { id: runId(trials[i]!), spec: trials[i]!, status, metrics } as unknown as RunRecord;
  });
}

Deno.test("tuningSpecs() never looks at a test image nor takes a seed that a table reports", () => {
  const specs = tuningSpecs("tensorflow");
  assert.equal(specs.length, 1 + CHOICES.reduce((sum, { candidates }) => sum + candidates.length, 0));
  for (const spec of specs) {
    assert.equal(spec.dataset.evaluateOn, "heldOut");
    assert.equal(spec.dataset.heldOut, 5000);
    assert.equal(spec.seed, 100);
    assert.deepEqual(parseRunSpec(spec, "tuning"), spec);
  }
  assert.equal(new Set(specs.map(runId)).size, specs.length, "every trial is another run");
});

Deno.test("a trial has the arm of its paper but for the value that is chosen: what it leaves out is the default", () => {
  // those that src/methods/mec.ts has for one view, beside the ones of its schema
  const ofViews: Record<string, Record<string, number>> = { mec: { distortion: 1 / 8 } };
  for (const choice of CHOICES) {
    const own = PAPERS.flatMap(({ tables }) => tables.flatMap(({ arms }) => arms)).find(({ id }) =>
      id === choice.arm.id
    )!;
    const { method, quantization } = trialSpec(choice, choice.candidates[0]!, "wasm");
    assert.equal(quantization!.quantizer, own.quantizer);
    const { options: schema } = METHODS.find(({ name }) => name === own.method.name)!;
    const whole = (options: Record<string, unknown>) => schema.parse({ ...ofViews[own.method.name], ...options });
    const chosen = choice.id === "learningRate" ? {} : { [choice.id]: choice.candidates[0]! };
    assert.equal(method.name, own.method.name);
    assert.deepEqual(whole(method.options), whole({ ...own.method.options, ...chosen }), choice.id);
  }
});

Deno.test("tuningSpecs() changes nothing but the value that is chosen", () => {
  const [, first, second] = tuningSpecs("tensorflow");
  assert.equal(first!.recipe.learningRate, 0.01);
  const same = { ...second!, arm: first!.arm, recipe: { ...second!.recipe, learningRate: 0.01 } };
  assert.deepEqual(same, first);
});

Deno.test("tuningRows() takes the best held-out value once every trial has ended, and never a diverged one", () => {
  const best = (outcomes: (number | "diverged")[]) => tuningRows(records(outcomes), "tensorflow")[0]!.best;
  assert.equal(best([70, 72]), null, "one trial is missing");
  assert.equal(best([70, 72, 71]), 0.02);
  assert.equal(best([72, 72, 71]), 0.01, "the first of equal ones");
  assert.equal(best(["diverged", 60, 61]), 0.05);
  assert.equal(best(["diverged", "diverged", "diverged"]), null);
});

Deno.test("tuningTable() shows what was not run and what diverged", () => {
  const table = tuningTable(tuningRows(records([70, "diverged"]), "tensorflow"));
  assert.match(table, /0\.01: 70\.00 %; 0\.02: diverged; 0\.05: not run +\| +\|/);
});

Deno.test("protocol reduced has what the committed trials chose", () => {
  const path = new URL("../../reports/records/held_out.jsonl", import.meta.url);
  const rows = tuningRows(parseRecords(Deno.readTextFileSync(path), "held_out.jsonl"), "tensorflow");
  const { quantized, chosen } = PROTOCOL_DEFINITIONS.reduced;
  const own = { learningRate: quantized.learningRate, ...chosen };
  assert.deepEqual(Object.fromEntries(rows.map(({ choice, best }) => [choice.id, best])), own);
});
