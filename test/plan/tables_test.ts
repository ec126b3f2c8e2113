import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { PAPERS, SUITE } from "../../benchmarks/mod.ts";
import { formatBits } from "../../src/catalog/bits.ts";
import { knownModels, leftOutArms, planCells, type PlanRequest, planRuns } from "../../src/plan/tables.ts";
import { modelFor } from "../../src/catalog/paper.ts";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";
import { importedSpec } from "../../src/record/imported_spec.ts";
import { type BaseProtocol, runId, type RunSpec } from "../../src/record/spec.ts";

/** All of protocol paper. */
const REQUEST: PlanRequest = {
  suite: SUITE,
  papers: [],
  table: null,
  protocol: PROTOCOL_DEFINITIONS.paper,
  engine: "wasm",
  methods: null,
  models: null,
  bits: null,
  seeds: null,
};

function plan(papers: readonly string[], protocol: BaseProtocol, overrides: Partial<PlanRequest> = {}): RunSpec[] {
  const wanted = PAPERS.filter(({ id }) => papers.includes(id));
  return planRuns({ ...REQUEST, papers: wanted, protocol: PROTOCOL_DEFINITIONS[protocol], ...overrides })
    .map(({ spec }) => spec);
}

function countArms(specs: readonly RunSpec[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { arm } of specs) counts[arm] = (counts[arm] ?? 0) + 1;
  return counts;
}

Deno.test("PAPERS lists every folder that has a paper", () => {
  const root = new URL("../../benchmarks/", import.meta.url);
  const folders = [...Deno.readDirSync(root)].filter(({ name, isDirectory }) => {
    if (!isDirectory) return false;
    try {
      return Deno.statSync(fileURLToPath(new URL(`${name}/paper.ts`, root))).isFile;
    } catch {
      return false;
    }
  });
  assert.deepEqual(PAPERS.map(({ id }) => id).sort(), folders.map(({ name }) => name).sort());
});

Deno.test("planRuns() plans FP, LSQ and the method for smoke, students pointing at their teacher", () => {
  const specs = plan(["fpq"], "smoke");
  assert.deepEqual(specs.map(({ arm, model, seed }) => [arm, model, seed]), [
    ["fp", "resnet8", 0],
    ["lsq", "resnet8", 0],
    ["fpq", "resnet8", 0],
  ]);
  const [fp, lsq, fpq] = specs;
  assert.deepEqual([fp!.teacher, lsq!.teacher, fpq!.teacher], [null, runId(fp!), runId(fp!)]);
  assert.equal(lsq!.quantization!.quantizer, "lsq");
  assert.equal(fpq!.quantization!.quantizer, "lsq_asymmetric");
  assert.deepEqual([fp!.recipe.epochs, fpq!.recipe.epochs], [2, 1]);
  assert.deepEqual(fpq!.method, { name: "fpq", options: { probability: 0.1, csdWeight: 1 } });
});

Deno.test("planRuns() shares FP and LSQ among papers", () => {
  const papers = ["fpq", "mec", "cr"],
    tables = PAPERS.filter(({ id }) => papers.includes(id)).flatMap(({ tables }) => tables)
      .filter(({ protocols }) => protocols?.includes("reduced") ?? true);
  const specs = plan(papers, "reduced"), { seeds, models, bits } = PROTOCOL_DEFINITIONS.reduced;
  // what the tables say: an arm once for each seed, model and pair of bits, however many tables it stands in
  const widths = new Map<string, Set<string>>();
  for (const grid of tables) {
    const own = grid.bits.map(formatBits).filter((each) => bits!.map(formatBits).includes(each));
    for (const arm of grid.arms) {
      const found = widths.get(arm.id) ?? widths.set(arm.id, new Set()).get(arm.id)!;
      for (const each of arm.quantizer === null ? ["FP"] : own) found.add(each);
    }
  }
  const perWidth = seeds.length * models!.length;
  assert.deepEqual(countArms(specs), Object.fromEntries([...widths].map(([arm, set]) => [arm, perWidth * set.size])));
  const counts = countArms(specs);
  assert.deepEqual([counts["fp"], counts["lsq"], counts["cr"]], [perWidth, 3 * perWidth, 3 * perWidth]);
  assert.ok(tables.filter(({ arms }) => arms.some(({ id }) => id === "lsq")).length > 3);
  assert.equal(new Set(specs.map(runId)).size, specs.length);
  // all teachers first
  const students = specs.findIndex(({ teacher }) => teacher !== null);
  assert.ok(specs.slice(students).every(({ teacher }) => teacher !== null));
});

