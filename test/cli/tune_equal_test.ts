import assert from "node:assert/strict";
import { equalSpecs, searches, searchTable, TRIALS, TUNED } from "../../src/cli/tune_equal.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { parseRunSpec, runId, type RunSpec } from "../../src/record/spec.ts";

/** Runs rounds until nothing is left, each trial with the accuracy that is given for it; null: it diverged. */
function tuned(accuracy: (spec: RunSpec) => number | null): { records: RunRecord[]; rounds: RunSpec[][] } {
  let records: RunRecord[] = [];
  const rounds: RunSpec[][] = [];
  for (;;) {
    const known = new Set(records.map(({ id }) => id));
    const round = equalSpecs(records, "wasm").filter((spec) => spec.teacher !== null && !known.has(runId(spec)));
    if (round.length === 0) return { records, rounds };
    rounds.push(round);
    records = [...records, ...round.map((spec) => recordOf(spec, accuracy(spec)))];
  }
}

function recordOf(spec: RunSpec, top1Percent: number | null): RunRecord {
  const done = top1Percent !== null;
  const metrics = done ? { top1Percent, loss: 1 } : null;
  return { id: runId(spec), spec, status: done ? "done" : "diverged", metrics } as unknown as RunRecord;
}

const searchOf = (arm: string, accuracy: (spec: RunSpec) => number | null) =>
  searches(tuned(accuracy).records, "wasm").find((search) => search.tuned.arm.id === arm)!;
const ratesOf = ({ trials }: ReturnType<typeof searchOf>) => trials.map(({ place }) => 0.05 * 2 ** place.rate);

Deno.test("every quantized arm of the core table gets equally many trials, all different and on held-out images", () => {
  const { records, rounds } = tuned(() => 80);
  assert.equal(rounds.length, TRIALS);
  for (const round of rounds) assert.equal(round.length, TUNED.length);
  assert.equal(new Set(records.map(({ id }) => id)).size, TRIALS * TUNED.length);
  for (const spec of equalSpecs(records, "wasm")) {
    assert.deepEqual(parseRunSpec(spec, "tuning"), spec);
    assert.deepEqual([spec.dataset.evaluateOn, spec.dataset.heldOut, spec.seed], ["heldOut", 5000, 100]);
    assert.equal(spec.recipe.epochs, spec.teacher === null ? 20 : 10, "the full length of protocol reduced");
  }
});

Deno.test("a search goes to a maximum inside and tries both of its neighbours", () => {
  const peak = (spec: RunSpec) => 80 - Math.abs(Math.log2(spec.recipe.learningRate / 0.1));
  const search = searchOf("lsq", peak);
  assert.deepEqual(ratesOf(search), [0.05, 0.1, 0.2, 0.4, 0.025, 0.8]);
  assert.equal(search.best!.place.rate, 1);
  assert.equal(search.isAtEnd, false);
});

Deno.test("a search follows a rise as long as it has trials, and says that it stopped at an end", () => {
  const search = searchOf("pact", ({ recipe }) => 80 + Math.log2(recipe.learningRate));
  assert.deepEqual(ratesOf(search), [0.05, 0.1, 0.2, 0.4, 0.8, 1.6]);
  assert.equal(search.isAtEnd, true);
  assert.match(searchTable([search]), /^pact +1\.6 +80\.68 +chosen, at an end$/m);
});

Deno.test("an arm with a weight of its own searches it too, from the value that protocol reduced has", () => {
  const first = TUNED.flatMap(({ arm, weight }) => weight ? [[arm.id, weight.option, weight.first]] : []);
  assert.deepEqual(first, [["kd", "weight", 1], ["fpq", "csdWeight", 10], ["cr", "weight", 1], ["mec", "beta", 0.03]]);
  const weightOf = ({ method }: RunSpec) => Number(method.options["beta"]);
  const { records } = tuned((spec) => 80 - Math.abs(Math.log10(weightOf(spec) / 0.1)) || 80);
  const own = records.filter(({ spec }) => spec.arm.startsWith("mec_")).map(({ spec }) => [
    spec.recipe.learningRate,
    weightOf(spec),
  ]);
  assert.deepEqual(own, [[0.05, 0.03], [0.1, 0.03], [0.025, 0.03], [0.05, 0.1], [0.1, 0.1], [0.025, 0.1]]);
});

Deno.test("of equal trials the first is chosen, and one that diverged never", () => {
  assert.deepEqual(searchOf("lsq", () => 80).best!.place, { rate: 0, weight: 0 });
  const search = searchOf("lsq", ({ recipe }) => recipe.learningRate > 0.04 ? null : 70);
  assert.equal(search.best!.place.rate, -1);
  assert.match(searchTable([search]), /^lsq +0\.05 +not done$/m);
  const none = searchOf("lsq", () => null);
  assert.deepEqual([none.best, none.trials.length], [null, TRIALS]);
});

Deno.test("a trial that failed for another reason than its values is still to run", () => {
  const [first] = equalSpecs([], "wasm").filter(({ teacher }) => teacher !== null);
  const failed = { ...recordOf(first!, null), status: "failed" } as RunRecord;
  assert.deepEqual(equalSpecs([failed], "wasm"), equalSpecs([], "wasm"));
});

Deno.test("an unfinished search says how many trials are left", () => {
  const [first] = equalSpecs([], "wasm").filter(({ teacher }) => teacher !== null);
  assert.match(searchTable(searches([recordOf(first!, 80)], "wasm")), /^lsq +0\.05 +80\.00\nlsq +5 to run$/m);
});
