import assert from "node:assert/strict";
import { crPaper as cr } from "../../benchmarks/cr/paper.ts";
import { fpqPaper as fpq } from "../../benchmarks/fpq/paper.ts";
import { mecPaper as mec } from "../../benchmarks/mec/paper.ts";
import { PAPERS } from "../../benchmarks/mod.ts";
import { type Bits, formatBits } from "../../src/catalog/bits.ts";
import { type Anomaly, modelFor, type Paper, type PublishedCell, type Table } from "../../src/catalog/paper.ts";
import { modelTitle } from "../../src/catalog/titles.ts";
import { MODELS } from "../../src/nn/mod.ts";
import { OWN_FP } from "../../src/report/judge/claims.ts";

/** Tables 4 and 5 of arXiv:2503.11159v1, transcribed a second time, apart from benchmarks/fpq/published.ts. */
const FPQ_MAIN_TABLES = {
  table4: `
| W/A | method | Res18 | Res50 | MBV1  | MBV2  |
| --- | ------ | ----- | ----- | ----- | ----- |
| FP  | FP     | 88.72 | 89.95 | 85.52 | 85.81 |
| 4/4 | PACT   | 88.15 | 85.27 | 80.77 | 79.88 |
| 4/4 | LSQ    | 86.69 | 90.01 | 82.39 | 84.45 |
| 4/4 | LSQ+   | 88.40 | 90.30 | 84.32 | 84.30 |
| 4/4 | KD     | 88.86 | 90.34 | 84.77 | 83.79 |
| 4/4 | FPQ    | 90.16 | 90.62 | 84.94 | 85.53 |
| 2/4 | PACT   | 87.55 | 85.24 | 69.04 | 67.18 |
| 2/4 | LSQ    | 88.36 | 90.01 | 78.15 | 78.15 |
| 2/4 | LSQ+   | 87.76 | 89.62 | 81.26 | 77.00 |
| 2/4 | KD     | 88.83 | 90.18 | 78.84 | 75.56 |
| 2/4 | FPQ    | 89.92 | 90.39 | 81.45 | 79.33 |
| 2/2 | PACT   | 76.90 | 64.94 | 11.71 | 10.58 |
| 2/2 | LSQ    | 87.60 | 87.79 | 75.29 | 70.32 |
| 2/2 | LSQ+   | 87.60 | 86.10 | 74.22 | 72.18 |
| 2/2 | KD     | 88.06 | 89.20 | 68.62 | 67.15 |
| 2/2 | FPQ    | 88.11 | 89.40 | 76.25 | 73.00 |`,
  table5: `
| W/A | method | Res18 | Res50 | MBV1  | MBV2  |
| --- | ------ | ----- | ----- | ----- | ----- |
| FP  | FP     | 75.40 | 78.94 | 70.22 | 71.30 |
| 4/4 | PACT   | 74.17 | 74.78 | 64.65 | 64.06 |
| 4/4 | LSQ    | 75.30 | 78.20 | 68.63 | 69.01 |
| 4/4 | LSQ+   | 74.50 | 77.39 | 67.89 | 68.25 |
| 4/4 | KD     | 74.70 | 78.80 | 70.96 | 71.66 |
| 4/4 | FPQ    | 75.84 | 78.80 | 67.55 | 68.24 |
| 2/4 | PACT   | 73.77 | 74.72 | 49.98 | 57.90 |
| 2/4 | LSQ    | 74.93 | 77.82 | 65.13 | 66.15 |
| 2/4 | LSQ+   | 73.90 | 76.61 | 65.28 | 66.24 |
| 2/4 | KD     | 74.35 | 77.34 | 66.90 | 63.77 |
| 2/4 | FPQ    | 75.77 | 78.11 | 64.68 | 65.35 |
| 2/2 | PACT   | 65.16 | 4.26  | 3.25  | 8.39  |
| 2/2 | LSQ    | 71.80 | 62.79 | 55.53 | 31.08 |
| 2/2 | LSQ+   | 71.25 | 64.21 | 55.56 | 30.08 |
| 2/2 | KD     | 73.13 | 63.16 | 55.37 | 28.56 |
| 2/2 | FPQ    | 71.73 | 65.23 | 58.46 | 33.16 |`,
} as const;