Deno.test("planRuns() trains full precision on from itself by the quantized recipe, as a reference", () => {
  const specs = plan(["cr"], "reduced"), { fullPrecision, quantized } = PROTOCOL_DEFINITIONS.reduced;
  const ofSeed = (arm: string) => specs.find((spec) => spec.arm === arm && spec.seed === 0)!;
  const own = ofSeed("fp"), on = ofSeed("fp_trained_on"), lsq = ofSeed("lsq");
  assert.deepEqual([own.recipe, own.teacher], [fullPrecision, null]);
  assert.deepEqual([on.recipe, on.quantization, on.teacher], [quantized, null, runId(own)]);
  assert.deepEqual([on.recipe, on.teacher], [lsq.recipe, lsq.teacher]);
});

Deno.test("planRuns() takes the papers' own models and bits for protocol paper", () => {
  const specs = plan(["mec"], "paper");
  const ofModel = (name: string) => specs.filter(({ model }) => model === name);
  assert.deepEqual(countArms(ofModel("resnet18_imagenet")), { fp: 3, lsq: 12, mec: 12 });
  const ablation = countArms(ofModel("resnet20")), arms = PAPERS.find(({ id }) => id === "mec")!.tables[1]!.arms;
  assert.deepEqual(ablation, { fp: 3, ...Object.fromEntries(arms.map(({ id }) => [id, 3])) });
  assert.equal(ofModel("resnet18_imagenet").length + ofModel("resnet20").length, specs.length);
  assert.ok(specs.some(({ quantization }) => quantization?.activationBits === 1));
  assert.equal(specs[0]!.dataset.heldOut, 0);
});

Deno.test("planRuns() adds the teacher of a method that was picked alone", () => {
  const specs = plan(["mec"], "smoke", {
    methods: ["mec"],
    seeds: [7],
    bits: [{ weights: 3, activations: 5 }, { weights: 2, activations: 2 }],
  });
  assert.deepEqual(
    specs.map(({ arm, seed, quantization }) => [arm, seed, quantization?.weightBits, quantization?.activationBits]),
    [["fp", 7, undefined, undefined], ["mec", 7, 3, 5], ["mec", 7, 2, 2]],
  );
});

Deno.test("planRuns() runs all arms of a table that was asked for", () => {
  assert.deepEqual(countArms(plan(["fpq"], "smoke", { table: "table4" })), {
    fp: 1,
    pact: 1,
    lsq: 1,
    lsq_plus: 1,
    lsq_asymmetric: 1,
    kd: 1,
    fpq: 1,
  });
  // Table 2 has no column at smoke's W4A4: its own W2A4 is run, so that the page shows it
  assert.equal(plan(["fpq"], "smoke", { table: "table2" }).at(-1)!.quantization!.weightBits, 2);
});

Deno.test("planRuns() puts every arm on the quantizer of --quantizer, under an id that no table of a paper has", () => {
  const specs = plan(["fpq"], "smoke", { table: "table4", quantizer: "lsq_plus_range" });
  assert.deepEqual(specs.map(({ arm }) => arm), [
    "fp",
    "qat@lsq_plus_range",
    "kd@lsq_plus_range",
    "fpq@lsq_plus_range",
  ]);
  for (const { quantization } of specs.slice(1)) assert.equal(quantization!.quantizer, "lsq_plus_range");
  const known = PAPERS.flatMap(({ tables }) => tables.flatMap(({ arms }) => arms.map(({ id }) => id)));
  for (const { arm } of specs.slice(1)) assert.ok(!known.includes(arm), arm);
});

Deno.test("planRuns() takes an arm of a paper where --quantizer makes just that arm", () => {
  const [fp, pact, kd, fpq] = plan(["fpq"], "smoke", { table: "table4", quantizer: "pact" });
  assert.deepEqual([fp!.arm, pact!.arm, kd!.arm, fpq!.arm], ["fp", "pact", "kd@pact", "fpq@pact"]);
  const own = plan(["fpq"], "smoke", { table: "table4", methods: ["pact"] });
  assert.deepEqual(pact, own[1]);
  const asymmetric = plan(["fpq"], "smoke", { methods: ["fpq"], quantizer: "lsq_asymmetric" });
  assert.deepEqual(asymmetric, plan(["fpq"], "smoke", { methods: ["fpq"] }));
});

Deno.test("planRuns() leaves tables on other data sets than the protocol's to --table", () => {
  const datasets = (specs: readonly RunSpec[]) => [...new Set(specs.map(({ dataset }) => dataset.name))];
  assert.deepEqual(datasets(plan(["fpq"], "reduced")), ["cifar10"]);
  assert.deepEqual(datasets(plan(["fpq"], "reduced", { table: "table5" })), ["cifar100"]);
  assert.deepEqual(datasets(plan(["fpq"], "paper")), ["cifar10", "cifar100"]);
});

