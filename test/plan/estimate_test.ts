import assert from "node:assert/strict";
import {
  type Estimate,
  estimator,
  formatSeconds,
  jobsThatFit,
  makespanSeconds,
  peakMemoryMiB,
} from "../../src/plan/estimate.ts";
import { etaByRecords } from "../../src/pool/progress.ts";
import type { PlannedRun } from "../../src/plan/plan.ts";
import type { RunView } from "../../src/pool/progress_display.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { fakeEpoch } from "../support/fakes/fake_trainer.ts";
import { fpSpec, studentSpec } from "../support/fakes/specs.ts";

const FP = fpSpec();
const LSQ = studentSpec("lsq", FP);

/** A run of 128 images an epoch. */
function record(spec: RunSpec, changes: Partial<RunRecord> = {}): RunRecord {
  const fields = { imagesPerSecond: 64, wallSeconds: 1, peakMemoryMiB: 500, curve: [fakeEpoch(1)] };
  return { spec, ...fields, ...changes } as RunRecord;
}

const NO_SIZE = () => null;

Deno.test("estimator() learns by engine, model and arm, and the last record counts", () => {
  const estimate = estimator([record(LSQ), record(LSQ, { imagesPerSecond: 32, peakMemoryMiB: 700 })], NO_SIZE);
  assert.deepEqual(estimate(LSQ), { seconds: 4, memoryMiB: 700 });
  assert.deepEqual(estimate({ ...LSQ, recipe: { ...LSQ.recipe, epochs: 3 } })!.seconds, 12);
  for (const other of [{ ...LSQ, engine: "tensorflow" as const }, { ...LSQ, model: "resnet20" }, FP]) {
    assert.equal(estimate(other), null);
  }
});

Deno.test("estimator() takes the size of the training split where the spec leaves it open, and passes over idle records", () => {
  const estimate = estimator([record(FP), record(FP, { imagesPerSecond: 0, wallSeconds: 99 })], () => 50_000);
  const dataset = { ...FP.dataset, trainExamples: null, heldOut: 5000 };
  assert.equal(estimate({ ...FP, dataset })!.seconds, 45_000 / 64);
});

Deno.test("estimator() takes the method where no record is of the arm", () => {
  const estimate = estimator([record(LSQ)], NO_SIZE);
  assert.equal(estimate({ ...LSQ, arm: "lsq_5_epochs" })!.seconds, 2);
});

Deno.test("estimator() counts evaluation where a run went in one go, and not the short end of a resumed one", () => {
  const whole = estimator([record(LSQ, { wallSeconds: 3 })], NO_SIZE), resumed = estimator([record(LSQ)], NO_SIZE);
  assert.deepEqual([whole(LSQ)!.seconds, resumed(LSQ)!.seconds], [3, 2]);
});

Deno.test("peakMemoryMiB() adds the runs that take most, as many as are at once", () => {
  const estimates: (Estimate | null)[] = [1, 5, 3].map((memoryMiB) => ({ seconds: 1, memoryMiB }));
  assert.deepEqual([1, 2, 9].map((jobs) => peakMemoryMiB([...estimates, null], jobs)), [5, 8, 9]);
});

Deno.test("jobsThatFit() keeps what fits, takes fewer only where none was asked for", () => {
  const estimates = [5, 3, 3].map((memoryMiB) => ({ seconds: 1, memoryMiB }));
  assert.equal(jobsThatFit(estimates, { wanted: 2, cores: 9, memoryMiB: 8 }), 2);
  assert.equal(jobsThatFit(estimates, { wanted: null, cores: 9, memoryMiB: 8 }), 2);
  assert.throws(() => jobsThatFit(estimates, { wanted: 3, cores: 9, memoryMiB: 8 }), {
    name: "InputError",
    message:
      "Cannot run 3 at once as they would take 11 MiB of memory together and this machine has 8 MiB: give --jobs 2",
  });
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

function planned(spec: RunSpec): PlannedRun {
  return { id: runId(spec), spec };
}

function view(fraction: number, startedMs = 0): RunView {
  const numbers = { epoch: 1, epochs: 1, loss: 1, imagesPerSecond: 1, top1Percent: null };
  return { name: "x", ...numbers, fraction, startedMs, startFraction: 0 };
}

Deno.test("etaByRecords() takes a running run's own pace, and others as much slower than their records", () => {
  const [teacher, student] = [planned(FP), planned(LSQ)];
  const estimate = ({ id }: PlannedRun) => id === teacher.id ? 100 : 60;
  const options = { jobs: 2, estimate, now: 50_000 };
  // Nothing runs: as the records say.
  assert.equal(etaByRecords([teacher, student], { ...options, running: new Map() }), 160);
  // A quarter in 50 s: 200 s in all, twice the record; the student then takes 120 s.
  const running = new Map([[teacher.id, view(0.25)]]);
  assert.equal(etaByRecords([teacher, student], { ...options, running }), 150 + 120);
  assert.equal(etaByRecords([teacher], { ...options, running, estimate: () => null }), 150);
  assert.equal(etaByRecords([student], { ...options, running: new Map(), estimate: () => null }), null);
});
