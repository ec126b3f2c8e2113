import assert from "node:assert/strict";
import { type Block, cellText } from "../../../src/report/pages/blocks.ts";
import { leftOutItems } from "../../../src/report/pages/paper.ts";
import { resultBlocks, statisticsBlocks } from "../../../src/report/pages/results.ts";
import { reportSections, type ReportTable } from "../../../src/report/judge/tables.ts";
import type { ArmTitle, Paper } from "../../../src/catalog/paper.ts";
import { REVISED, revisionOf } from "../../../src/catalog/revisions.ts";
import type { RunRecord } from "../../../src/record/record.ts";
import { aggregateOf, PAGE, record, runs } from "../fixtures.ts";

const LSQ = runs({ arm: "lsq" }, [88, 88.3, 87.9]);
const GOOD = runs({ arm: "good" }, [89.4, 89.9, 89.4]);
const FP = runs({ arm: "fp", bits: null }, [92, 92.2, 91.9]);

function tableOf(records: readonly RunRecord[], page: Paper<ArmTitle> = PAGE): ReportTable {
  return reportSections(page, aggregateOf(records)).find(({ protocol }) => protocol === "paper")!.tables[0]!;
}

function rowOf(records: readonly RunRecord[], arm: string, page?: Paper<ArmTitle>) {
  return tableOf(records, page).rows.find((row) => row.arm.id === arm && row.weightBits === 2)!;
}

Deno.test("a row has every seed's value, its run and its difference to LSQ", () => {
  const { seeds, differenceToLsq } = rowOf([...LSQ, ...GOOD], "good");
  assert.deepEqual(seeds, GOOD.map(({ id }, seed) => ({ seed, run: id, top1Percent: [89.4, 89.9, 89.4][seed] })));
  assert.deepEqual(differenceToLsq!.pairs, [
    { seed: 0, difference: 1.4 },
    { seed: 1, difference: 1.6 },
    { seed: 2, difference: 1.5 },
  ]);
});

Deno.test("a row has LSQ's mean over the common seeds where either row's own mean is over others too", () => {
  const lsqOf = (records: readonly RunRecord[]) => rowOf(records, "good").lsqOnSameSeeds;
  assert.equal(lsqOf([...LSQ, ...GOOD]), null);
  assert.equal(lsqOf([...LSQ, ...GOOD.slice(0, 2)]), 88.15, "LSQ has a seed more");
  assert.equal(lsqOf([...LSQ.slice(0, 2), ...GOOD]), 88.15, "Good has a seed more");
  assert.equal(lsqOf(GOOD), null);
  const column = "LSQ over the seeds of the difference";
  const result = (records: readonly RunRecord[]) => {
    const [block] = resultBlocks(tableOf(records)) as [Extract<Block, { kind: "table" }>];
    const place = block.columns.findIndex(({ title }) => title === column);
    return place < 0 ? null : block.rows.map((row) => cellText(row[place]!)).filter((text) => text !== "");
  };
  assert.equal(result([...LSQ, ...GOOD]), null);
  assert.deepEqual(result([...LSQ, ...GOOD.slice(0, 2)]), ["88.15"]);
});