Deno.test("planRuns() leaves tables of other protocols to --table, and says so where nothing is left", () => {
  const ids = plan(["known"], "full", { engine: "tensorflow" }).map(runId);
  assert.ok(ids.includes("a90f921d0568b3f4"), "full precision of protocol full, seed 0, keeps its id");
  assert.equal(ids.length, 3 * (1 + 4 * 2), "FP, and four arms at W4A4 and W2A2, of three seeds");
  assert.throws(() => plan(["known"], "reduced"), {
    name: "InputError",
    message:
      "Cannot plan protocol reduced as known has no table that it runs unasked: give another --protocol, or one of " +
      "--paper known --table known-lsq, --paper known --table known-pact, --paper known --table known-fp, --paper known " +
      "--table known-apot",
  });
  assert.equal(plan(["known"], "reduced", { table: "known-fp" }).length, 3 * 2, "seeds and models of protocol reduced");
  assert.ok(plan(["known", "mec"], "reduced").every(({ arm }) => arm !== "lsq_unscaled"));
});

for (
  const [args, home] of [
    [{ methods: ["mec_k1"] }, /of the tables to be run \(mec-bits\): give --paper mec --table mec-ablation$/],
    [{ methods: ["fp", "kd"] }, /\(mec-bits\): give --paper fpq --table table4 or table5$/],
    [
      { methods: ["fp"], table: "mec-ablation" },
      /\(mec-ablation\): give --paper mec --table mec-bits, or --paper /,
    ],
    [{ methods: ["nope"] }, /^Cannot use method "nope" as it is not known: choose one of fp, lsq, mec$/],
  ] as const
) {
  Deno.test(`planRuns() says which table has the row ${args.methods.join()}`, () => {
    assert.throws(() => plan(["mec"], "smoke", args), { name: "InputError", message: home });
  });
}

Deno.test("planCells() has a cell for every published cell of FPQ, with one run a seed", () => {
  const cells = planCells({ ...REQUEST, papers: PAPERS.filter(({ id }) => id === "fpq") });
  const keyOf = (place: { table: string; dataset: string; model: string; arm: string }, bits: string) =>
    `${place.table} ${place.dataset} ${place.model} ${place.arm} ${bits}`;
  const planned = new Map(cells.map((cell) => [keyOf(cell, cell.bits ? formatBits(cell.bits) : "FP"), cell]));
  assert.equal(planned.size, cells.length);
  const { published, tables } = PAPERS.find(({ id }) => id === "fpq")!;
  for (const printed of published) {
    const cell = { ...printed, model: modelFor(tables.find(({ id }) => id === printed.table)!, printed) };
    assert.equal(cell.model, cell.dataset === "cifar10" ? `${printed.model}_imagenet` : printed.model);
    const bits = cell.weightBits === null ? "FP" : `W${cell.weightBits}A${cell.activationBits}`;
    assert.deepEqual(planned.get(keyOf(cell, bits))?.runs.map(({ spec }) => spec.seed), [0, 1, 2], keyOf(cell, bits));
  }
});

Deno.test("planRuns() trains the arms of fp-form by FPQ's own recipe, in both forms and without augmentation", () => {
  const specs = plan(["fpq"], "paper", { table: "fp-form", seeds: [0] }), { quantized } = PROTOCOL_DEFINITIONS.paper;
  assert.deepEqual(specs.map(({ arm, model, recipe, teacher }) => [arm, model, recipe, teacher]), [
    ["fp_form", "resnet18_imagenet", quantized, null],
    ["fp_form_plain", "resnet18_imagenet", { ...quantized, augmentation: "none" }, null],
    ["fp_form", "resnet18", quantized, null],
    ["fp_form_plain", "resnet18", { ...quantized, augmentation: "none" }, null],
  ]);
  assert.ok(plan(["fpq"], "reduced").every(({ arm }) => !arm.startsWith("fp_form")));
});

Deno.test("planRuns() puts an imported network in the place of full precision, for every seed, under a protocol of its own", () => {
  const place = { model: "resnet18_imagenet", dataset: "cifar10", engine: "wasm" } as const;
  const network = importedSpec({ ...place, sha256: "ab".repeat(32), newHead: true }), id = runId(network);
  const imported = ({ model, dataset }: { model: string; dataset: string }) =>
    model === network.model && dataset === network.dataset.name ? network : null;
  const shown = (specs: readonly RunSpec[]) =>
    specs.map(({ arm, model, protocol, teacher, seed }) => [arm, model, protocol, teacher, seed]);
  const from = `paper-from-${id.slice(0, 8)}`, models = ["resnet18_imagenet", "resnet18"], seeds = [0, 1];
  const main = { table: "table4", methods: ["fp", "lsq"], bits: [{ weights: 4, activations: 4 }], models, seeds };
  const specs = plan(["fpq"], "paper", { ...main, imported }), own = plan(["fpq"], "paper", main);
  const other = own.filter(({ model }) => model === "resnet18");
  assert.deepEqual(shown(specs.filter(({ model }) => model !== "resnet18")), [
    ["imported_abababab", "resnet18_imagenet", "imported", null, 0],
    ["lsq", "resnet18_imagenet", from, id, 0],
    ["lsq", "resnet18_imagenet", from, id, 1],
  ]);
  assert.deepEqual(specs.filter(({ model }) => model === "resnet18"), other, "another model keeps its own start");
  const form = { table: "fp-form", models: ["resnet18_imagenet"], seeds: [0] };
  assert.deepEqual(shown(plan(["fpq"], "paper", { ...form, imported })).slice(0, 4), [
    ["fp_form", "resnet18_imagenet", "paper", null, 0],
    ["fp_form_plain", "resnet18_imagenet", "paper", null, 0],
    ["imported_abababab", "resnet18_imagenet", "imported", null, 0],
    ["fp_form_pretrained", "resnet18_imagenet", from, id, 0],
  ]);
  assert.ok(plan(["fpq"], "paper", form).every(({ arm }) => arm !== "fp_form_pretrained"));
});

