import assert from "node:assert/strict";
import {
  type Estimate,
  estimator,
  type EstimatorOptions,
  formatSeconds,
  jobsThatFit,
  makespanSeconds,
  peakMemoryMiB,
  type Work,
} from "../../src/plan/estimate.ts";
import { InputError } from "../../src/errors.ts";
import { processorOf } from "../../src/record/environment.ts";
import { trainingPasses, trainingWork } from "../../src/plan/network_size.ts";
import { etaByRecords } from "../../src/pool/progress.ts";
import type { RunView } from "../../src/pool/progress_display.ts";
import type { Rate } from "../../src/record/rate.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { type PlannedRun, runId, type RunSpec } from "../../src/record/spec.ts";
import { fakeEpoch } from "../support/fakes/fake_trainer.ts";
import { fpSpec, studentSpec } from "../support/fakes/specs.ts";

const CPU = { device: "cpu", cpu: "Fast CPU, 2 cores", versions: {} };

/** A run of 128 training images per epoch and, at a third each, 96 test images: 160 in all. */
function record(spec: RunSpec, changes: Partial<RunRecord> = {}): RunRecord {
  const fields = { imagesPerSecond: 128, wallSeconds: 2, cpuSeconds: 1.6, peakMemoryMiB: 500, curve: [fakeEpoch(1)] };
  return { spec, environment: CPU, ...fields, ...changes } as RunRecord;
}

const IMAGES = { dataset: { ...fpSpec().dataset, testExamples: 96 } };
const FP = fpSpec(IMAGES);
const LSQ = { ...studentSpec("lsq", FP), ...IMAGES };

const SIZES = { train: 50_000, test: 10_000, imageShape: [32, 32, 3] } as const;
const HERE = { sizesOf: () => SIZES, processor: "Fast CPU" };

/** Learns from records alone. */
function learn(records: readonly RunRecord[], options: Partial<EstimatorOptions> = {}) {
  return estimator({ records, rates: [] }, { ...HERE, ...options });
}

Deno.test("estimator() learns by engine, model and method, in processor seconds, and the last record counts", () => {
  const estimate = learn([record(LSQ), record(LSQ, { cpuSeconds: 3.2, peakMemoryMiB: 700 })]);
  assert.deepEqual(estimate(LSQ), { seconds: 3.2, memoryMiB: 700, isScaled: false });
  assert.equal(estimate({ ...LSQ, recipe: { ...LSQ.recipe, epochs: 3 } })!.seconds.toFixed(6), "9.600000");
  assert.equal(estimate({ ...LSQ, arm: "lsq_5_epochs" })!.seconds, 3.2);
  const pact = { ...LSQ, quantization: { ...LSQ.quantization!, quantizer: "pact" } };
  for (const other of [{ ...LSQ, engine: "tensorflow" as const }, { ...LSQ, model: "resnet20" }, pact, FP]) {
    assert.equal(estimate(other), null);
  }
});

Deno.test("estimator() takes the size of the training split where the spec leaves it open, and passes over idle records", () => {
  const estimate = learn([record(FP), record(FP, { imagesPerSecond: 0, cpuSeconds: 99 })]);
  const dataset = { ...FP.dataset, trainExamples: null, heldOut: 5000, testExamples: null };
  // 100 images per processor second
  assert.equal(estimate({ ...FP, dataset })!.seconds.toFixed(3), ((45_000 + 10_000 / 3) / 100).toFixed(3));
});

Deno.test("estimator() takes the training time of a resumed run, as older code kept the seconds of its end alone", () => {
  assert.equal(learn([record(LSQ, { wallSeconds: 0.1, cpuSeconds: 0.1 })])(LSQ)!.seconds, 1);
});

Deno.test("estimator() leaves short runs aside, which are all start, where a long one of their kind is known", () => {
  const curve = Array.from({ length: 200 }, (_, i) => fakeEpoch(i + 1));
  const long = record(LSQ, { curve, wallSeconds: 900, cpuSeconds: 160 }), short = record(LSQ, { cpuSeconds: 16 });
  const seconds = (epochs: number) => learn([long, short])({ ...LSQ, recipe: { ...LSQ.recipe, epochs } })!.seconds;
  assert.deepEqual([1, 10, 11, 300].map((epochs) => Math.round(10 * seconds(epochs))), [160, 1600, 88, 2400]);
});

