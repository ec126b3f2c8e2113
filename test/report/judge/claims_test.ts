import assert from "node:assert/strict";
import { PAPERS } from "../../../benchmarks/mod.ts";
import { type ClaimResult, claimResults, OWN_FP } from "../../../src/report/judge/claims.ts";
import { claimBlocks } from "../../../src/report/pages/claims.ts";
import type { ArmTitle, Claim, Paper } from "../../../src/catalog/paper.ts";
import type { Measurement } from "../../../src/record/measurement.ts";
import type { RunRecord } from "../../../src/record/record.ts";
import { aggregateOf, PAGE, record, runs } from "../fixtures.ts";

const W2A2 = { weights: 2, activations: 2 } as const;

const CLAIM: Claim = {
  id: "good-lsq",
  statement: "Good beats LSQ by 1.50",
  source: "Table 1",
  quantity: { kind: "top1" },
  arm: "good",
  baseline: "lsq",
  relation: "above",
  dataset: "cifar10",
  models: ["resnet18"],
  bits: [W2A2],
  published: 1.5,
  open: null,
};

interface Ground {
  readonly claim?: Partial<Claim>;
  readonly page?: Partial<Paper<ArmTitle>>;
  readonly measurements?: readonly Measurement[];
}

function result(records: readonly RunRecord[], { claim, page, measurements = [] }: Ground = {}): ClaimResult {
  const own = { ...PAGE, ...page, claims: [{ ...CLAIM, ...claim }] };
  return claimResults(own, { aggregate: aggregateOf(records), measurements })[0]!;
}

const LSQ = runs({ arm: "lsq" }, [88, 88.3, 87.9]);
/** 1.4, 1.6, 1.5 above LSQ: sd 0.1, interval ± 0.248, next run ± 0.497. */
const GAIN = runs({ arm: "good" }, [89.4, 89.9, 89.4]);
/** 0.1, 0.0, 0.2 above LSQ. */
const SMALL = runs({ arm: "good" }, [88.1, 88.3, 88.1]);
const LOSS = runs({ arm: "good" }, [87, 87.2, 87]);

Deno.test("claimResults() of a claim without runs: not run", () => {
  assert.deepEqual(result(LSQ).verdict, { name: "not_run", reason: "no run of a cell of this claim" });
  assert.equal(result([record({ arm: "good", top1Percent: null })]).verdict.name, "not_run");
});

Deno.test("claimResults() of a claim whose size is found: reproduced", () => {
  const { verdict, evidence } = result([...LSQ, ...GAIN]);
  assert.equal(verdict.name, "reproduced");
  assert.equal(
    verdict.reason,
    "direction holds under protocol paper (ResNet-18, W2A2, n = 3: +1.50 [+1.25, +1.75])",
  );
  assert.deepEqual(evidence.map(({ isPapers, direction, isSmaller }) => ({ isPapers, direction, isSmaller })), [
    { isPapers: true, direction: "holds", isSmaller: false },
  ]);
});

Deno.test("claimResults() of a gain too small for the published one, and of a loss: not reproduced", () => {
  const small = result([...LSQ, ...SMALL]).verdict;
  assert.equal(small.name, "not_reproduced");
  assert.match(small.reason, /smaller than published: one run of ours reaches at most \+0\.60$/);
  const loss = result([...LSQ, ...LOSS]).verdict;
  assert.equal(loss.name, "not_reproduced");
  assert.match(
    loss.reason,
    /^direction fails under protocol paper \(ResNet-18, W2A2, n = 3: -1\.00 \[-1\.25, -0\.75\]\)$/,
  );
});

Deno.test("claimResults() of too few seeds, and of an interval around 0: inconclusive, with the seeds needed", () => {
  const few = result([...LSQ, ...GAIN.slice(0, 2)]).verdict;
  assert.equal(few.name, "inconclusive");
  assert.match(few.reason, /, 2 common seeds: 1 more seed needed$/);
  const wide = result([...LSQ, ...runs({ arm: "good" }, [87, 90.3, 88.4])]).verdict;
  assert.equal(wide.name, "inconclusive");
  assert.match(
    wide.reason,
    /^direction undecided under protocol paper .*, a new set of about \d+ seeds would decide, if the spread stays$/,
  );
});

Deno.test("claimResults() of a claim with a cell that did not run: inconclusive even where the others hold", () => {
  const { verdict } = result([...LSQ, ...GAIN], { claim: { models: ["resnet18", "mobilenetv2"] } });
  assert.equal(verdict.name, "inconclusive");
});

Deno.test("claimResults() of cells that ran on two engines: each counts once, and one that never ran is missed", () => {
  const onOneDnn = [
    ...runs({ arm: "lsq", engine: "onednn" }, [88, 88.3, 87.9]),
    ...runs({ arm: "good", engine: "onednn" }, [89.4, 89.9, 89.4]),
  ];
  const both = [...LSQ, ...GAIN, ...onOneDnn];
  assert.equal(result(both).verdict.name, "reproduced");
  assert.equal(result(both, { claim: { bits: [W2A2, { weights: 4, activations: 4 }] } }).verdict.name, "inconclusive");
});

