import assert from "node:assert/strict";
import { cellQuantities, measuredCells } from "../../../src/report/judge/measured_cells.ts";
import { headline, kindOf, seriesOf, withError } from "../../../src/report/judge/measurements.ts";
import { measurementTable } from "../../../src/report/pages/measurements.ts";
import { parseMeasurements } from "../../../src/report/read/records.ts";
import { MEASUREMENTS } from "../../../src/measure/mod.ts";
import type { Measurement } from "../../../src/record/measurement.ts";
import { runId } from "../../../src/record/spec.ts";
import { record, spec } from "../fixtures.ts";

function trace(seed: number, value: number, changes: Partial<Measurement> = {}): Measurement {
  const own = spec({ seed, bits: [2, 2] });
  return {
    schema: 1,
    name: "hessian_trace",
    options: { images: 8, probes: 2, relativeStep: 0.03, moved: "quantized", seed: 0 },
    run: runId(own),
    spec: own,
    values: { trace: value, standardError: 3, relativeTrace: value / 100, relativeStandardError: 0.1 },
    epochs: [],
    environment: record().environment,
    dataSha256: "a".repeat(64),
    seconds: 1,
    ...changes,
  };
}

const CODING: Measurement = {
  ...trace(0, 0),
  name: "feature_coding",
  options: { images: 20, blockSize: 10, distortions: [0.125, 0.03125] },
  values: {
    codingLengths: [0.5, 0.25],
    codingLengthsError: [0.01, 0.02],
    effectiveRank: 8,
    centredEffectiveRank: 7,
    spectrum: [0.75, 0.25],
    centredSpectrum: [0.2, 0.1],
  },
};

const NOISE: Measurement = {
  ...trace(0, 0),
  name: "noise_gradient_norm",
  options: { images: 8, draws: 2, sigmas: [0.1, 0.3], seed: 0 },
  values: { clean: 1, features: [1.1, 1.5], featuresError: [0.1, 0.2], weights: [1.2, 2], weightsError: [0.1, 0.3] },
};

const VARIANCE: Measurement = {
  ...trace(0, 0),
  name: "output_variance",
  options: { images: 8, draws: 2, sigmas: [0.1, 0.4], seed: 0 },
  values: {
    cleanLogits: 4,
    logits: [0.1, 2],
    logitsError: [0.01, 0.2],
    softmax: [0.001, 0.02],
    softmaxError: [0.0001, 0.002],
  },
};

Deno.test("parseMeasurements() reads what was written, and names the line that it cannot use", () => {
  const lines = [trace(0, 10), CODING].map((item) => JSON.stringify(item)).join("\n") + "\n\n";
  assert.deepEqual(parseMeasurements(lines, "m.jsonl"), [trace(0, 10), CODING]);
  const cases: [string, RegExp][] = [
    [
      '{"schema":1',
      /^Cannot read line 1 of m\.jsonl as it is not complete JSON \(\{"schema":1\): delete the line or measure again$/,
    ],
    [JSON.stringify({ ...CODING, schema: 2 }), /^Cannot read the measurement in line 1 of m\.jsonl as schema: /],
    [JSON.stringify({ ...CODING, extra: 1 }), /^Cannot read the measurement in line 1 of m\.jsonl as it: /],
    [JSON.stringify({ ...CODING, values: { a: null } }), /as values\.a: /],
    [
      JSON.stringify({ ...CODING, run: "0" }),
      /^Cannot trust the measurement in line 1 of m\.jsonl as it is of run 0, but its spec/,
    ],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseMeasurements(text, "m.jsonl"), { name: "InputError", message });
  }
});

Deno.test("measuredCells() groups by cell, counts a run once, and refuses to mix options", () => {
  const other = spec({ seed: 1, bits: [4, 4] });
  const all = [trace(1, 20), trace(0, 10), trace(0, 10), trace(0, 30, { spec: other, run: runId(other) }), CODING];
  const cells = measuredCells(all, "hessian_trace");
  assert.deepEqual(
    cells.map(({ weightBits, measurements }) => [weightBits, measurements.map(({ spec }) => spec.seed)]),
    [
      [2, [0, 1]],
      [4, [1]],
    ],
  );
  const heldOut = spec({ seed: 5, evaluateOn: "heldOut" });
  assert.equal(measuredCells([trace(5, 1, { spec: heldOut, run: runId(heldOut) })], "hessian_trace").length, 0);
  const old = trace(0, 1), newer = spec({ seed: 0, bits: [2, 2], version: 2 });
  const versions = measuredCells([old, trace(0, 2, { spec: newer, run: runId(newer) })], "hessian_trace");
  assert.deepEqual(versions.map(({ measurements }) => measurements.map(({ values }) => values["trace"])), [[2]]);
  const elsewhere = spec({ seed: 1, bits: [2, 2], engine: "tensorflow" });
  assert.throws(() => measuredCells([old, trace(1, 2, { spec: elsewhere, run: runId(elsewhere) })], "hessian_trace"), {
    name: "InputError",
    message: /as their specs differ in more than seed and teacher: take one of them away$/,
  });
  assert.throws(() => measuredCells([old, trace(1, 2, { dataSha256: "b" })], "hessian_trace"), {
    name: "InputError",
    message: /as their data must be the same bytes: SHA-256 is a+ and b, so take one of them away$/,
  });
  const mixed = [trace(0, 10), trace(1, 20, { options: { ...trace(0, 0).options, probes: 4 } })];
  assert.throws(() => measuredCells(mixed, "hessian_trace"), {
    name: "InputError",
    message: /^Cannot average hessian_trace of runs [0-9a-f]{16} and [0-9a-f]{16} as their options differ: /,
  });
});