/** A rate of LSQ: 64 images take 0.16 s of the clock and 0.08 s of the processor; the start 5 s and 4 s. */
function rate(changes: Partial<Rate> = {}): Rate {
  return {
    schema: 1,
    spec: LSQ,
    startedAt: "2026-11-29T00:00:00.000Z",
    steps: 10,
    step: { wallSeconds: 0.16, cpuSeconds: 0.08 },
    start: { wallSeconds: 5, cpuSeconds: 4 },
    peakMemoryMiB: 900,
    environment: CPU as never,
    ...changes,
  };
}

const H200 = { device: "gpu", cpu: "Fast CPU, 16 cores", versions: { gpu: "NVIDIA H200, driver 580" } } as never;

Deno.test("estimator() adds a rate's start to its steps, by the processor on a CPU and by the clock on a GPU", () => {
  const seconds = (environment: Rate["environment"], processor: string) =>
    estimator({ records: [], rates: [rate({ environment })] }, { ...HERE, processor })(LSQ)!.seconds;
  assert.equal(seconds(CPU as never, "Fast CPU"), 4 + 160 * 0.08 / 64);
  assert.equal(seconds(H200, "NVIDIA H200"), 5 + 160 * 0.16 / 64);
});

Deno.test("estimator() prefers a rate to a record that is less than a tenth as long as the run", () => {
  const estimate = estimator({ records: [record(LSQ, { cpuSeconds: 16 })], rates: [rate()] }, HERE);
  const seconds = (epochs: number) => estimate({ ...LSQ, recipe: { ...LSQ.recipe, epochs } })!.seconds;
  assert.deepEqual([seconds(10), seconds(20)], [160, 4 + 20 * 160 * 0.08 / 64]);
});

Deno.test("estimator() passes over records of another processor, whatever its cores or driver", () => {
  const fast = { imagesPerSecond: 12_800, wallSeconds: 0.02, cpuSeconds: 9, environment: H200 };
  const seconds = (processor: string) => learn([record(LSQ), record(LSQ, fast)], { processor })(LSQ)?.seconds ?? null;
  assert.deepEqual(["Fast CPU", "NVIDIA H200", "NVIDIA A100", "Slow CPU"].map(seconds), [1.6, 0.02, null, null]);
  assert.equal(processorOf({ ...CPU, cpu: "Fast CPU, 64 cores" }), "Fast CPU");
  assert.equal(processorOf({ ...CPU, cpu: "Fast CPU, 64 cores", versions: { isa: "AVX2" } }), "Fast CPU, AVX2");
  assert.equal(processorOf({ ...CPU, device: "gpu", versions: { gpu: "NVIDIA H200, driver 590" } }), "NVIDIA H200");
});

Deno.test("estimator() scales runs of unknown kinds by work, from the most similar, and never between devices", () => {
  const works: Record<string, number> = { resnet8: 1, resnet20: 3, resnet50: 100 };
  const work: Work = ({ model, method }, [height]) => works[model]! * (method.name === "kd" ? 2 : 1) * height / 32;
  const records = [record(LSQ), record({ ...LSQ, model: "resnet20" }, { cpuSeconds: 8 }), record(FP)];
  const estimate = learn(records, { work });
  const kd = { ...LSQ, arm: "kd", method: { name: "kd", options: {} } };
  // kd on resnet8 has work 2: resnet20's 3 is closer than 1, but of another network
  assert.deepEqual(estimate(kd), { seconds: 3.2, memoryMiB: null, isScaled: true });
  assert.deepEqual(estimate({ ...LSQ, model: "resnet50" }), {
    seconds: 8 * (100 / 3),
    memoryMiB: null,
    isScaled: true,
  });
  // full precision of work 3: quantized of the same network is closer than full precision of another one of work 1
  assert.deepEqual(estimate({ ...FP, model: "resnet20" }), { seconds: 8, memoryMiB: null, isScaled: true });
  // bits and options that change no work change no kind
  const other = { ...LSQ, method: { name: "qat", options: { weight: 2 } } };
  assert.deepEqual(estimate(other), { seconds: 1.6, memoryMiB: 500, isScaled: false });
  // another data set, of images twice as high
  const sizesOf = (name: string) => ({
    ...SIZES,
    imageShape: [name === "other" ? 64 : 32, 32, 3] as [number, number, 3],
  });
  const large = { ...LSQ, dataset: { ...LSQ.dataset, name: "other" } };
  assert.equal(learn([record(LSQ)], { work, sizesOf })(large)!.seconds, 3.2);
  assert.equal(estimate({ ...kd, engine: "tensorflow" as const }), null);
  assert.equal(learn(records, { work, processor: "Slow CPU" })(kd), null);
});

