import assert from "node:assert/strict";
import { aggregate } from "../../../src/report/judge/aggregate.ts";
import { record, type RunChoice, runs } from "../fixtures.ts";

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
  const { cells } = aggregate(choices.map((choice) => record(choice)));
  assert.equal(cells.length, choices.length);
  assert.deepEqual(cells.map(({ done }) => done.length), choices.map(() => 1));
});

Deno.test("aggregate() puts the seeds of a cell in order, whatever their teachers", () => {
  const [zero, one, two] = runs({}, [80, 81, 82]);
  const started = record({ seed: 3, teacher: "feedfeedfeedfeed" });
  const { cells } = aggregate([two!, started, zero!, one!]);
  assert.deepEqual(cells.map(({ done }) => done.map(({ spec }) => spec.seed)), [[0, 1, 2, 3]]);
});

Deno.test("aggregate() counts runs that did not end as done apart from those that did", () => {
  const { cells } = aggregate([record(), record({ seed: 1, top1Percent: null, status: "timeout" })]);
  assert.deepEqual(cells[0]!.done.map(({ spec }) => spec.seed), [0]);
  assert.deepEqual(cells[0]!.notDone.map(({ status }) => status), ["timeout"]);
});

Deno.test("aggregate() counts two equal copies of a record once", () => {
  assert.equal(aggregate([record(), record()]).cells[0]!.done.length, 1);
});

Deno.test("aggregate() refuses a seed that is there twice and names both runs", () => {
  const first = record(), second = record({ teacher: "feedfeedfeedfeed" });
  assert.throws(() => aggregate([first, second]), {
    name: "InputError",
    message: new RegExp(
      "^Cannot average the runs of lsq on resnet18, cifar10, W2A2, protocol paper as each seed must count once: " +
        `seed 0 is in runs ${first.id} .* and ${second.id} .*, so take one of them away$`,
    ),
  });
});

Deno.test("aggregate() refuses a repeated run with another result", () => {
  assert.throws(() => aggregate([record(), record({ top1Percent: 81 })]), {
    name: "InputError",
    message: /seed 0 is in/,
  });
});

Deno.test("aggregate() refuses two engines in a cell and says which value differs", () => {
  assert.throws(() => aggregate([record(), record({ seed: 1, engine: "tensorflow" })]), {
    name: "InputError",
    message: /specs must agree but for seed and teacher: engine is "wasm" in run \w+ and "tensorflow" in run \w+/,
  });
});

Deno.test("aggregate() shows only the newest recipe version of each protocol", () => {
  const { cells, outdated } = aggregate([
    record({ version: 1, arm: "fpq" }),
    record({ version: 2 }),
    record({ version: 1, protocol: "reduced" }),
  ]);
  assert.deepEqual(cells.map(({ protocol, arm }) => `${protocol} ${arm}`), ["paper lsq", "reduced lsq"]);
  assert.deepEqual(outdated.map(({ spec }) => spec.arm), ["fpq"]);
});

Deno.test("aggregate() leaves runs on held-out images out of all cells", () => {
  const { cells, heldOut } = aggregate([record({ evaluateOn: "heldOut" })]);
  assert.equal(cells.length, 0);
  assert.equal(heldOut.length, 1);
});
