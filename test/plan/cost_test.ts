import assert from "node:assert/strict";
import { hoursText, planCosts, type Processor } from "../../src/plan/cost.ts";
import type { PlanState } from "../../src/plan/plan.ts";
import type { PlannedCell } from "../../src/plan/tables.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { doneRecord } from "../support/fakes/fake_trainer.ts";
import { fpSpec, studentSpec } from "../support/fakes/specs.ts";

const planned = (spec: RunSpec) => ({ id: runId(spec), spec });
const FP = planned(fpSpec()), LSQ = planned(studentSpec("lsq", FP.spec)), MEC = planned(studentSpec("mec", FP.spec));

/** A cell of a table with one run. */
function cell(table: string, run: typeof FP): PlannedCell {
  return { paper: "p", table, dataset: "cifar10", model: "resnet8", arm: run.spec.arm, bits: null, runs: [run] };
}

/** An hour per run; MEC is scaled, without memory. */
const HERE: Processor = {
  name: "CPU",
  isGpu: false,
  estimate: ({ arm }) => ({ seconds: 3600, memoryMiB: arm === "mec" ? null : 100, isScaled: arm === "mec" }),
};
const GPU: Processor = {
  name: "GPU",
  isGpu: true,
  estimate: ({ arm }) => arm === "mec" ? null : { ...HERE.estimate(FP.spec)!, seconds: 36 },
};

Deno.test("planCosts() counts a table's cells and their teachers, and a run of two tables once in all", () => {
  const runs = [FP, LSQ, MEC], plan: PlanState = { runs, finished: new Map(), todo: runs };
  const diskMiBOf = Object.fromEntries(runs.map(({ id }) => [id, 3]));
  const costs = planCosts(plan, [cell("a", LSQ), cell("b", LSQ), cell("b", MEC)], {
    processors: [HERE, GPU],
    jobs: 2,
    diskMiBOf,
  });
  const [a, b] = costs.tables;
  assert.deepEqual([a, b, costs.total].map((cost) => [cost!.runs, cost!.left, cost!.diskMiB]), [[2, 2, 6], [3, 3, 9], [
    3,
    3,
    9,
  ]]);
  assert.deepEqual([a!.memoryMiB, a!.unknownMemory, b!.unknownMemory], [200, 0, 1]);
  assert.deepEqual(b!.hours, [
    { processor: "CPU", hours: 3, scaled: 1, unknown: 0 },
    { processor: "GPU", hours: 0.02, scaled: 0, unknown: 1 },
  ]);
});

Deno.test("planCosts() leaves out what is done", () => {
  const runs = [FP, LSQ], finished = new Map([[FP.id, doneRecord(FP.spec)]]);
  const { total } = planCosts({ runs, finished, todo: [LSQ] }, [cell("a", LSQ)], {
    processors: [HERE],
    jobs: 2,
    diskMiBOf: {},
  });
  assert.deepEqual([total.runs, total.done, total.left, total.hours[0]!.hours], [2, 1, 1, 1]);
});

Deno.test("hoursText() marks what is scaled and what is not known", () => {
  const text = (hours: number, scaled = 0, unknown = 0) => hoursText({ processor: "", hours, scaled, unknown }, 5);
  assert.deepEqual(
    [text(0.004), text(9.99), text(9.996), text(1234.4), text(20, 1), text(20, 0, 1), text(20, 1, 1), text(0, 0, 5)],
    ["0.00", "9.99", "10", "1,234", "~20", "20+?", "~20+?", "?"],
  );
});