Deno.test("claimResults() tests the direction alone under protocol reduced, on its own model, and says so", () => {
  const small = { protocol: "reduced", model: "resnet20" } as const;
  const records = [
    ...runs({ ...small, arm: "lsq" }, [80, 80.2, 79.9]),
    ...runs({ ...small, arm: "good" }, [80.5, 80.6, 80.5]),
  ];
  const { verdict, evidence } = result(records);
  assert.equal(verdict.name, "not_comparable");
  assert.equal(
    verdict.reason,
    "no run of protocol paper on a model of the claim; direction holds under protocol reduced " +
      "(ResNet-20, W2A2, n = 3: +0.50 [+0.25, +0.75])",
  );
  assert.equal(evidence[0]!.isSmaller, false, "sizes do not compare under another protocol");
});

Deno.test("claimResults() takes no evidence from smoke, other widths, or a data set that is not the claim's", () => {
  const smoke = { protocol: "smoke", model: "resnet8" } as const;
  const records = [
    ...runs({ ...smoke, arm: "lsq" }, [30, 31, 32]),
    ...runs({ ...smoke, arm: "good" }, [40, 41, 42]),
    ...runs({ arm: "good", bits: [4, 4] }, [90]),
  ];
  assert.equal(result(records).verdict.name, "not_run");
  assert.equal(result([...LSQ, ...GAIN], { claim: { dataset: "cifar100" } }).verdict.name, "not_run");
});

Deno.test("claimResults() of a stand-in or of a claim with open cells: not comparable, with the direction", () => {
  const arms = PAGE.arms.map((arm) => arm.id === "good" ? { ...arm, label: "stand-in" as const } : arm);
  const standIn = result([...LSQ, ...GAIN], { page: { arms } }).verdict;
  assert.equal(standIn.name, "not_comparable");
  assert.match(standIn.reason, /^the method is a stand-in; direction holds under protocol paper /);
  const open = result([...LSQ, ...GAIN], { claim: { open: "bits are not given" } }).verdict;
  assert.equal(open.name, "not_comparable");
  assert.match(open.reason, /^bits are not given; direction holds /);
});

Deno.test("claimResults() says where a gain over LSQ is none over a control", () => {
  const arms = PAGE.arms.map((arm) => arm.id === "good" ? { ...arm, controls: ["bad", "wide"] } : arm);
  // bad: 1.4, 1.6, 1.5 below Good, so the gain holds; wide: equal to Good but for noise
  const bad = runs({ arm: "bad" }, [88, 88.3, 87.9]), wide = runs({ arm: "wide" }, [89.3, 90, 89.4]);
  const { verdict, evidence } = result([...LSQ, ...GAIN, ...bad, ...wide], { page: { arms } });
  assert.deepEqual(evidence[0]!.controls.map(({ control, difference }) => [control.id, difference!.n]), [["bad", 3], [
    "wide",
    3,
  ]]);
  assert.match(verdict.reason, /, but not significantly above its control Wide \(\+0\.00 \[-0\.25, \+0\.25\]\)$/);
  assert.doesNotMatch(verdict.reason, /control Bad/);
});

Deno.test("claimResults() of `at least` allows its margin below the own full precision, and no more", () => {
  const teachers = runs({ arm: "fp", bits: null }, [90, 90.4, 90.1]);
  const claim = { baseline: OWN_FP, relation: "at_least", margin: 0.5, published: null } as const;
  const near = runs({ arm: "good" }, [89.9, 90.3, 89.95], teachers);
  assert.equal(result([...teachers, ...near], { claim }).verdict.name, "reproduced");
  assert.equal(result([...teachers, ...near], { claim: { ...claim, margin: 0 } }).verdict.name, "not_reproduced");
  const far = runs({ arm: "good" }, [89, 89.4, 89.05], teachers);
  assert.equal(result([...teachers, ...far], { claim }).verdict.name, "not_reproduced");
});

Deno.test("claimResults() without the own full precision: undecided, in words", () => {
  const { verdict } = result(GAIN, { claim: { baseline: OWN_FP } });
  assert.equal(verdict.name, "inconclusive");
  assert.match(verdict.reason, /, no run of the own full precision with a common seed$/);
});

function traced(record: RunRecord, trace: number, probes = 16): Measurement {
  return {
    schema: 1,
    name: "hessian_trace",
    options: { probes },
    run: record.id,
    spec: record.spec,
    values: { trace, standardError: 1, relativeTrace: 0, relativeStandardError: 0 },
    epochs: [],
    environment: record.environment,
    dataSha256: "0".repeat(64),
    seconds: 1,
  };
}

const FLATTER = {
  quantity: { kind: "measurement", name: "hessian_trace", quantity: "Tr H" },
  relation: "below",
  published: null,
} as const;

