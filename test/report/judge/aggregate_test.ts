import assert from "node:assert/strict";
import { newestOnly } from "../../../src/report/judge/aggregate.ts";
import { subjectOf } from "../../../src/report/read/result.ts";
import { importedSpec } from "../../../src/record/imported_spec.ts";
import type { RunRecord } from "../../../src/record/record.ts";
import { runId } from "../../../src/record/spec.ts";
import { aggregateOf, record, type RunChoice, runs } from "../fixtures.ts";

Deno.test("aggregate() keeps arms, models, bits and protocols apart", () => {
  const choices: RunChoice[] = [
    {},
    { arm: "fpq" },
    { model: "resnet20" },
    { bits: [2, 4] },
    { bits: [4, 2] },
    { bits: null },
    { protocol: "reduced" },
  ];
  const { cells } = aggregateOf(choices.map((choice) => record(choice)));
  assert.equal(cells.length, choices.length);
  assert.deepEqual(cells.map(({ done }) => done.length), choices.map(() => 1));
});

Deno.test("aggregate() puts the seeds of a cell in order, whatever their teachers", () => {
  const [zero, one, two] = runs({}, [80, 81, 82]);
  const started = record({ seed: 3, teacher: "feedfeedfeedfeed" });
  const { cells } = aggregateOf([two!, started, zero!, one!]);
  assert.deepEqual(cells.map(({ done }) => done.map(({ seed }) => seed)), [[0, 1, 2, 3]]);
});

Deno.test("aggregate() takes a network that was imported on two engines as two", () => {
  const imported = (engine: "wasm" | "onednn"): RunRecord => {
    const place = { model: "resnet18_imagenet", dataset: "cifar10", engine } as const;
    const spec = importedSpec({ ...place, sha256: "a".repeat(64), newHead: false });
    return { ...record(), id: runId(spec), spec, curve: [], metrics: { top1Percent: 80, loss: 1 } };
  };
  assert.equal(aggregateOf([imported("wasm"), imported("onednn")]).cells.length, 2);
});

Deno.test("aggregate() counts runs that did not end as done apart from those that did", () => {
  const { cells } = aggregateOf([record(), record({ seed: 1, top1Percent: null, status: "timeout" })]);
  assert.deepEqual(cells[0]!.done.map(({ seed }) => seed), [0]);
  assert.deepEqual(cells[0]!.notDone.map(({ seed, top1 }) => [seed, top1]), [[1, null]]);
});

Deno.test("aggregate() counts two equal copies of a record once", () => {
  assert.equal(aggregateOf([record(), record()]).cells[0]!.done.length, 1);
});

Deno.test("aggregate() refuses a seed that is there twice and names both runs", () => {
  const first = record(), second = record({ teacher: "feedfeedfeedfeed" });
  assert.throws(() => aggregateOf([first, second]), {
    name: "InputError",
    message: new RegExp(
      "^Cannot average the runs of lsq on resnet18, cifar10, W2A2, protocol paper as each seed must count once: " +
        `seed 0 is in runs ${first.id} .* and ${second.id} .*, so take one of them away$`,
    ),
  });
});

Deno.test("aggregate() refuses a repeated run with another result", () => {
  assert.throws(() => aggregateOf([record(), record({ top1Percent: 81 })]), {
    name: "InputError",
    message: /seed 0 is in/,
  });
});

Deno.test("aggregate() refuses one run under two seeds, told by its network or its curve", () => {
  const first = record(), network = "a".repeat(64), copied = record({ seed: 1 });
  const refused = (all: readonly RunRecord[], what: string) =>
    assert.throws(() => aggregateOf(all), {
      name: "InputError",
      message: new RegExp(
        "^Cannot average the runs of lsq on resnet18, cifar10, W2A2, protocol paper as each must be a training of its own: " +
          `seeds 0 and 1 have the same ${what} in runs ${first.id} and ${copied.id}, so take one of them away$`,
      ),
    });
  refused([first, { ...copied, curve: first.curve }], "curve");
  refused([{ ...first, networkSha256: network }, { ...copied, networkSha256: network }], "network");
  const disguised = { ...copied, curve: first.curve, networkSha256: "b".repeat(64) };
  refused([{ ...first, networkSha256: network }, disguised, record({ seed: 2 })], "curve");
});

Deno.test("aggregate() lets cells share a network, and runs that did not finish their curve", () => {
  const networkSha256 = "a".repeat(64), first = { ...record(), networkSha256 };
  const other = { ...record({ arm: "lsq_ema" }), networkSha256, curve: first.curve };
  const failed = [0, 1].map((seed) => ({ ...record({ arm: "bad", seed, top1Percent: null }), curve: [] }));
  assert.equal(aggregateOf([first, other, ...failed]).cells.length, 3);
});

Deno.test("aggregate() refuses two engines in a cell and says which value differs", () => {
  assert.throws(() => aggregateOf([record(), record({ seed: 1, engine: "tensorflow" })]), {
    name: "InputError",
    message: /specs must agree but for seed and teacher: engine is "wasm" in run \w+ and "tensorflow" in run \w+/,
  });
});

Deno.test("aggregate() shows only the newest recipe version of each protocol", () => {
  const { cells, outdated } = aggregateOf([
    record({ version: 1, arm: "fpq" }),
    record({ version: 2 }),
    record({ version: 1, protocol: "reduced" }),
  ]);
  assert.deepEqual(cells.map(({ protocol, arm }) => `${protocol} ${arm}`), ["paper lsq", "reduced lsq"]);
  assert.deepEqual(outdated.map(({ cell }) => cell.arm), ["fpq"]);
});

Deno.test("aggregate() leaves runs on held-out images out of all cells", () => {
  const { cells, heldOut } = aggregateOf([record({ evaluateOn: "heldOut" })]);
  assert.equal(cells.length, 0);
  assert.equal(heldOut.length, 1);
});

type Options = { version?: number; quantizer?: string; revision?: number };

function spec({ version = 1, quantizer = "lsq", revision }: Options) {
  const { spec } = record({ version });
  const quantization = { ...spec.quantization!, quantizer, ...(revision ? { quantizerRevision: revision } : {}) };
  return { ...spec, quantization };
}

function shown(...all: readonly Options[]): boolean[] {
  const subjects = all.map((options) => subjectOf(spec(options)));
  return subjects.map(newestOnly(subjects));
}

Deno.test("newestOnly() keeps the newest revision of a quantizer, and leaves other quantizers alone", () => {
  assert.deepEqual(
    shown({}, { quantizer: "lsq_asymmetric" }, { quantizer: "lsq_asymmetric", revision: 2 }),
    [true, false, true],
  );
});

Deno.test("newestOnly() takes the newest recipe first, whatever revision an older one had", () => {
  assert.deepEqual(shown({ version: 1, revision: 3 }, { version: 2 }), [false, true]);
});
