import assert from "node:assert/strict";
import { CORE } from "../../../benchmarks/core.ts";
import { PAPERS } from "../../../benchmarks/mod.ts";
import type { Block, TableBlock } from "../../../src/report/pages/blocks.ts";
import { parseRecords, renderReports } from "../../../src/report/mod.ts";
import { answers, pooledCheck } from "../../../src/report/pages/answers.ts";
import { coreBlocks, coreTable } from "../../../src/report/pages/core.ts";
import { toMarkdown } from "../../../src/report/render/markdown.ts";
import { aggregateOf, record, type RunChoice } from "../fixtures.ts";

const TEACHER = record({ arm: "fp", model: "resnet20", protocol: "reduced", bits: null, top1Percent: 90 });

function run(arm: string, top1Percent: number, changes: RunChoice = {}) {
  const seed = changes.seed ?? 0, teacher = seed === 0 ? TEACHER.id : null;
  return record({ arm, model: "resnet20", protocol: "reduced", top1Percent, seed, teacher, ...changes });
}

const RECORDS = [
  TEACHER,
  run("lsq", 80),
  run("lsq", 81, { seed: 1 }),
  run("lsq_ema", 80.5),
  run("lsq_ema", 81.75, { seed: 1 }),
  run("cr", 82),
  run("cr", 83.5, { seed: 1 }),
  run("cr", 99, { model: "resnet18" }),
  run("cr", 99, { protocol: "smoke" }),
];

function blocksOf(records: typeof RECORDS): Block[] {
  const aggregate = aggregateOf(records);
  return coreBlocks({
    core: CORE,
    table: coreTable(CORE, aggregate),
    outdated: aggregate.outdated,
    records: new Map(records.map((run) => [run.id, run])),
    costOf: () => null,
  });
}

function tables(records = RECORDS): TableBlock[] {
  return blocksOf(records).filter((block) => block.kind === "table");
}

function svgOf(records: typeof RECORDS): string | undefined {
  const files = renderReports({ pages: [], records, deviations: {}, core: CORE });
  return files.find(({ path }) => path === "core.svg")?.text;
}

Deno.test("the core table has every method at a width that is run, beside LSQ and its controls", () => {
  const [first, ...others] = tables().filter(({ caption }) => /^W\dA\d: /.test(caption));
  assert.deepEqual(others, []);
  assert.match(toMarkdown(blocksOf(RECORDS)), /^- Not run: W4A4 and W2A4$/m);
  assert.deepEqual(first!.rows.map(([name]) => name).length, CORE.arms.length);
  const row = (name: string) => first!.rows.find(([title]) => String(title).startsWith(name))!;
  assert.deepEqual(row("Full precision").slice(1), ["90.00 (1)", "", "", "", ""]);
  assert.deepEqual(row("PACT").slice(1), ["not run", "", "", "", ""]);
  assert.equal(row("LSQ")[5], "-10.00 (1 seed)");
  const [name, accuracy, toLsq, lsq, toControls] = row("CR-like") as string[];
  assert.equal(name, "CR-like (stand-in)");
  assert.match(accuracy!, /^82\.75 ± 1\.06 \(2\)$/);
  assert.match(toLsq!, /^\+2\.25 \[/);
  assert.equal(lsq, "", "its own row has the same seeds");
  assert.match(toControls!, /^not run \(LSQ on two views \(control\)\); \+1\.63 \[.*\] \(LSQ, averaged weights/);
});

Deno.test("a width whose runs are all of an older recipe keeps its table, which says so", () => {
  const older = run("mec", 88, { bits: [4, 4], version: 1 });
  const newer = [0, 1].map((seed) => run("lsq", 80, { seed, version: 2 }));
  const page = toMarkdown(blocksOf([...newer, older]));
  assert.match(page, /\*\*W4A4: [\s\S]*\| MEC \(reconstruction\) +\| not run anew \(1 older run left out\) +\|/);
  assert.match(page, /^- Not run: W2A4$/m);
});

Deno.test("runs of engine onednn have a table of their own behind the others, at the widths that it has run", () => {
  const own = [run("lsq", 70, { engine: "onednn" }), run("mec", 71, { engine: "onednn" })];
  const pageOf = (records: typeof RECORDS) =>
    renderReports({ pages: [], records, deviations: {}, core: CORE }).find(({ path }) => path === "core.md")!.text;
  const [before, after] = pageOf([...RECORDS, ...own]).split("## The same methods on engine onednn");
  assert.ok(!before!.includes("70.00") && before!.includes("80.50 ± 0.71 (2)"));
  assert.match(after!, /\*\*W2A2: .*, protocol reduced, on engine onednn\*\*/);
  const withIsa = (arm: string, isa: string) => {
    const record = run(arm, 70, { engine: "onednn" }), { environment } = record;
    return { ...record, environment: { ...environment, versions: { ...environment.versions, isa } } };
  };
  assert.match(
    pageOf([...RECORDS, withIsa("lsq", "AVX2"), withIsa("fpq_w1", "AVX512")]),
    /Instructions: AVX2\. /,
    "those of the table's methods alone",
  );
  assert.ok(!after!.includes("**W4A4"));
  assert.match(after!, /\| MEC \(reconstruction\) +\| +71\.00 \(1\) \| +\+1\.00/);
  assert.equal(pageOf(RECORDS).split("on engine onednn").length, 1);
});

Deno.test("the drawing of the differences stands on its own, and is left out where nothing is compared", () => {
  const svg = svgOf(RECORDS);
  assert.match(svg!, /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]*><title/);
  const schemes = /svg \{ ([^}]*) \} @media \(prefers-color-scheme: dark\) \{ svg \{ ([^}]*) \}/.exec(svg!)!;
  for (const [text, name] of svg!.matchAll(/var\((--\w+)\)/g)) {
    for (const scheme of schemes.slice(1)) assert.ok(scheme.includes(`${name}: #`), text);
  }
  const outer = Number(/ height="(\d+)"/.exec(svg!)![1]),
    [, y, inner] = /<svg y="(\d+)"[^>]* height="(\d+)"/.exec(svg!)!;
  assert.equal(outer, Number(y) + Number(inner), "the plot stands below the title, whole");
  assert.equal(svgOf([TEACHER]), undefined);
  assert.equal(svgOf([]), undefined);
});

