/** Records and pages made by hand, for the tests of the report. */
import { W2A2, W4A4 } from "../../src/catalog/bits.ts";
import type { ArmTitle, Paper } from "../../src/catalog/paper.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { type Aggregate, aggregate } from "../../src/report/judge/aggregate.ts";
import { resultsOf } from "../../src/report/read/result.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";

/** What a test says of a run; the rest is the same for all. */
export interface RunChoice {
  readonly arm?: string;
  readonly model?: string;
  readonly seed?: number;
  readonly protocol?: RunSpec["protocol"];
  /** Weight and activation bits; null: full precision. */
  readonly bits?: readonly [number, number] | null;
  /** Of the last epoch; null: the run did not end as done. */
  readonly top1Percent?: number | null;
  readonly status?: RunRecord["status"];
  readonly reason?: string;
  readonly teacher?: string | null;
  readonly engine?: RunSpec["engine"];
  readonly precision?: RunSpec["precision"];
  readonly version?: number;
  /** Of the recipe, and so of the curve; default: 2. */
  readonly epochs?: number;
  readonly evaluateOn?: "test" | "heldOut";
  readonly dirty?: boolean;
}

/** The spec of a choice. */
export function spec(choice: RunChoice): RunSpec {
  const bits = choice.bits === undefined ? [2, 2] as const : choice.bits;
  return {
    schema: 1,
    protocol: choice.protocol ?? "paper",
    arm: choice.arm ?? "lsq",
    method: { name: bits === null ? "fp" : "qat", options: {} },
    model: choice.model ?? "resnet18",
    dataset: {
      name: "cifar10",
      trainExamples: null,
      heldOut: 0,
      testExamples: null,
      evaluateOn: choice.evaluateOn ?? "test",
    },
    quantization: bits === null ? null : {
      quantizer: "lsq",
      weightBits: bits[0],
      activationBits: bits[1],
      firstLastBits: 8,
      calibrationExamples: 100,
    },
    recipe: {
      version: choice.version ?? 1,
      epochs: choice.epochs ?? 2,
      batchSize: 256,
      learningRate: 0.01,
      momentum: 0.9,
      weightDecay: 5e-4,
      warmupEpochs: 0,
      augmentation: "crop_flip",
    },
    seed: choice.seed ?? 0,
    engine: choice.engine ?? "wasm",
    ...(choice.precision ? { precision: choice.precision } : {}),
    teacher: choice.teacher ?? null,
  };
}

/** A curve whose test accuracy rises to this value; each seed has losses of its own, as trainings have. */
function epochs(count: number, top1Percent: number, seed: number): RunRecord["curve"] {
  return Array.from({ length: count }, (_, index) => {
    const rest = (count - 1 - index) / count;
    return {
      epoch: index + 1,
      learningRate: 0.01 * (rest + 1 / count),
      trainLoss: 0.1 + rest + seed / 1000,
      trainTop1Percent: Math.min(100, top1Percent + 2 - 30 * rest ** 2),
      testLoss: 1 + rest,
      testTop1Percent: Math.round(100 * (top1Percent - 35 * rest ** 2)) / 100,
      metrics: {},
    };
  });
}

/** A record of a choice; its id is its spec's. */
export function record(choice: RunChoice = {}): RunRecord {
  const own = spec(choice);
  const top1Percent = choice.top1Percent === undefined ? 80 : choice.top1Percent;
  const status = choice.status ?? (top1Percent === null ? "failed" : "done");
  const epoch = (index: number, top1: number) => ({
    epoch: index,
    learningRate: 0.01,
    trainLoss: 1 + own.seed / 1000,
    trainTop1Percent: 60,
    testLoss: 1,
    testTop1Percent: top1,
    metrics: {},
  });
  return {
    schema: 1,
    id: runId(own),
    spec: own,
    status,
    reason: choice.reason ?? (status === "done" ? null : "the process was killed"),
    metrics: top1Percent === null ? null : { top1Percent, loss: 1 },
    curve: top1Percent === null
      ? [epoch(1, 50)]
      : choice.epochs === undefined
      ? [epoch(1, 50), epoch(2, top1Percent)]
      : epochs(choice.epochs, top1Percent, own.seed),
    startedAt: "2026-01-02T03:04:05.000Z",
    wallSeconds: 90,
    cpuSeconds: 88,
    imagesPerSecond: 1234.5,
    peakMemoryMiB: 512,
    environment: {
      commit: "0123456789abcdef0123456789abcdef01234567",
      dirty: choice.dirty ?? false,
      engine: own.engine,
      versions: { deno: "2.9.6", tfjs: "4.22.0" },
      device: "CPU",
      threads: 1,
      os: "linux x86_64",
      cpu: "Fixed CPU @ 2.00GHz",
    },
    dataSha256: "0".repeat(64),
  };
}

