/** What a table changes of its protocol, and whether what is planned fits its data set. */
import assert from "node:assert/strict";
import { requireFit } from "../../src/plan/fit.ts";
import { PAPERS, SUITE } from "../../benchmarks/mod.ts";
import { reportedPapers } from "../../src/plan/reported_papers.ts";
import { type PlanRequest, planRuns } from "../../src/plan/tables.ts";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";
import type { Paper, TableChanges } from "../../src/catalog/paper.ts";
import { canonicalJson } from "../../src/record/spec.ts";

/** One seed of protocol paper. */
const REQUEST: PlanRequest = {
  suite: SUITE,
  papers: PAPERS.filter(({ id }) => id === "mec"),
  table: "mec-bits",
  protocol: PROTOCOL_DEFINITIONS.paper,
  engine: "wasm",
  methods: null,
  models: ["resnet8"],
  bits: null,
  seeds: [0],
};

/** The runs of one table that changes what its protocol says. */
function withChanges(changes: TableChanges): PlanRequest {
  const [mec] = REQUEST.papers, [table] = mec!.tables;
  return { ...REQUEST, papers: [{ ...mec!, tables: [{ ...table!, changes }] }] };
}

Deno.test("planRuns() takes a table's changes in place of the protocol's, in full precision and quantized", () => {
  const changes = { dataset: { heldOut: 7 }, recipe: { batchSize: 16, epochs: 3 } };
  const { fullPrecision, quantized, dataset } = PROTOCOL_DEFINITIONS.paper;
  const runs = planRuns(withChanges(changes)), plain = planRuns(withChanges({}));
  for (const [i, { spec }] of runs.entries()) {
    const own = spec.quantization === null ? fullPrecision : quantized;
    assert.deepEqual(spec.recipe, { ...own, batchSize: 16, epochs: 3 });
    assert.deepEqual(spec.dataset, { name: "cifar10", ...dataset, heldOut: 7 });
    assert.deepEqual({ ...spec, recipe: own, dataset: plain[i]!.spec.dataset, teacher: null }, {
      ...plain[i]!.spec,
      teacher: null,
    });
  }
  assert.equal(runs[1]!.spec.teacher, runs[0]!.id);
  assert.deepEqual(plain, planRuns(REQUEST));
});

Deno.test("tables on one data set have the same changes, as they share their full-precision and LSQ runs", () => {
  for (const [dataset, tables] of Map.groupBy(PAPERS.flatMap(({ tables }) => tables), ({ dataset }) => dataset)) {
    const changes = new Set(tables.map(({ changes = {} }) => canonicalJson(changes)));
    assert.equal(
      changes.size,
      1,
      `${dataset}: ${[...changes].join(" and ")} in ${tables.map(({ id }) => id).join(", ")}`,
    );
  }
});

Deno.test("reportedPapers() prints the changes of a table among the paper's deviations, and adds nothing else", () => {
  const reported = (paper: Paper) => reportedPapers([paper], { records: [], suite: SUITE })[0];
  const [paper] = withChanges({ dataset: { heldOut: 0, trainExamples: null }, recipe: { batchSize: 16 } }).papers;
  assert.deepEqual(reported(paper!), {
    ...paper!,
    deviations: [
      ...paper!.deviations,
      "Table mec-bits, in place of the protocol's: heldOut 0, trainExamples all, batchSize 16",
    ],
  });
  for (const own of PAPERS.filter(({ tables }) => tables.every(({ changes }) => changes === undefined))) {
    assert.deepEqual(reported(own), own, own.id);
  }
});

const SIZES = { train: 1000, test: 100, imageShape: [32, 32, 3] as const };
const MISFITS: readonly (readonly [changes: TableChanges, says: string])[] = [
  [{ dataset: { heldOut: 1000 } }, "hold out 1000, train on the rest in batches of 256 and are tested on all"],
  [{ dataset: { heldOut: 745 } }, "hold out 745, train on the rest in batches of 256 and are tested on all"],
  [
    { dataset: { heldOut: 1, trainExamples: 1000 } },
    "hold out 1, train on 1000 of the rest in batches of 256 and are tested on all",
  ],
  [{ dataset: { trainExamples: 200 } }, "hold out 0, train on 200 of the rest in batches of 256 and are tested on all"],
  [{ dataset: { testExamples: 101 } }, "hold out 0, train on the rest in batches of 256 and are tested on 101"],
];

for (const [changes, says] of MISFITS) {
  Deno.test(`requireFit() refuses runs that ${says} of 1000 and 100`, () => {
    assert.throws(() => requireFit(planRuns(withChanges(changes)), () => SIZES), {
      name: "InputError",
      message:
        'Cannot run protocol paper on data set "cifar10" as it has 1000 training and 100 test images, and the runs ' +
        `${says}: give the paper's table \`changes\` of heldOut, trainExamples, batchSize or testExamples ` +
        "(docs/extending.md)",
    });
  });
}

Deno.test("requireFit() passes what just fits, and what is not known before it is loaded", () => {
  const dataset = { heldOut: 500, trainExamples: 256, testExamples: 100 };
  requireFit(planRuns(withChanges({ dataset })), () => SIZES);
  requireFit(planRuns(withChanges({ dataset: { heldOut: 744 } })), () => SIZES);
  requireFit(planRuns(withChanges({ dataset: { heldOut: 1e6 } })), () => null);
});
