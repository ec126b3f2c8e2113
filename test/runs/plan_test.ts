import assert from "node:assert/strict";
import { estimator, formatSeconds, makespanSeconds } from "../../src/runs/estimate.ts";
import { describeRun, orderRuns } from "../../src/runs/plan.ts";
import type { RunRecord } from "../../src/runs/record.ts";
import { runId } from "../../src/runs/spec.ts";
import { fpSpec, studentSpec } from "./fakes/specs.ts";

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

Deno.test("estimator() learns from the last record of the same engine, model and arm", () => {
  function recordOf(imagesPerSecond: number): RunRecord {
    return { spec: fpSpec(), imagesPerSecond, peakMemoryMiB: 300 } as RunRecord;
  }
  const estimate = estimator([recordOf(50), recordOf(64), recordOf(0)], () => 50_000);
  // 128 images an epoch, 1 epoch, 64 images/s.
  assert.deepEqual(estimate(fpSpec({ seed: 5 })), { seconds: 2, memoryMiB: 300 });
  const dataset = { ...fpSpec().dataset, trainExamples: null, heldOut: 5000 };
  assert.equal(estimate(fpSpec({ dataset }))!.seconds, 45_000 / 64);
  assert.equal(estimate(fpSpec({ model: "resnet20" })), null);
  assert.equal(estimate(fpSpec({ engine: "tensorflow" })), null);
});

Deno.test("makespanSeconds() lets a student wait for its teacher and shares the processes", () => {
  const runs = [
    { id: "t", teacher: null, seconds: 10 },
    { id: "a", teacher: "t", seconds: 5 },
    { id: "b", teacher: "t", seconds: 7 },
  ];
  assert.equal(makespanSeconds(runs, 1), 22);
  assert.equal(makespanSeconds(runs, 2), 17);
  assert.equal(makespanSeconds([], 2), 0);
});

Deno.test("formatSeconds() writes seconds, minutes, hours and days", () => {
  assert.deepEqual([40, 720, 11_100, 187_200].map(formatSeconds), ["40 s", "12 min", "3 h 05 min", "2 d 4 h"]);
});