Deno.test("a published cell is compared with the model that its table names for the network, and with no other", () => {
  const tables = PAGE.tables.map((table) => ({ ...table, networks: { resnet18: "resnet20" } })),
    page = { ...PAGE, tables };
  const own = { model: "resnet20" }, lsq = runs({ ...own, arm: "lsq" }, [88, 88.3, 87.9]);
  const rows = (records: readonly RunRecord[]) => tableOf(records, page).rows.filter(({ arm }) => arm.id === "good");
  const fits = rows([...lsq, ...runs({ ...own, arm: "good" }, [89.4, 89.9, 89.4])]);
  assert.deepEqual(fits.map(({ model, weightBits, published, n }) => [model, weightBits, published?.top1Percent, n]), [
    ["resnet20", 4, 89, 0],
    ["resnet20", 2, 87.5, 3],
  ]);
  assert.equal(fits[1]!.verdict.name, "reproduced");
  const other = rows([...LSQ, ...GOOD]).find(({ model }) => model === "resnet18")!;
  assert.deepEqual([other.published, other.verdict.name], [null, "not_comparable"]);
  assert.match(other.verdict.reason, /^ResNet-18 is not a model of the paper's table/);
});

Deno.test("in a table without published numbers, the models that it plans are the paper's, and no other is", () => {
  const page = { ...PAGE, published: [], tables: PAGE.tables.map((table) => ({ ...table, models: ["resnet18"] })) };
  const reasonOf = (model: string) =>
    tableOf([...LSQ, ...runs({ arm: "good", model }, [89])], page).rows.find(({ arm }) => arm.id === "good")!.verdict
      .reason;
  assert.match(reasonOf("resnet18"), /^the paper has no such cell/);
  assert.match(reasonOf("resnet20"), /^ResNet-20 is not a model of the paper's table/);
});

Deno.test("differences that are equal but for the rounding of a subtraction have no spread", () => {
  // 88.3 - 87.9 and 80.5 - 80.1 differ by 1e-14
  const lsq = runs({ arm: "lsq" }, [87.9, 80.1, 55.5]), good = runs({ arm: "good" }, [88.3, 80.5, 55.9]);
  const { differenceToLsq, verdict } = rowOf([...lsq, ...good], "good");
  assert.equal(differenceToLsq!.sd, 0);
  assert.deepEqual(verdict, {
    name: "inconclusive",
    reason: "all 3 differences are +0.40: no spread to judge by",
  });
});

Deno.test("a row is compared with each control of its arm over the seeds that both have", () => {
  const arms = PAGE.arms.map((arm) => arm.id === "good" ? { ...arm, controls: ["bad", "wide"] } : arm);
  const records = [...LSQ, ...GOOD, ...runs({ arm: "bad" }, [89, 89.4])];
  const { differencesToControls } = rowOf(records, "good", { ...PAGE, arms });
  assert.deepEqual(
    differencesToControls.map((
      { control, difference },
    ) => [control.id, difference?.n ?? null, difference?.mean ?? null]),
    [["bad", 2, 0.45], ["wide", null, null]],
  );
});

Deno.test("a verdict tells what is lost or not traceable on either side, and how many seeds are common", () => {
  const lost = [3, 4].map((seed) => record({ arm: "lsq", seed, status: "diverged", top1Percent: null }));
  const dirty = LSQ.map((item) => ({ ...item, environment: { ...item.environment, dirty: true } }));
  const more = runs({ arm: "good" }, [89.4, 89.9, 89.4, 89.5, 89.6]);
  const { verdict } = rowOf([...dirty, ...lost, ...more], "good");
  assert.match(
    verdict.reason,
    /; only 3 of 5 seeds are common; LSQ: 2 of 5 runs did not finish and are left out; LSQ: 3 of 3 runs of a checkout/,
  );
});

Deno.test("runs that started from two trainings of a teacher, or ran on other data, are no pair", () => {
  const started = (arm: string, digests: readonly string[]) =>
    runs({ arm }, [88, 88.3, 87.9], FP).map((item, seed) => ({ ...item, teacherSha256: digests[seed]!.repeat(64) }));
  const records = [...started("lsq", ["a", "b", "c"]), ...started("good", ["a", "b", "d"])];
  assert.deepEqual(rowOf(records, "good").differenceToLsq!.pairs.map(({ seed }) => seed), [0, 1]);
  const moved = LSQ.map((item) => ({ ...item, dataSha256: "e".repeat(64) }));
  const good = GOOD.map((item) => ({ ...item, dataSha256: "f".repeat(64) }));
  assert.equal(rowOf([...moved, ...good], "good").differenceToLsq, null);
  assert.throws(
    () => aggregateOf([LSQ[0]!, { ...moved[1]!, dataSha256: "0".repeat(64) }, moved[2]!]),
    /as their data must be the same bytes: SHA-256 is /,
  );
});

/** Good's and LSQ's seeds with a common start, and Good's seeds with a gap to full precision. */
function paired(good: readonly RunRecord[], others: readonly RunRecord[]): [number[], number[]] {
  const { differenceToLsq, gapToFp } = rowOf([...good, ...others], "good");
  const seeds = (difference: typeof gapToFp) => difference?.pairs.map(({ seed }) => seed) ?? [];
  return [seeds(differenceToLsq), seeds(gapToFp)];
}

Deno.test("a student whose teacher is another seed's or missing is in no pair, unless digests prove the start", () => {
  const lsq = runs({ arm: "lsq" }, [88, 88.3, 87.9], FP), good = runs({ arm: "good" }, [89.4, 89.9, 89.3], FP);
  assert.deepEqual(paired(good, [...FP, ...lsq]), [[0, 1, 2], [0, 1, 2]]);
  const crossed = [...good.slice(0, 2), record({ arm: "good", seed: 2, top1Percent: 89.3, teacher: FP[0]!.id })];
  assert.deepEqual(paired(crossed, [...FP, ...lsq]), [[0, 1], [0, 1]], "Good's seed 2 started from seed 0");
  const both = [...lsq.slice(0, 2), record({ arm: "lsq", seed: 2, top1Percent: 87.9, teacher: FP[0]!.id })];
  assert.deepEqual(paired(crossed, [...FP, ...both]), [[0, 1], [0, 1]], "both of seed 2 started from seed 0");
  assert.deepEqual(paired(good, [...FP.slice(0, 2), ...lsq]), [[0, 1], [0, 1]], "the start of seed 2 is missing");
  assert.deepEqual(paired(runs({ arm: "good" }, [89.4]), [...FP, ...lsq]), [[], []], "Good started from no network");
  const proven = (items: readonly RunRecord[]) => items.map((item) => ({ ...item, teacherSha256: "a".repeat(64) }));
  assert.deepEqual(paired(proven(good.slice(2)), [...FP.slice(0, 2), ...proven(lsq.slice(2))]), [[2], []]);
  assert.deepEqual(paired(proven(crossed.slice(2)), [...FP, ...proven(both.slice(2))]), [[], []], "seed 0's, proven");
});

Deno.test("a teacher on other data than its student is no pair of it", () => {
  const good = runs({ arm: "good" }, [89.4, 89.9], FP), moved = { ...FP[1]!, dataSha256: "e".repeat(64) };
  assert.deepEqual(paired(good, [FP[0]!])[1], [0]);
  const other = good.map((run) => ({ ...run, dataSha256: "e".repeat(64) }));
  assert.deepEqual(paired(other, [FP[0]!, FP[1]!])[1], []);
  assert.deepEqual(paired(other, [moved])[1], [1]);
});

Deno.test("Holm's correction is over the rows of a table with 3 common seeds", () => {
  const records = [
    ...LSQ,
    ...GOOD,
    ...runs({ arm: "bad" }, [88.1, 88.35, 88.05]),
    ...runs({ arm: "wide" }, [87, 90.3]),
  ];
  const [good, bad, wide] = ["good", "bad", "wide"].map((arm) => rowOf(records, arm));
  assert.deepEqual([good!.holmRows, bad!.holmRows], [2, 2]);
  assert.ok(good!.differenceToLsq!.tTestP! < bad!.differenceToLsq!.tTestP!);
  assert.equal(good!.holmP, 2 * good!.differenceToLsq!.tTestP!);
  assert.equal(bad!.holmP, bad!.differenceToLsq!.tTestP!);
  assert.equal(wide!.holmP, null);
});

Deno.test("an arm over the whole table: only cells and seeds that it shares with LSQ, and at least 2 cells", () => {
  const wide = { bits: [4, 4] } as const;
  const records = [
    ...LSQ,
    ...runs({ arm: "lsq", ...wide }, [90, 90.2]),
    ...GOOD,
    ...runs({ arm: "good", ...wide }, [90.1, 90.1, 99]), // LSQ has no seed 2 here
    ...runs({ arm: "bad" }, [88, 88, 88]),
  ];
  const { suites } = tableOf(records);
  assert.deepEqual(suites.map(({ arm, summary }) => [arm.id, summary.tasks, summary.runs]), [["good", 2, 5]]);
  const [{ summary }] = suites as [ReportTable["suites"][number]];
  // differences sorted: -0.1, 0.1, 1.4, 1.5, 1.6; the interquartile mean is without one at each end
  assert.ok(Math.abs(summary.iqm - (0.1 + 1.4 + 1.5) / 3) < 1e-9);
  assert.ok(Math.abs(summary.meanDifference - 4.5 / 5) < 1e-9);
  // W2A2: 9 of 9 above; W4A4: 90.1 > 90, 90.1 < 90.2, twice: 2 of 4
  assert.equal(summary.probabilityOfImprovement, (1 + 0.5) / 2);
});

function commits(records: readonly RunRecord[], of: readonly (string | null)[]): RunRecord[] {
  return records.map((item, index) => ({ ...item, environment: { ...item.environment, commit: of[index]! } }));
}

Deno.test("a row marks runs before the revision of their quantizer that the code has", () => {
  const revised = (
    fields: { quantizer: string; quantizerRevision?: number },
  ) => [
    ...LSQ,
    ...GOOD.map((run) => ({ ...run, spec: { ...run.spec, quantization: { ...run.spec.quantization!, ...fields } } })),
  ];
  const [name] = REVISED, revision = revisionOf(name!);
  assert.deepEqual(rowOf(revised({ quantizer: name! }), "good").flags, [
    `runs before revision ${revision} of quantizer ${name}`,
  ]);
  assert.deepEqual(rowOf(revised({ quantizer: name!, quantizerRevision: revision }), "good").flags, []);
});

Deno.test("a row marks runs on a GPU, and pairs of a GPU and a CPU, and its verdict says so", () => {
  const onGpu = (run: RunRecord) => ({ ...run, environment: { ...run.environment, device: "gpu" } });
  const mixed = rowOf([...LSQ, ...GOOD.map((run, i) => i === 0 ? onGpu(run) : run)], "good");
  assert.deepEqual(mixed.flags, ["1 of 3 runs on a GPU", "1 of 3 pairs with LSQ are of a GPU and a CPU"]);
  assert.match(mixed.verdict.reason, /; 1 of 3 runs on a GPU; 1 of 3 pairs with LSQ are of a GPU and a CPU$/);
  assert.deepEqual(rowOf([...LSQ, ...GOOD].map(onGpu), "good").flags, ["3 of 3 runs on a GPU"]);
  const otherData = GOOD.map((run) => ({ ...onGpu(run), dataSha256: "other" }));
  const apart = rowOf([...LSQ.map((run) => ({ ...run, dataSha256: "one" })), ...otherData], "good");
  assert.deepEqual([apart.differenceToLsq, apart.flags], [null, ["3 of 3 runs on a GPU"]]);
});

Deno.test("a row marks runs that were resumed on another processor, not on another commit or after such a teacher", () => {
  const resumed = (change: Partial<RunRecord["environment"]>) => {
    const [first, ...rest] = GOOD, earlier = { ...first!.environment, ...change };
    return rowOf(
      [...LSQ, { ...first!, earlierEnvironments: [earlier], otherEnvironments: [earlier] }, ...rest],
      "good",
    );
  };
  const mark = "1 of 3 runs stopped and resumed on another processor";
  for (const change of [{ cpu: "Another, 2 cores" }, { versions: { isa: "AVX2" } }, { device: "gpu" }]) {
    assert.deepEqual(resumed(change).flags, [mark], JSON.stringify(change));
  }
  assert.match(resumed({ device: "gpu" }).verdict.reason, new RegExp(`; ${mark}`));
  assert.deepEqual(resumed({ commit: "b".repeat(40) }).flags, []);
  const [first, ...rest] = GOOD, other = { ...first!.environment, cpu: "Another, 2 cores" };
  const ofTeacher = { ...first!, spec: { ...first!.spec, teacher: "0".repeat(16) }, otherEnvironments: [other] };
  assert.deepEqual(rowOf([...LSQ, ofTeacher, ...rest], "good").flags.filter((flag) => flag === mark), []);
});

Deno.test("a row marks uncommitted changes, unknown commits and several commits, and its verdict says so", () => {
  const dirty = [record({ arm: "good", seed: 0, top1Percent: 89.4, dirty: true }), ...GOOD.slice(1)];
  const one = rowOf([...LSQ, ...dirty], "good");
  assert.deepEqual(one.flags, ["1 of 3 runs of a checkout with uncommitted changes"]);
  assert.match(one.verdict.reason, /; 1 of 3 runs of a checkout with uncommitted changes$/);
  assert.deepEqual(rowOf([...LSQ, ...commits(GOOD, ["a", "b", null])], "good").flags, [
    "1 of 3 runs of no known commit",
    "runs of 2 commits",
  ]);
  assert.deepEqual(rowOf([...LSQ, ...GOOD], "good").flags, []);
});

Deno.test("an arm with a part replaced and a trial enter no cell of a paper, and trials are counted", () => {
  const records = [
    ...LSQ,
    ...GOOD,
    record({ arm: "good@pact", seed: 7, top1Percent: 1 }),
    record({ arm: "good@pact", seed: 8, top1Percent: null }),
    record({ arm: "nobody@pact" }),
    record({ arm: "good", seed: 9, top1Percent: 1, evaluateOn: "heldOut" }),
  ];
  assert.equal(rowOf(records, "good").n, 3);
  assert.ok(tableOf(records).rows.every(({ arm }) => !arm.id.includes("@")));
  assert.deepEqual(leftOutItems(PAGE, aggregateOf(records)), [
    "1 run on held-out training images, which choose hyper-parameters and are no result",
  ]);
  assert.deepEqual(leftOutItems(PAGE, aggregateOf([...LSQ, ...GOOD])), []);
});

Deno.test("statisticsBlocks() shows seeds, tests, controls and marks", () => {
  const arms = PAGE.arms.map((arm) => arm.id === "good" ? { ...arm, controls: ["bad"] } : arm);
  const dirty = [record({ arm: "good", seed: 0, top1Percent: 89.4, dirty: true }), ...GOOD.slice(1)];
  const records = [...LSQ, ...dirty, ...runs({ arm: "bad" }, [89, 89.4, 89.1])];
  const blocks = statisticsBlocks(tableOf(records, { ...PAGE, arms }));
  const tables = blocks.filter((block): block is Extract<Block, { kind: "table" }> => block.kind === "table");
  const row = (table: number, method: string) =>
    tables[table]!.rows.map((cells) => cells.map(cellText)).find((cells) => cells[2] === method)!;
  assert.deepEqual(row(0, "Good").slice(3, 8), [
    "0: 89.40, 1: 89.90, 2: 89.40",
    "0: +1.40, 1: +1.60, 2: +1.50",
    "[+1.40, +1.60]",
    "0.250",
    "0.001",
  ]);
  assert.deepEqual(row(0, "LSQ").slice(3), ["0: 88.00, 1: 88.30, 2: 87.90", "", "", "", "", ""]);
  assert.deepEqual(row(1, "Good").slice(3, 5), ["Bad", "3"]);
  assert.deepEqual(blocks.at(-1), {
    kind: "list",
    items: ["Good, ResNet-18, W2A2: 1 of 3 runs of a checkout with uncommitted changes"],
  });
  assert.deepEqual(statisticsBlocks(tableOf([])), []);
});
