import assert from "node:assert/strict";
import { ABLATION, CR, CR_LSQ_PLUS, CR_PACT, PARTLY_LABELLED } from "../../benchmarks/cr/paper.ts";
import { PAPERS, SUITE } from "../../benchmarks/mod.ts";
import { planRuns } from "../../src/plan/tables.ts";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";
import { createMethod } from "../../src/methods/mod.ts";
import { parseRunSpec, runId, type RunSpec } from "../../src/record/spec.ts";

function planned(table: string, methods: readonly string[] | null = null): RunSpec[] {
  return planRuns({
    suite: SUITE,
    papers: PAPERS.filter(({ id }) => id === "cr"),
    table,
    protocol: { ...PROTOCOL_DEFINITIONS.reduced, models: ["resnet20"] },
    engine: "tensorflow",
    methods,
    models: null,
    bits: null,
    seeds: [0],
  }).map(({ spec }) => spec);
}

/** What of `after` is not as in `before`; defaults are filled in by the method's own schema. */
function changes(before: RunSpec["method"]["options"], after: RunSpec["method"]["options"]): string[] {
  return Object.keys({ ...before, ...after }).filter((name) => before[name] !== after[name]);
}

Deno.test("a spec of CR without switches keeps the run id that it had before CR had any", () => {
  const spec = parseRunSpec({
    schema: 1,
    protocol: "reduced",
    arm: "cr",
    method: { name: "cr", options: { weight: 1, alpha: 0.999, rampEpochs: 5 } },
    model: "resnet20",
    dataset: { name: "cifar10", trainExamples: null, heldOut: 5000, testExamples: null, evaluateOn: "test" },
    quantization: { quantizer: "lsq", weightBits: 2, activationBits: 2, firstLastBits: 8, calibrationExamples: 100 },
    recipe: {
      version: 1,
      epochs: 10,
      batchSize: 128,
      learningRate: 0.02,
      momentum: 0.9,
      weightDecay: 5e-4,
      warmupEpochs: 0.5,
      augmentation: "crop_flip",
    },
    seed: 0,
    engine: "tensorflow",
    teacher: "6c6d1aae1deb6340",
  }, "test");
  assert.equal(runId(spec), "5af24eab16321ea1");
});

Deno.test("no run of cr-main says anything of labels or switches", () => {
  for (const { arm, dataset, method } of planned("cr-main")) {
    assert.ok(!("labelledFraction" in dataset), arm);
    if (arm === "cr") assert.deepEqual(Object.keys(method.options).sort(), ["alpha", "rampEpochs", "weight"]);
  }
});

Deno.test("each arm of cr-ablation changes one switch of CR, or one and the number that belongs to it", () => {
  assert.deepEqual(
    Object.fromEntries(ABLATION.map(({ id, method }) => [id, changes(CR.method.options, method.options)])),
    {
      cr_mse: ["weight", "consistency"],
      cr_cosine: ["consistency"],
      cr_weak_strong: ["views"],
      cr_strong_weak: ["views"],
      cr_alpha099: ["alpha"],
      cr_alpha09997: ["alpha"],
      cr_alpha_cosine: ["alpha", "alphaSchedule"],
      ...Object.fromEntries(
        [1, 3, 10].filter((w) => w !== CR.method.options.weight).map((w) => [`cr_weight${w}`, ["weight"]]),
      ),
      cr_ramp_linear: ["ramp"],
      cr_ramp_constant: ["ramp"],
      cr_fp_teacher: ["teacherForward"],
      cr_norm_batch: ["teacherNorm"],
      cr_norm_student: ["teacherNorm"],
    },
  );
  for (const { id, method, quantizer } of ABLATION) {
    assert.equal(createMethod(method).name, "cr", id);
    assert.equal(quantizer, CR.quantizer, id);
  }
});

Deno.test("the weight of the mean squared error is CR's times C² / (2 (1 - 1/C)) at 10 classes", () => {
  const weight = ABLATION.find(({ id }) => id === "cr_mse")!.method.options["weight"] as number;
  assert.equal(
    (weight / (CR.method.options["weight"] as number)).toFixed(1),
    (10 ** 2 / (2 * (1 - 1 / 10))).toFixed(1),
  );
});

Deno.test("cr-base runs CR and each plain quantizer side by side", () => {
  const quantizers = Object.fromEntries(
    planned("cr-base").filter(({ quantization }) => quantization).map((s) => [s.arm, s.quantization!.quantizer]),
  );
  assert.deepEqual(quantizers, {
    lsq: "lsq",
    cr: "lsq",
    pact: "pact",
    [CR_PACT.id]: "pact",
    lsq_plus: "lsq_plus",
    [CR_LSQ_PLUS.id]: "lsq_plus",
  });
});

Deno.test("cr-unlabelled starts every row from full precision with the same labels, with equal steps", () => {
  const specs = planned("cr-unlabelled"), byArm = new Map(specs.map((spec) => [spec.arm, spec]));
  for (const [i, fraction] of [0.1, 0.5].entries()) {
    const { fp, lsq, cr } = PARTLY_LABELLED[i]!, row = [fp, lsq, cr].map(({ id }) => byArm.get(id)!);
    assert.deepEqual(row.map(({ dataset }) => dataset.labelledFraction), [fraction, fraction, fraction]);
    assert.deepEqual(row.map(({ teacher }) => teacher), [null, runId(row[0]!), runId(row[0]!)]);
    assert.deepEqual(row[1]!.recipe, row[2]!.recipe);
    assert.deepEqual(row[2]!.recipe, byArm.get("cr")!.recipe);
    assert.deepEqual(
      [row[1]!, row[2]!].map(({ method }) => createMethod(method).unlabelledRatio ?? 0),
      [0, 1],
    );
    for (const spec of row) assert.deepEqual(parseRunSpec(JSON.parse(JSON.stringify(spec)), "test"), spec);
  }
  // all labels: the runs of cr-main, the field absent
  for (const arm of ["fp", "lsq", "cr"]) assert.ok(!("labelledFraction" in byArm.get(arm)!.dataset), arm);
  assert.equal(byArm.get("cr")!.teacher, runId(byArm.get("fp")!));
});

Deno.test("planRuns() adds the partly labelled full precision of an arm that was picked alone", () => {
  const specs = planned("cr-unlabelled", ["cr_labelled10"]);
  assert.deepEqual(specs.map(({ arm }) => arm), ["fp_labelled10", "cr_labelled10"]);
});