Deno.test("the answer says what the intervals decide, and nothing of fewer than 3 seeds", () => {
  const seeds = (arm: string, values: readonly number[]) =>
    values.map((top1, seed) => run(arm, top1, { seed, teacher: null }));
  const said = (records: typeof RECORDS) =>
    answers({ core: CORE, table: coreTable(CORE, aggregateOf(records)) }, ["fpq", "cr", "mec"]);
  const lsq = seeds("lsq", [80, 80.2, 80.1]);
  const below = seeds("fpq", [79, 79.1, 79.05]),
    open = seeds("cr", [79, 81, 80.1]),
    above = seeds("mec", [81, 81.1, 81.2]);
  assert.deepEqual(said([...lsq, ...below, ...open, ...above, ...seeds("lsq_plus", [82, 82.1, 82.2])]), [
    "Protocol reduced, ResNet-20, W2A2: MEC (reconstruction) +1.00 is above LSQ; FPQ (SFP + CSD, p = 0.1) -1.05 is below " +
    "it; CR-like (stand-in) -0.07 is undecided; LSQ+ +2.00 (a baseline) is above LSQ. That is by the 95 % interval of each " +
    "row alone. After Holm's correction for 4 comparisons, only LSQ+, FPQ (SFP + CSD, p = 0.1) and MEC (reconstruction) " +
    "differ significantly.",
  ]);
  assert.deepEqual(said([...lsq, ...below, ...open.slice(0, 2), ...seeds("lsq_two_view", [82, 82.1, 82.2])]), [
    "Protocol reduced, ResNet-20, W2A2: no paper's method is above LSQ; FPQ (SFP + CSD, p = 0.1) -1.05 is below it; fewer " +
    "than 3 seeds: CR-like and MEC; LSQ on two views (control) +2.00 is above LSQ. That is by the 95 % interval of each row " +
    "alone. After Holm's correction for 2 comparisons, only LSQ on two views (control) and FPQ (SFP + CSD, p = 0.1) differ " +
    "significantly.",
  ]);
  const barely = seeds("fpq", [79, 79.9, 79.4]);
  assert.deepEqual(said([...lsq, ...barely, ...seeds("cr", [79, 79.8, 79.4]), ...seeds("mec", [79, 79.9, 79.4])]), [
    "Protocol reduced, ResNet-20, W2A2: no paper's method is above LSQ; FPQ (SFP + CSD, p = 0.1) -0.67, CR-like (stand-in) " +
    "-0.70 and MEC (reconstruction) -0.67 are undecided. That is by the 95 % interval of each row alone. After Holm's " +
    "correction for 3 comparisons, none of these differences is significant.",
  ]);
  // each interval excludes 0, but not after the correction
  const closer = [79, 79.6, 79.2];
  assert.match(
    said([...lsq, ...seeds("fpq", closer), ...seeds("cr", closer), ...seeds("mec", closer)])[0]!,
    new RegExp(
      "no paper's method is above LSQ; FPQ .*, CR-like .* and MEC .* are below it\\. .* none of these differences is",
    ),
  );
  assert.deepEqual(said([...lsq, ...open.slice(0, 2)]), []);
});