/** Tables 1 to 3 of the same paper, all on CIFAR-10. */
const FPQ_SMALL_TABLES = `
| table  | arm     | model       | W/A | top-1 |
| ------ | ------- | ----------- | --- | ----- |
| table1 | lsq_sam | resnet18    | 4/4 | 89.75 |
| table1 | lsq_sam | mobilenetv2 | 4/4 | 84.72 |
| table2 | lsq     | resnet18    | 2/4 | 88.36 |
| table2 | fpq_sfp | resnet18    | 2/4 | 89.30 |
| table2 | fpq_csd | resnet18    | 2/4 | 89.66 |
| table2 | fpq     | resnet18    | 2/4 | 89.92 |
| table3 | fpq_csd | resnet18    | 2/4 | 89.66 |
| table3 | fpq     | resnet18    | 2/4 | 89.92 |
| table3 | fpq_p03 | resnet18    | 2/4 | 89.90 |
| table3 | fpq_p05 | resnet18    | 2/4 | 89.83 |
| table3 | fpq_p07 | resnet18    | 2/4 | 89.59 |
| table3 | fpq_p09 | resnet18    | 2/4 | 89.68 |
| table3 | fpq_p1  | resnet18    | 2/4 | 89.48 |`;

const ARMS: Readonly<Record<string, string>> = {
  FP: "fp",
  PACT: "pact",
  LSQ: "lsq",
  "LSQ+": "lsq_plus",
  KD: "kd",
  FPQ: "fpq",
};
const FPQ_MODELS = ["resnet18", "resnet50", "mobilenetv1", "mobilenetv2"];

