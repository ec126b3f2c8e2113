import assert from "node:assert/strict";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";
import { deviationsOf, protocolFlags, protocolTitle, withEpochs } from "../../src/catalog/protocol.ts";
import { InputError } from "../../src/errors.ts";
import { parseRunSpec, protocolLabel, type ProtocolName, runId } from "../../src/record/spec.ts";
import { reportSections } from "../../src/report/judge/tables.ts";
import { aggregateOf, PAGE, runs, spec } from "../report/fixtures.ts";

const { reduced, full, smoke } = PROTOCOL_DEFINITIONS;

Deno.test("withEpochs() scales both phases and their warm-up, and changes nothing else of the recipe", () => {
  const short = withEpochs(reduced, 4);
  assert.equal(short.name, "reduced-4");
  // 4 of 10 epochs: 8 of 20 in full precision, warm-up 0.4 of 1 and 0.2 of 0.5
  assert.deepEqual(short.fullPrecision, { ...reduced.fullPrecision, epochs: 8, warmupEpochs: 0.4 });
  assert.deepEqual(short.quantized, { ...reduced.quantized, epochs: 4, warmupEpochs: 0.2 });
  assert.deepEqual(short.deviations.slice(1), reduced.deviations);
  assert.match(
    short.deviations[0]!,
    /^Shortened by --epochs 4: 4 epochs quantized in place of 10 and 8 in full precision in place of 20/,
  );
  // 200 / 90 of an epoch is 2.2: whole epochs are run, and never none
  assert.equal(withEpochs(full, 1).fullPrecision.epochs, 2);
});

Deno.test("withEpochs() lengthens in the same proportion", () => {
  const long = withEpochs(reduced, 40);
  assert.equal(long.name, "reduced-40");
  assert.deepEqual(long.fullPrecision, { ...reduced.fullPrecision, epochs: 80, warmupEpochs: 4 });
  assert.deepEqual(long.quantized, { ...reduced.quantized, epochs: 40, warmupEpochs: 2 });
  assert.match(long.deviations[0]!, /^Lengthened by --epochs 40: 40 epochs quantized in place of 10 and 80 in full /);
});

Deno.test("withEpochs() refuses the length that the protocol has", () => {
  for (const [protocol, epochs] of [[reduced, 10], [smoke, 1]] as const) {
    assert.throws(
      () => withEpochs(protocol, epochs),
      new InputError(
        `Cannot give protocol ${protocol.name} ${epochs} epochs as its quantized runs have ${epochs}: leave --epochs out`,
      ),
    );
  }
});

Deno.test("a protocol of another length is told by its name alone: deviations, title and options", () => {
  const name = withEpochs(full, 45).name;
  assert.equal(parseRunSpec(spec({ protocol: name }), "a test").protocol, name);
  assert.deepEqual(deviationsOf(PROTOCOL_DEFINITIONS, [name]), { [name]: withEpochs(full, 45).deviations });
  assert.deepEqual([protocolTitle(name), protocolFlags(name)], [
    "full, 45 epochs",
    "--protocol full --epochs 45",
  ]);
  for (const odd of ["full-0", "full-045", "full-x", "other", "full-from-12", "full-on-onednn"]) {
    assert.throws(() => parseRunSpec(spec({ protocol: odd as ProtocolName }), "a test"), /as protocol: must be one of/);
  }
});