Deno.test("cellQuantities() give the mean and its error over seeds; of one run the error of the measurement", () => {
  const [two] = measuredCells([trace(0, 10), trace(1, 20)], "hessian_trace"),
    [one] = measuredCells([trace(0, 10)], "hessian_trace");
  // sd of 10 and 20 is 7.07, over sqrt(2): 5
  assert.deepEqual(cellQuantities(two!)[0], { title: "Tr H", mean: 15, error: 5, n: 2 });
  assert.deepEqual(cellQuantities(one!)[0], { title: "Tr H", mean: 10, error: 3, n: 1 });
});

Deno.test("measurementTable() has a row for each cell", () => {
  const table = measurementTable(measuredCells([CODING], "feature_coding"), {
    name: "feature_coding",
    armTitleOf: (arm) => arm.toUpperCase(),
  });
  assert.deepEqual(table.columns.map(({ title }) => title), [
    "Method",
    "Model",
    "Bits",
    "Protocol",
    "Runs",
    "Coding length, eps_d = 1/8",
    "Coding length, eps_d = 1/32",
    "Effective rank",
    "Effective rank, centred",
  ]);
  assert.deepEqual(table.rows, [
    ["LSQ", "ResNet-18", "W2A2", "paper", "1", "0.5 ± 0.01", "0.25 ± 0.02", "8", "7"],
  ]);
  const other = spec({ bits: [4, 4] }), options = { ...CODING.options, distortions: [0.5, 0.25] };
  const mixed = [CODING, { ...CODING, options, spec: other, run: runId(other) }];
  const context = { name: "feature_coding", armTitleOf: (arm: string) => arm };
  assert.throws(() => measurementTable(measuredCells(mixed, "feature_coding"), context), {
    name: "InputError",
    message:
      /^Cannot put feature_coding of runs .* into one table as one has Coding length, eps_d = 1\/8; .* = 0\.25; .*: measure/,
  });
});

Deno.test("seriesOf() gives the lines of each figure", () => {
  const epochs = [1, 2].map((epoch) => ({ epoch, values: trace(0, 10 * epoch).values }));
  const shown = (item: Measurement) =>
    seriesOf(item).map(({ title, points }) => [title, ...points.map(({ x, y, error }) => [x, y, error])]);
  assert.deepEqual(shown(trace(0, 20)), []);
  assert.deepEqual(shown(trace(0, 20, { epochs })), [["Tr H", [1, 10, 3], [2, 20, 3]]]);
  assert.deepEqual(shown(CODING), [
    ["features", [1, 0.75, null], [2, 0.25, null]],
    ["centred features", [1, 0.2, null], [2, 0.1, null]],
  ]);
  assert.deepEqual(shown(NOISE), [
    ["noise on features", [0.1, 1.1, 0.1], [0.3, 1.5, 0.2]],
    ["noise on weights", [0.1, 1.2, 0.1], [0.3, 2, 0.3]],
  ]);
  assert.deepEqual(shown(VARIANCE)[1], ["logits", [0.1, 0.1, 0.01], [0.4, 2, 0.2]]);
});

Deno.test("headline() is the first number with its error, in as many digits as tell something", () => {
  assert.deepEqual(headline(trace(0, 1365.4)), { title: "Tr H", text: "1365 ± 3" });
  assert.deepEqual(headline(CODING), { title: "Coding length, eps_d = 1/8", text: "0.5 ± 0.01" });
  assert.deepEqual(headline(NOISE), { title: "On features, σ = 0.3", text: "1.5 ± 0.2" });
  assert.deepEqual(headline(VARIANCE), { title: "Softmax, σ = 0.4", text: "0.02 ± 0.002" });
  assert.equal(withError(0.123456, 0.00456), "0.1235 ± 0.0046");
  assert.equal(withError(0.00000123, null), "1.230e-6");
  assert.equal(withError(0, 0), "0 ± 0");
});

Deno.test("every measurement can be shown, and an unknown one is refused", () => {
  for (const { name } of MEASUREMENTS) assert.ok(kindOf(name).title.length > 0);
  assert.throws(() => headline({ ...CODING, name: "sharpness" }), {
    name: "InputError",
    message: /^Cannot show measurement "sharpness" as it is not known: choose one of hessian_trace, /,
  });
  assert.throws(() => headline({ ...CODING, values: {} }), {
    name: "InputError",
    message: /has no list "codingLengths"/,
  });
});