/** Runs of one arm over seeds 0, 1, ..; a seed's teacher is the full-precision run of the same seed, if there is one. */
export function runs(choice: RunChoice, top1Percents: readonly number[], teachers: readonly RunRecord[] = []) {
  return top1Percents.map((top1Percent, seed) =>
    record({ ...choice, seed, top1Percent, teacher: teachers[seed]?.id ?? null })
  );
}

/** The cells of records. */
export function aggregateOf(records: readonly RunRecord[]): Aggregate {
  return aggregate(resultsOf(records));
}

const SOURCE = "arXiv:0000.00000v1, Table 1";

function published(arm: string, bits: readonly [number, number] | null, top1Percent: number | null) {
  return {
    table: "t1",
    dataset: "cifar10",
    model: "resnet18",
    arm,
    weightBits: bits?.[0] ?? null,
    activationBits: bits?.[1] ?? null,
    top1Percent,
    source: SOURCE,
    reason: top1Percent === null ? "a page is torn off" : null,
  };
}

const ARMS: readonly ArmTitle[] = [
  { id: "fp", title: "Full precision", label: null },
  { id: "lsq", title: "LSQ", label: null },
  { id: "good", title: "Good", label: null },
  { id: "bad", title: "Bad", label: null },
  { id: "wide", title: "Wide", label: null },
  { id: "torn", title: "Torn", label: null },
  { id: "copy", title: "Copy", label: "stand-in" },
];

/** An invented paper with every kind of cell: known, unknown, with an anomaly, of a stand-in. */
export const PAGE: Paper<ArmTitle> = {
  id: "demo",
  title: "Demo: an invented paper",
  citation: "A. Nobody, Nothing, 2026",
  arxiv: "arXiv:0000.00000v1",
  caveat: "Invented for tests: pipes | and <tags> are text.",
  tables: [{
    id: "t1",
    title: "Table 1: CIFAR-10",
    dataset: "cifar10",
    models: ["resnet18"],
    bits: [W4A4, W2A2],
    arms: ARMS,
  }],
  arms: ARMS,
  published: [
    published("fp", null, 90),
    published("lsq", [4, 4], 88.5),
    published("good", [4, 4], 89),
    published("lsq", [2, 2], 86),
    published("good", [2, 2], 87.5),
    published("bad", [2, 2], 88),
    published("wide", [2, 2], 87),
    published("torn", [4, 4], null),
    published("torn", [2, 2], null),
    published("copy", [2, 2], 87),
  ],
  publishedDifferences: [{
    dataset: "cifar10",
    model: "mobilenet",
    arm: "copy",
    baseline: null,
    weightBits: null,
    activationBits: null,
    differencePoints: 3.84,
    source: SOURCE,
    reason: "bits and baseline are not given",
  }],
  anomalies: [
    { text: "Bad is printed upside down", touches: [{ arm: "bad" }] },
    { text: "W2A2 is printed in red", touches: [{ weightBits: 2, activationBits: 2 }] },
  ],
  assumptions: ["Silence is consent"],
  deviations: ["Ours is in English"],
};

const TEACHERS = runs({ arm: "fp", bits: null }, [92, 92.2, 91.9]);

/** Three seeds of every kind of outcome under protocol paper, one each under reduced and smoke. */
export const RECORDS: readonly RunRecord[] = [
  ...TEACHERS,
  ...runs({ arm: "lsq" }, [88, 88.3, 87.9], TEACHERS),
  ...runs({ arm: "good" }, [89.4, 89.9, 89.3], TEACHERS),
  ...runs({ arm: "bad" }, [88.1, 88.3, 87.95], TEACHERS),
  ...runs({ arm: "wide" }, [87, 90.3, 88.4], TEACHERS),
  ...runs({ arm: "copy" }, [88.5, 88.8], TEACHERS),
  record({ arm: "copy", seed: 2, top1Percent: null, status: "diverged", reason: "the loss is NaN\nat step 7" }),
  ...runs({ arm: "lsq", protocol: "reduced", model: "resnet20", dirty: true }, [85]),
  ...runs({ arm: "good", protocol: "reduced", model: "resnet20", dirty: true }, [85.5]),
  ...runs({ arm: "good", protocol: "smoke", model: "resnet8", bits: [4, 4] }, [31.25]),
  record({ arm: "good", seed: 9, evaluateOn: "heldOut" }),
];