/** The body of a Markdown table. */
function bodyOf(markdown: string): string[][] {
  return markdown.trim().split("\n").slice(2).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

/** `table dataset model arm W/A number` of each cell, sorted. */
function lines(cells: readonly PublishedCell[]): string[] {
  return cells.map(({ table, dataset, model, arm, weightBits, activationBits, top1Percent }) => {
    const bits = weightBits === null ? "FP" : `${weightBits}/${activationBits}`;
    return `${table} ${dataset} ${model} ${arm} ${bits} ${top1Percent}`;
  }).sort();
}

function transcribed(): string[] {
  const main = Object.entries(FPQ_MAIN_TABLES).flatMap(([table, markdown]) =>
    bodyOf(markdown).flatMap(([bits, method, ...numbers]) =>
      numbers.map((number, column) =>
        `${table} ${table === "table4" ? "cifar10" : "cifar100"} ${FPQ_MODELS[column]} ${ARMS[method!]} ${bits} ${
          Number(number)
        }`
      )
    )
  );
  const small = bodyOf(FPQ_SMALL_TABLES).map(([table, arm, model, bits, number]) =>
    `${table} cifar10 ${model} ${arm} ${bits} ${Number(number)}`
  );
  return [...main, ...small].sort();
}

/** The cells that an anomaly touches. */
function touched(paper: Paper, { touches }: Anomaly): PublishedCell[] {
  return paper.published.filter((cell) =>
    touches.some((fields) =>
      Object.entries(fields).every(([name, value]) => cell[name as keyof PublishedCell] === value)
    )
  );
}

function value(table: string, model: string, arm: string, bits: string): number {
  const found = lines(fpq.published).find((line) =>
    line.startsWith(`${table} `) && line.includes(` ${model} ${arm} ${bits} `)
  );
  assert.ok(found, `${table} ${model} ${arm} ${bits}`);
  return Number(found.split(" ").at(-1));
}

Deno.test("the published cells of FPQ are those of a second transcription of its tables 1 to 5", () => {
  assert.equal(fpq.published.length, 2 * 16 * 4 + 13);
  assert.deepEqual(lines(fpq.published), transcribed());
});

Deno.test("every published cell of FPQ names its table as its source and is known", () => {
  for (const { table, source, reason } of fpq.published) {
    assert.equal(source, `arXiv:2503.11159v1, Table ${table.slice("table".length)}`);
    assert.equal(reason, null);
  }
});

Deno.test("the anomalies of FPQ are true of its cells and touch them", () => {
  assert.equal(fpq.anomalies.length, 7);
  const touching = fpq.anomalies.map((anomaly) => touched(fpq, anomaly).length);
  // W4A4 on ResNet-18: 5 arms and SAM; four (model, bits) of 5 arms; all of CIFAR-10: 64 and 13; FPQ twice; FPQ four times; and once more;
  // LSQ in tables 4 and LSQ+, KD and FPQ
  assert.deepEqual(touching, [6, 20, 77, 2, 4, 5, 4]);
  assert.ok(value("table4", "resnet18", "lsq", "4/4") < value("table4", "resnet18", "lsq", "2/2"));
  assert.equal(value("table4", "mobilenetv1", "lsq", "2/4"), value("table4", "mobilenetv2", "lsq", "2/4"));
  assert.equal(value("table4", "resnet50", "lsq", "4/4"), value("table4", "resnet50", "lsq", "2/4"));
  assert.equal(value("table4", "resnet18", "fp", "FP"), 88.72);
  const gain = (table: string) => value(table, "resnet18", "fpq", "2/2") - value(table, "resnet18", "lsq", "2/2");
  assert.equal(gain("table4").toFixed(2), "0.51");
  assert.equal(gain("table5").toFixed(2), "-0.07");
  for (const model of ["mobilenetv1", "mobilenetv2"]) {
    for (const bits of ["4/4", "2/4"]) {
      assert.ok(value("table5", model, "fpq", bits) < value("table5", model, "lsq", bits), `${model} ${bits}`);
      const others = ["kd", "lsq_plus"].map((arm) => value("table5", model, arm, bits));
      assert.ok(value("table5", model, "fpq", bits) < Math.max(...others), `${model} ${bits}`);
    }
  }
  const below = (model: string, bits: string) =>
    (value("table5", model, "kd", bits) - value("table5", model, "fpq", bits)).toFixed(2);
  assert.deepEqual([below("mobilenetv2", "4/4"), below("resnet18", "2/2")], ["3.42", "1.40"]);
  assert.equal(value("table4", "resnet18", "lsq", "2/2"), value("table4", "resnet18", "lsq_plus", "2/2"));
  assert.equal(value("table5", "resnet50", "kd", "4/4"), value("table5", "resnet50", "fpq", "4/4"));
});

Deno.test("every cell of MEC-Quant and CR is unknown and says why", () => {
  for (const { top1Percent, reason, source } of [...mec.published, ...cr.published]) {
    assert.equal(top1Percent, null);
    assert.match(reason ?? "", /read/);
    assert.match(source, /abstract$/);
  }
  const ofMec = (table: string) =>
    lines(mec.published.filter((cell) => cell.table === table)).map((line) => line.split(" ").slice(2, 5).join(" "));
  assert.deepEqual(
    ofMec("mec-bits"),
    ["fp FP", "lsq 2/1", "lsq 2/2", "lsq 2/4", "lsq 4/4", "mec 2/1", "mec 2/2", "mec 2/4", "mec 4/4"].map((cell) =>
      `resnet18 ${cell}`
    ),
  );
  assert.deepEqual(ofMec("mec-ablation"), []);
  assert.deepEqual([...new Set(cr.published.map(({ arm }) => arm))], ["fp", "lsq", "cr"]);
});

Deno.test("CR's two published differences have no bits and no baseline", () => {
  assert.deepEqual(
    cr.publishedDifferences.map((
      { model, differencePoints, baseline, weightBits, activationBits },
    ) => [model, differencePoints, baseline, weightBits, activationBits]),
    [["resnet18", 3.79, null, null, null], ["mobilenet", 3.84, null, null, null]],
  );
});

Deno.test("a reconstruction and a stand-in say so on their pages and arms", () => {
  assert.match(mec.caveat ?? "", /^Reconstruction: /);
  assert.match(cr.caveat ?? "", /^Stand-in: /);
  for (const { id, label } of mec.arms) assert.equal(label, id.startsWith("mec") ? "reconstruction" : null, id);
  assert.equal(cr.arms.find(({ id }) => id === "cr")?.label, "stand-in");
});

for (const paper of PAPERS) {
  Deno.test(`paper ${paper.id}: every cell stands in one of its tables, once`, () => {
    const keys = lines(paper.published).map((line) => line.split(" ").slice(0, 5).join(" "));
    assert.equal(new Set(keys).size, keys.length);
    for (const cell of paper.published) {
      const table = paper.tables.find(({ id }) => id === cell.table);
      assert.ok(table, cell.table);
      assert.equal(table.dataset, cell.dataset);
      assert.ok(table.arms.some(({ id }) => id === cell.arm), `${cell.arm} in ${cell.table}`);
    }
  });

  Deno.test(`paper ${paper.id}: its arms are those of its tables, each once and everywhere in one order`, () => {
    const ids = paper.arms.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(new Set(paper.tables.flatMap(({ arms }) => arms)), new Set(paper.arms));
    for (const { id, arms } of paper.tables) {
      assert.deepEqual(arms, paper.arms.filter((arm) => arms.includes(arm)), id);
    }
  });
}

/** True if runs can be of it. */
function isModel(name: string): boolean {
  return MODELS.some((model) => model.name === name);
}

function hasBits(table: Table, { weights, activations }: Bits): boolean {
  return table.bits.some((bits) => bits.weights === weights && bits.activations === activations);
}

/** Typing errors in the tables and cells of a paper, one sentence each. */
function cellErrors({ tables, arms, published, publishedDifferences }: Paper): string[] {
  const unknown = (name: string) => !isModel(name) && modelTitle(name) === name;
  const ids = arms.map(({ id }) => id);
  return [
    ...tables.flatMap(({ id, models, networks }) =>
      [...models, ...Object.values(networks ?? {})].filter((name) => !isModel(name))
        .map((name) => `table ${id}: model ${name} is unknown`)
    ),
    ...published.flatMap((cell) => {
      const { model, weightBits: weights, activationBits: activations, top1Percent: top1 } = cell;
      const where = `cell ${lines([cell])[0]}`, table = tables.find(({ id }) => id === cell.table);
      return [
        ...unknown(model) || (table && unknown(modelFor(table, cell))) ? [`${where}: model ${model} is unknown`] : [],
        ...top1 === null || (top1 >= 0 && top1 <= 100) ? [] : [`${where}: ${top1} is not between 0 and 100`],
        ...weights === null || (table && hasBits(table, { weights, activations: activations! }))
          ? []
          : [`${where}: its table has no such bits`],
      ];
    }),
    ...publishedDifferences.flatMap(({ model, arm, baseline }) => [
      ...unknown(model) ? [`difference of ${arm}: model ${model} is unknown`] : [],
      ...[arm, baseline].filter((id) => id !== null && !ids.includes(id))
        .map((id) => `difference of ${arm}: the paper has no arm ${id}`),
    ]),
  ];
}

/** Typing errors in the claims and tolerances of a paper, one sentence each. */
function claimErrors({ tables, arms, claims = [], tolerances = [] }: Paper): string[] {
  const ids = arms.map(({ id }) => id), claimIds = claims.map(({ id }) => id);
  const isAbsent = (arm: string) => !ids.includes(arm);
  return [
    ...claimIds.filter((id, i) => claimIds.indexOf(id) !== i).map((id) => `claim ${id} stands there twice`),
    ...claims.flatMap(({ id, arm, baseline, dataset, models, bits }) => [
      ...[arm, baseline].filter((name) => name !== OWN_FP && isAbsent(name)).map((name) =>
        `claim ${id}: the paper has no arm ${name}`
      ),
      ...arm === OWN_FP ? [`claim ${id}: ${OWN_FP} can only be a baseline`] : [],
      ...models.filter((name) => !isModel(name)).map((name) => `claim ${id}: model ${name} is unknown`),
      ...bits.filter((bits) =>
        !tables.some((table) =>
          table.dataset === dataset && hasBits(table, bits) && table.arms.some((row) => row.id === arm)
        )
      ).map((bits) => `claim ${id}: no table has ${arm} on ${dataset} at ${formatBits(bits)}`),
    ]),
    ...tolerances.flatMap(({ arm, model, dataset, bits }) => [
      ...isAbsent(arm) ? [`tolerance: the paper has no arm ${arm}`] : [],
      ...isModel(model) ? [] : [`tolerance of ${arm}: model ${model} is unknown`],
      ...tables.some((table) => table.dataset === dataset && (bits === null || hasBits(table, bits)))
        ? []
        : [`tolerance of ${arm}: no table has ${dataset} and its bits`],
    ]),
  ];
}

for (const paper of PAPERS) {
  Deno.test(`paper ${paper.id}: cells, claims and tolerances have no typing errors`, () => {
    assert.deepEqual([...cellErrors(paper), ...claimErrors(paper)], []);
  });
}

Deno.test("each typing error in a cell or a claim is found", () => {
  const [cell] = fpq.published, [claim] = fpq.claims!, [first] = fpq.tables;
  const inCell = (change: Partial<PublishedCell>) => cellErrors({ ...fpq, published: [{ ...cell!, ...change }] });
  const inClaim = (change: Partial<typeof claim>) => claimErrors({ ...fpq, claims: [{ ...claim!, ...change }] });
  assert.match(inCell({ top1Percent: 9150 }).join(), /^cell .*: 9150 is not between 0 and 100$/);
  assert.match(inCell({ model: "resnet81" }).join(), /: model resnet81 is unknown$/);
  assert.match(inCell({ weightBits: 7, activationBits: 7 }).join(), /: its table has no such bits$/);
  assert.deepEqual(cellErrors({ ...fpq, published: [], tables: [{ ...first!, models: ["resnet81"], networks: {} }] }), [
    `table ${first!.id}: model resnet81 is unknown`,
  ]);
  assert.match(inClaim({ arm: "frozn" }).join("\n"), /^claim .*: the paper has no arm frozn$/m);
  const where = `claim ${claim!.id}`;
  assert.deepEqual(inClaim({ baseline: "lqs" }), [`${where}: the paper has no arm lqs`]);
  assert.deepEqual(inClaim({ models: ["resnet81"] }), [`${where}: model resnet81 is unknown`]);
  assert.match(inClaim({ dataset: "cifar11" }).join(), /: no table has fpq on cifar11 at W4A4$/);
  assert.match(inClaim({ bits: [{ weights: 7, activations: 7 }] }).join(), /: no table has fpq on cifar10 at W7A7$/);
  assert.deepEqual(claimErrors({ ...fpq, claims: [claim!, claim!] }), [`${where} stands there twice`]);
});

Deno.test("an arm means the same in every paper", () => {
  for (const [id, arms] of Map.groupBy(PAPERS.flatMap(({ arms }) => arms), ({ id }) => id)) {
    assert.equal(new Set(arms).size, 1, id);
  }
});