Deno.test("estimator() passes over older runs whose method or option is no longer, and has no estimate of such a run", () => {
  const gone = { ...LSQ, method: { name: "gone", options: {} } }, kd = { ...LSQ, method: { name: "kd", options: {} } };
  const work: Work = ({ method }) => {
    if (method.name === "gone") throw new InputError("Cannot build it");
    return method.name === "kd" ? 2 : 1;
  };
  const estimate = learn([record(gone, { cpuSeconds: 99 }), record(LSQ)], { work });
  assert.deepEqual([estimate(kd)!.seconds, estimate({ ...gone, model: "resnet20" })], [3.2, null]);
});

Deno.test("estimator() never scales a GPU's pace down, as less work does not make it faster", () => {
  const work: Work = ({ model }) => model === "resnet8" ? 1 : 4, options = { work, processor: "NVIDIA H200" };
  const seconds = (known: string, wanted: string) =>
    learn([record({ ...LSQ, model: known }, { environment: H200 })], options)({ ...LSQ, model: wanted })!.seconds;
  assert.deepEqual([seconds("resnet8", "resnet20"), seconds("resnet20", "resnet8")], [8, 2]);
});

Deno.test("trainingWork() adds multiply-accumulates and the values that are passed over, times the passes of the method", () => {
  const work = trainingWork({ ...LSQ, model: "resnet20" }, [32, 32, 3]);
  // ResNet-20 on 32 x 32: 40.55 million for the first, 18 convolutions and the dense layer, and 0.26 of two shortcuts;
  // outputs of 7 x 16 x 32 x 32, 7 x 32 x 16 x 16, 7 x 64 x 8 x 8 and 10; 270,896 weights, once per batch of 64
  const values = 114_688 + 57_344 + 28_672 + 10, weights = 270_896 / 64;
  assert.equal(Math.round((work / 3 - 300 * values - 2000 * weights) / 1e4) / 100, 40.81);
  assert.equal(
    trainingWork({ ...LSQ, model: "resnet20", method: { name: "kd", options: {} } }, [32, 32, 3]),
    work / 3 * 4,
  );
});

Deno.test("trainingPasses() counts forward, backward, second view, teacher, second step and unlabelled images", () => {
  const passes = (name: string, options: RunSpec["method"]["options"] = {}) =>
    trainingPasses({ method: { name, options } });
  assert.deepEqual([passes("fp"), passes("qat"), passes("kd"), passes("sam")], [3, 3, 4, 6]);
  assert.deepEqual([passes("qat_two_view"), passes("cr"), passes("cr", { unlabelledRatio: 1 })], [6, 4, 8]);
  assert.deepEqual([passes("mec"), passes("mec", { views: 2 }), passes("qat_ema")], [3, 4, 3]);
});

Deno.test("peakMemoryMiB() adds the runs that take most, as many as are at once", () => {
  const estimates: (Estimate | null)[] = [1, 5, 3].map((memoryMiB) => ({ seconds: 1, memoryMiB, isScaled: false }));
  assert.deepEqual([1, 2, 9].map((jobs) => peakMemoryMiB([...estimates, null], jobs)), [5, 8, 9]);
});

Deno.test("jobsThatFit() keeps what fits, takes fewer only where none was asked for", () => {
  const estimates = [5, 3, 3].map((memoryMiB) => ({ seconds: 1, memoryMiB, isScaled: false }));
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
