import assert from "node:assert/strict";
import { orderRuns } from "../../src/plan/plan.ts";
import { describeRun, runId } from "../../src/record/spec.ts";
import { fpSpec, studentSpec } from "../support/fakes/specs.ts";

Deno.test("orderRuns() puts every teacher first and drops repeats", () => {
  const [first, second] = [fpSpec({ seed: 0 }), fpSpec({ seed: 1 })];
  const students = [studentSpec("b", second), studentSpec("a", first), studentSpec("b", second)];
  const ordered = orderRuns([...students, second, first]);
  assert.deepEqual(ordered.map(({ spec }) => `${spec.arm}${spec.seed}`), ["fp1", "fp0", "b1", "a0"]);
});

Deno.test("orderRuns() names a teacher that is missing", () => {
  const student = studentSpec("lsq", fpSpec());
  assert.throws(() => orderRuns([student]), {
    name: "InputError",
    message: `Cannot plan run ${runId(student)} (lsq resnet8 W2A4 seed 0) as its teacher is not in the plan: current ` +
      `value is ${runId(fpSpec())}`,
  });
});

Deno.test("describeRun() leaves the bits out in full precision", () => {
  assert.equal(describeRun(fpSpec({ seed: 3 })), "fp resnet8 seed 3");
});
