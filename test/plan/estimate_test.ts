import assert from "node:assert/strict";
import {
  type Estimate,
  estimator,
  formatSeconds,
  jobsThatFit,
  makespanSeconds,
  peakMemoryMiB,
  processorOf,
} from "../../src/plan/estimate.ts";
import { trainingPasses, trainingWork } from "../../src/plan/network_size.ts";
import { etaByRecords } from "../../src/pool/progress.ts";
import type { RunView } from "../../src/pool/progress_display.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { type PlannedRun, runId, type RunSpec } from "../../src/record/spec.ts";
import { fakeEpoch } from "../support/fakes/fake_trainer.ts";
import { fpSpec, studentSpec } from "../support/fakes/specs.ts";

const FP = fpSpec();
const LSQ = studentSpec("lsq", FP);

const CPU = { device: "cpu", cpu: "Fast CPU, 2 cores", versions: {} };

/** A run of 128 images an epoch. */
function record(spec: RunSpec, changes: Partial<RunRecord> = {}): RunRecord {
  const fields = { imagesPerSecond: 64, wallSeconds: 1, peakMemoryMiB: 500, curve: [fakeEpoch(1)], environment: CPU };
  return { spec, ...fields, ...changes } as RunRecord;
}

const HERE = { trainSize: () => null, processor: "Fast CPU" };

Deno.test("estimator() learns by engine, model and arm, and the last record counts", () => {
  const estimate = estimator([record(LSQ), record(LSQ, { imagesPerSecond: 32, peakMemoryMiB: 700 })], HERE);
  assert.deepEqual(estimate(LSQ), { seconds: 4, memoryMiB: 700 });
  assert.deepEqual(estimate({ ...LSQ, recipe: { ...LSQ.recipe, epochs: 3 } })!.seconds, 12);
  for (const other of [{ ...LSQ, engine: "tensorflow" as const }, { ...LSQ, model: "resnet20" }, FP]) {
    assert.equal(estimate(other), null);
  }
});

Deno.test("estimator() takes the size of the training split where the spec leaves it open, and passes over idle records", () => {
  const estimate = estimator([record(FP), record(FP, { imagesPerSecond: 0, wallSeconds: 99 })], {
    ...HERE,
    trainSize: () => 50_000,
  });
  const dataset = { ...FP.dataset, trainExamples: null, heldOut: 5000 };
  assert.equal(estimate({ ...FP, dataset })!.seconds, 45_000 / 64);
});

Deno.test("estimator() takes the method where no record is of the arm", () => {
  const estimate = estimator([record(LSQ)], HERE);
  assert.equal(estimate({ ...LSQ, arm: "lsq_5_epochs" })!.seconds, 2);
});

Deno.test("estimator() counts evaluation where a run went in one go, and not the short end of a resumed one", () => {
  const whole = estimator([record(LSQ, { wallSeconds: 3 })], HERE), resumed = estimator([record(LSQ)], HERE);
  assert.deepEqual([whole(LSQ)!.seconds, resumed(LSQ)!.seconds], [3, 2]);
});

Deno.test("estimator() passes over records of another processor, whatever its cores or driver", () => {
  const h200 = { device: "gpu", cpu: "Fast CPU, 16 cores", versions: { gpu: "NVIDIA H200, driver 580" } };
  const records = [record(LSQ), record(LSQ, { imagesPerSecond: 6400, wallSeconds: 0, environment: h200 as never })];
  const seconds = (processor: string) => estimator(records, { ...HERE, processor })(LSQ)?.seconds ?? null;
  assert.deepEqual(["Fast CPU", "NVIDIA H200", "NVIDIA A100", "Slow CPU"].map(seconds), [2, 0.02, null, null]);
  assert.equal(processorOf({ ...CPU, cpu: "Fast CPU, 64 cores" }), "Fast CPU");
  assert.equal(processorOf({ ...h200, versions: { gpu: "NVIDIA H200, driver 590" } }), "NVIDIA H200");
});

Deno.test("estimator() scales runs of unknown kinds by work, from the record of the closest, and never between devices", () => {
  const works: Record<string, number> = { resnet8: 1, resnet20: 3, resnet50: 100 };
  const work = ({ model, method }: RunSpec) => works[model]! * (method.name === "kd" ? 2 : 1);
  const records = [record(LSQ), record({ ...LSQ, model: "resnet20" }, { imagesPerSecond: 16 }), record(FP)];
  const estimate = estimator(records, { ...HERE, work });
  const kd = { ...LSQ, arm: "kd", method: { name: "kd", options: {} } };
  // 128 images: 2 s of resnet8, 8 s of resnet20. Of the work of kd on resnet8, 2, that of resnet20 is the closest: 8 s * 2 / 3
  assert.deepEqual(estimate(kd), { seconds: 8 * 2 / 3, memoryMiB: null });
  assert.deepEqual(estimate({ ...LSQ, model: "resnet50" }), { seconds: 8 * 100 / 3, memoryMiB: null });
  // full precision of work 3: quantized of work 3 counts as far as full precision of work 1.5, so it is closer than that of 1
  assert.deepEqual(estimate({ ...FP, model: "resnet20" }), { seconds: 8, memoryMiB: null });
  for (
    const other of [{ ...kd, engine: "tensorflow" as const }, { ...kd, dataset: { ...kd.dataset, name: "other" } }]
  ) {
    assert.equal(estimate(other), null);
  }
  assert.equal(estimator(records, { ...HERE, work, processor: "Slow CPU" })(kd), null);
});

Deno.test("trainingWork() multiplies the network's multiply-accumulates by the passes of the method", () => {
  // ResNet-20 on 32 x 32: 40.55 million for the first, 18 convolutions and the dense layer, and 0.26 of two shortcuts
  const work = trainingWork({ ...LSQ, model: "resnet20" });
  assert.equal(Math.round(work / 3 / 1e4) / 100, 40.81);
  assert.equal(trainingWork({ ...LSQ, model: "resnet20", method: { name: "kd", options: {} } }), work / 3 * 4);
});

Deno.test("trainingPasses() counts forward, backward, second view, teacher, second step and unlabelled images", () => {
  const passes = (name: string, options: RunSpec["method"]["options"] = {}) =>
    trainingPasses({ method: { name, options } });
  assert.deepEqual([passes("fp"), passes("qat"), passes("kd"), passes("sam")], [3, 3, 4, 6]);
  assert.deepEqual([passes("qat_two_view"), passes("cr"), passes("cr", { unlabelledRatio: 1 })], [6, 4, 8]);
  assert.deepEqual([passes("mec"), passes("mec", { views: 2 }), passes("qat_ema")], [3, 4, 3]);
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