Deno.test("leftOutArms() names the arms without an imported network, and a plan of such arms alone is refused", () => {
  const request = { ...REQUEST, papers: PAPERS.filter(({ id }) => id === "fpq"), table: "fp-form" };
  assert.deepEqual(leftOutArms(request, planRuns(request)), ["fp_form_pretrained"]);
  const other = { ...request, table: "table4" };
  assert.deepEqual(leftOutArms(other, planRuns(other)), []);
  assert.throws(() => planRuns({ ...request, methods: ["fp_form_pretrained"] }), {
    message:
      "Cannot plan a run as fp_form_pretrained must start from an imported network: import one with `deno task " +
      "teacher`, and name its folder with --teachers",
  });
});

Deno.test("planCells() holds every planned run that is a row of a table, and no teacher that is none", () => {
  const request = { ...REQUEST, papers: PAPERS };
  const inCells = new Set(planCells(request).flatMap(({ runs }) => runs.map(({ id }) => id)));
  const runs = planRuns(request), left = runs.filter(({ id }) => !inCells.has(id));
  assert.ok(left.every(({ spec }) => spec.arm === "fp"));
  assert.equal(inCells.size + left.length, runs.length);
});

Deno.test("every model, quantizer and method that a table or protocol names exists and takes its options", async () => {
  const { modelNamed } = await import("../../src/nn/mod.ts");
  const { quantizerNamed } = await import("../../src/quant/mod.ts");
  const { createMethod } = await import("../../src/methods/mod.ts");
  for (const model of knownModels(SUITE)) assert.equal(modelNamed(model).name, model);
  for (const arm of PAPERS.flatMap(({ tables }) => tables.flatMap(({ arms }) => arms))) {
    if (arm.quantizer !== null) assert.equal(quantizerNamed(arm.quantizer).name, arm.quantizer);
    assert.equal(createMethod(arm.method).quantized, arm.quantizer !== null);
  }
});

Deno.test("what a protocol chose takes the place of an arm's default, and of nothing that the arm is about", () => {
  const chosen = { csdWeight: 7, weight: 8, beta: 9 };
  const protocol = { ...PROTOCOL_DEFINITIONS.reduced, chosen };
  const runs = planRuns({
    suite: SUITE,
    papers: PAPERS,
    table: null,
    protocol,
    engine: "wasm",
    methods: null,
    models: ["resnet20"],
    bits: null,
    seeds: [0],
  });
  const option = (arm: string, name: string) => runs.find(({ spec }) => spec.arm === arm)!.spec.method.options[name];
  assert.deepEqual(["fpq", "fpq_csd", "fpq_p05"].map((arm) => option(arm, "csdWeight")), [7, 7, 7]);
  assert.deepEqual(["fpq_sfp", "fpq_w01", "fpq_w1", "fpq_w10"].map((arm) => option(arm, "csdWeight")), [0, 0.1, 1, 10]);
  assert.deepEqual(["cr", "cr_pact", "cr_labelled10", "cr_alpha099"].map((arm) => option(arm, "weight")), [8, 8, 8, 8]);
  assert.deepEqual(["cr_weight3", "cr_mse"].map((arm) => option(arm, "weight")), [3, 55.6]);
  assert.deepEqual(["mec", "mec_k1", "mec_two_views"].map((arm) => option(arm, "beta")), [9, 9, 9]);
  assert.equal(option("kd", "weight"), 1);
  const plain = planRuns({
    suite: SUITE,
    papers: PAPERS,
    table: null,
    protocol: { ...PROTOCOL_DEFINITIONS.smoke },
    engine: "wasm",
    methods: ["fpq"],
    models: null,
    bits: null,
    seeds: [0],
  });
  assert.equal(plain.find(({ spec }) => spec.arm === "fpq")!.spec.method.options["csdWeight"], 1);
});