Deno.test("claimResults() tests a claim about a measurement on the measured runs, paired by seed", () => {
  const measurements = [
    ...LSQ.map((item, seed) => traced(item, 1000 + 100 * seed)),
    ...GAIN.map((item, seed) => traced(item, 700 + 110 * seed)),
  ];
  const { verdict } = result([...LSQ, ...GAIN], { claim: FLATTER, measurements });
  assert.equal(verdict.name, "reproduced");
  // -300, -290, -280: t interval ± 2.484 * 10
  assert.match(verdict.reason, /n = 3: -290 \[-314\.8, -265\.2\]\)$/);
});

Deno.test("claimResults() pairs no measurements of different options", () => {
  const measurements = [...LSQ.map((item) => traced(item, 1000, 64)), ...GAIN.map((item) => traced(item, 700))];
  const { verdict } = result([...LSQ, ...GAIN], { claim: FLATTER, measurements });
  assert.equal(verdict.name, "inconclusive");
  assert.match(verdict.reason, /, no run, measured alike, of lsq with a common seed$/);
});

Deno.test("claimResults() pairs no measurements on different data", () => {
  const elsewhere = GAIN.map((item) => ({ ...traced(item, 700), dataSha256: "11" }));
  const { verdict } = result([...LSQ, ...GAIN], {
    claim: FLATTER,
    measurements: [...LSQ.map((item) => traced(item, 1000)), ...elsewhere],
  });
  assert.match(verdict.reason, /, no run, measured alike, of lsq with a common seed$/);
});

Deno.test("claimResults() refuses a measurement without the number of the claim", () => {
  const claim = { ...FLATTER, quantity: { ...FLATTER.quantity, quantity: "Tr K" } };
  assert.throws(() => result([...LSQ, ...GAIN], { claim, measurements: [traced(GAIN[0]!, 1)] }), {
    name: "InputError",
    message: /^Cannot test claim good-lsq as hessian_trace of run \w+ has no number "Tr K": measure it again/,
  });
});

Deno.test("claimBlocks() has a row a claim and a row an evidence", () => {
  const page = { ...PAGE, claims: [CLAIM] };
  const blocks = claimBlocks(page, claimResults(page, { aggregate: aggregateOf([...LSQ, ...GAIN]), measurements: [] }));
  const tables = blocks.flatMap((block) => block.kind === "table" ? [block.rows] : []);
  assert.deepEqual(tables[0]![0]!.slice(0, 2), ["Good beats LSQ by 1.50", "Table 1"]);
  assert.deepEqual(tables[1], [[
    "good-lsq",
    "top-1: Good less LSQ",
    "paper",
    "ResNet-18",
    "W2A2",
    "3",
    "+1.50",
    "+1.50 [+1.25, +1.75]",
    "holds",
  ]]);
  const [legend] = blocks.flatMap((block) => block.kind === "paragraph" ? [JSON.stringify(block)] : []);
  assert.match(legend!, /under protocols full and reduced only the direction is tested, .* smoke .* never counts\./);
  assert.deepEqual(claimBlocks(PAGE, []), []);
});

Deno.test("a paper's claims have ids of their own, and are about arms and widths of its page", () => {
  for (const id of ["mec", "fpq", "cr"]) {
    assert.ok(PAPERS.find((paper) => paper.id === id)!.claims!.length > 0, id);
  }
  for (const { id, claims = [], tables, arms: rows } of PAPERS) {
    assert.equal(new Set(claims.map((claim) => claim.id)).size, claims.length, id);
    const arms = new Set(rows.map((arm) => arm.id));
    for (const claim of claims) {
      assert.ok(arms.has(claim.arm), `${claim.id}: ${claim.arm}`);
      assert.ok(claim.baseline === OWN_FP || arms.has(claim.baseline), `${claim.id}: ${claim.baseline}`);
      assert.ok(
        tables.some(({ dataset, arms, bits }) =>
          dataset === claim.dataset && arms.some(({ id }) => id === claim.arm) &&
          claim.bits.some((own) =>
            bits.some((other) => other.weights === own.weights && other.activations === own.activations)
          )
        ),
        `${claim.id} is about a cell of a table`,
      );
    }
  }
});

Deno.test("FPQ's claims have the sizes that the paper prints", () => {
  const claims = PAPERS.find(({ id }) => id === "fpq")!.claims!;
  const size = (id: string) => claims.find((claim) => claim.id === id)!.published;
  assert.equal(size("fpq-lsq-cifar10-resnet18-w2a2"), 0.51); // 88.11 - 87.60
  assert.equal(size("fpq-lsq-cifar100-resnet18-w2a2"), -0.07); // 71.73 - 71.80
  assert.equal(size("fpq_csd-lsq-cifar10-resnet18-w2a4"), 1.3); // 89.66 - 88.36
  assert.equal(size("fpq-lsq_sam-cifar10-mobilenetv2-w4a4"), 0.81); // 85.53 - 84.72
});