Deno.test("a check with one spread for all rows names what it or each row's own spread finds significant", () => {
  const seeds = (arm: string, values: readonly number[]) =>
    values.map((top1, seed) => run(arm, top1, { seed, teacher: null }));
  const said = (records: typeof RECORDS) => pooledCheck({ core: CORE, table: coreTable(CORE, aggregateOf(records)) });
  // differences 1, 1.1, 1.05 and 2, 1, 3: pooled sd sqrt((2 * 0.0025 + 2 * 1) / 4) = 0.70799 with 4 degrees of freedom
  const lsq = seeds("lsq", [80, 80, 80]), wide = seeds("fpq", [82, 81, 83]);
  const [text] = said([...lsq, ...seeds("lsq_plus", [81, 81.1, 81.05]), ...wide]);
  assert.match(
    text!,
    /over all 2 comparisons, .*: LSQ\+ at W2A2 0\.002 and 0\.062; FPQ .* at W2A2 0\.074 and 0\.016; no other/,
  );
  assert.match(said([...lsq, ...wide])[0]!, /over all 1 comparison, .*: none is at most 0\.05 by either$/);
  assert.deepEqual(said(lsq), []);
});

Deno.test("the first page of the site opens with the answer, its plot, its table and the cautions", () => {
  const records = ["lsq", "fpq"].flatMap((arm, index) =>
    [80, 80.2, 80.1].map((top1, seed) => run(arm, top1 - index - seed / 10, { seed, teacher: null }))
  );
  const pages = PAPERS.filter(({ id }) => id === "fpq");
  const files = renderReports({ pages, records, deviations: {}, core: CORE });
  const html = files.find(({ path }) => path === "site/index.html")!.text;
  const order = [
    '<section class="answer">',
    "no paper's method is above LSQ",
    "<figure",
    "<caption>W2A2",
    CORE.cautions[0]!,
  ]
    .map((part) => html.indexOf(part.slice(0, 60)));
  assert.ok(order.every((place) => place > 0), order.join());
  assert.deepEqual(order, order.toSorted((a, b) => a - b));
});

Deno.test("the devices that the cautions and README name are those of the committed records", () => {
  const name = "reduced.jsonl", path = new URL(`../../../reports/records/${name}`, import.meta.url);
  const { rows } = coreTable(CORE, aggregateOf(parseRecords(Deno.readTextFileSync(path), name)));
  const at = rows.filter(({ weightBits, differenceToLsq }) => weightBits === 2 && differenceToLsq !== null);
  const onGpu = (row: typeof at[number]) => row.flags.some((flag) => flag === `${row.n} of ${row.n} runs on a GPU`);
  const above = at.filter(({ differenceToLsq }) => differenceToLsq!.mean > 0);
  assert.deepEqual(above.map(({ arm }) => arm.id).sort(), ["kd", "lsq_plus", "lsq_two_view", "pact"]);
  assert.deepEqual(above.filter((row) => !onGpu(row)), []);
  const others = rows.filter(({ weightBits, arm }) => weightBits === 2 && ["lsq", "fpq", "cr", "mec"].includes(arm.id));
  assert.deepEqual(others.map(({ flags }) => flags.filter((flag) => flag.includes("runs on a GPU"))), [[], [], [], []]);
});

Deno.test("README shows rows of the core table that the committed records give", () => {
  const root = new URL("../../../", import.meta.url);
  const read = (path: string) => Deno.readTextFileSync(new URL(path, root));
  // deno fmt lays out tables anew: compare the cells of the first three columns
  const rows = (text: string) =>
    text.split("\n").filter((line) => line.startsWith("|") && !/^\|[\s|:-]+$/.test(line))
      .map((line) => line.split("|").slice(1, 4).map((cell) => cell.trim()).join(" | "));
  const shown = /<!-- core -->\n([\s\S]*?)<!-- \/core -->/.exec(read("README.md"))?.[1] ?? "";
  const committed = rows(read("reports/core.md").split(/^\*\*W/m)[1]!);
  assert.ok(rows(shown).length >= 6, "a head and five rows");
  assert.deepEqual(rows(shown).filter((row) => !committed.includes(row)), []);
});

Deno.test("the page is Markdown without an empty cell in its head", () => {
  assert.doesNotMatch(toMarkdown(blocksOf(RECORDS)), /undefined|NaN|\[object/);
});