Deno.test("runs of another length stand in a section of their own and are compared with each other alone", () => {
  const short = { protocol: "paper-20" } as const;
  const fp = runs({ arm: "fp", bits: null }, [90, 91]), shortFp = runs({ ...short, arm: "fp", bits: null }, [70, 71]);
  const records = [
    ...fp,
    ...runs({ arm: "lsq" }, [88, 89], fp),
    ...shortFp,
    ...runs({ ...short, arm: "lsq" }, [60, 61], shortFp),
    ...runs({ ...short, arm: "good" }, [62, 63.5], shortFp),
  ];
  const sections = reportSections(PAGE, aggregateOf(records));
  assert.deepEqual(sections.map(({ protocol, runs }) => [protocol, runs.length]), [["paper", 4], ["paper-20", 6]]);
  const rows = sections[1]!.tables[0]!.rows;
  assert.deepEqual(
    rows.map((
      { arm, mean, gapToFp, differenceToLsq },
    ) => [arm.id, mean, gapToFp?.mean ?? null, differenceToLsq?.mean ?? null]),
    [["fp", 70.5, null, null], ["lsq", 60.5, -10, null], ["good", 62.75, -7.75, 2.25]],
  );
  for (const { verdict } of rows) assert.match(verdict.reason, /^protocol paper, 20 epochs, is not the paper's recipe/);
});

Deno.test("runs on engine onednn stand in a section of their own, and protocol paper on it is the paper's recipe", () => {
  const engine = "onednn" as const;
  const fp = runs({ arm: "fp", bits: null }, [90, 91]), ownFp = runs({ engine, arm: "fp", bits: null }, [90.2, 91.1]);
  const records = [
    ...fp,
    ...runs({ arm: "lsq" }, [88, 89], fp),
    ...ownFp,
    ...runs({ engine, arm: "lsq" }, [88.5, 89.5], ownFp),
    ...runs({ engine, arm: "good" }, [90, 91.5], ownFp),
  ];
  const label = protocolLabel(spec({ engine, protocol: "paper" }));
  assert.deepEqual([protocolTitle(label), protocolFlags(label)], [
    "paper, on engine onednn",
    "--protocol paper --engine onednn",
  ]);
  for (const engine of ["tensorflow", "wasm"] as const) {
    assert.equal(protocolLabel(spec({ engine, protocol: "paper" })), "paper");
  }
  const sections = reportSections(PAGE, aggregateOf(records));
  assert.deepEqual(sections.map(({ protocol, runs }) => [protocol, runs.length]), [["paper", 4], [label, 6]]);
  const rows = sections[1]!.tables[0]!.rows;
  assert.deepEqual(rows.map(({ arm, differenceToLsq }) => [arm.id, differenceToLsq?.mean ?? null]), [
    ["fp", null],
    ["lsq", null],
    ["good", 1.75],
  ]);
  for (const { verdict } of rows) assert.doesNotMatch(verdict.reason, /is not the paper's recipe/);
});

Deno.test("runs whose gradients are in BF16 have a label of their own, for engine onednn alone", () => {
  const own = { ...spec({ engine: "onednn", protocol: "paper" }), precision: "bf16" as const },
    label = protocolLabel(own);
  assert.deepEqual([label, protocolTitle(label), protocolFlags(label)], [
    "paper-on-bf16",
    "paper, on engine onednn, gradients in BF16",
    "--protocol paper --engine onednn --precision bf16",
  ]);
  assert.deepEqual(parseRunSpec(own, "a test"), own);
  assert.throws(
    () => parseRunSpec({ ...own, engine: "tensorflow" }, "a test"),
    /as precision: must be left out, as only engine onednn has it/,
  );
});

Deno.test("runs in TF32 stand in a section of their own; engines without it refuse it in a spec", () => {
  const own = { ...spec({ engine: "tensorflow", protocol: "paper" }), precision: "tf32" as const };
  const label = protocolLabel(own);
  assert.deepEqual([label, protocolTitle(label), protocolFlags(label)], [
    "paper-on-tf32",
    "paper, in TF32",
    "--protocol paper --precision tf32",
  ]);
  const engine = "tensorflow" as const, float32 = runs({ engine, arm: "lsq" }, [88, 89]);
  const tf32 = float32.map((run) => {
    const spec = { ...run.spec, precision: "tf32" as const };
    return { ...run, spec, id: runId(spec) };
  });
  const cells = aggregateOf([...float32, ...tf32]).cells.filter(({ arm }) => arm === "lsq");
  assert.deepEqual(cells.map(({ protocol, done }) => [protocol, done.length]), [["paper", 2], [label, 2]]);
  assert.notEqual(cells[0]!.ground, cells[1]!.ground);
  assert.throws(
    () => parseRunSpec({ ...own, engine: "wasm" }, "a test"),
    /as precision: must be left out, as only engine/,
  );
});

Deno.test("pages name protocols in words, never by the labels of records", () => {
  const folder = new URL("../../reports/", import.meta.url);
  const pages = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".md"));
  assert.ok(pages.length > 5);
  for (const { name } of pages) {
    const found = /\b(smoke|reduced|full|paper)(-\d+)?-(on|from)-\w+/.exec(
      Deno.readTextFileSync(new URL(name, folder)),
    );
    assert.equal(found?.[0], undefined, name);
  }
});
