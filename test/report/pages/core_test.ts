import assert from "node:assert/strict";
import { CORE } from "../../../benchmarks/core.ts";
import type { Block, TableBlock } from "../../../src/report/pages/blocks.ts";
import { renderReports } from "../../../src/report/mod.ts";
import { coreBlocks } from "../../../src/report/pages/core.ts";
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
  return coreBlocks(CORE, aggregateOf(records), new Map(records.map((run) => [run.id, run])));
}

function tables(records = RECORDS): TableBlock[] {
  return blocksOf(records).filter((block) => block.kind === "table");
}

function svgOf(records: typeof RECORDS): string | undefined {
  const files = renderReports({ pages: [], records, deviations: {}, core: CORE });
  return files.find(({ path }) => path === "core.svg")?.text;
}

Deno.test("the core table has every method at every width, run or not, beside LSQ and its controls", () => {
  const [first, ...others] = tables().filter(({ caption }) => /^W\dA\d: /.test(caption));
  assert.equal(others.length, CORE.bits.length - 1);
  assert.deepEqual(first!.rows.map(([name]) => name).length, CORE.arms.length);
  const row = (name: string) => first!.rows.find(([title]) => String(title).startsWith(name))!;
  assert.deepEqual(row("Full precision").slice(1), ["90.00 (1)", "", "", ""]);
  assert.deepEqual(row("PACT").slice(1), ["not run", "", "", ""]);
  assert.equal(row("LSQ")[4], "-10.00 (1 seed)");
  const [name, accuracy, toLsq, toControls] = row("CR-like") as string[];
  assert.equal(name, "CR-like (stand-in)");
  assert.match(accuracy!, /^82\.75 ± 1\.06 \(2\)$/);
  assert.match(toLsq!, /^\+2\.25 \[/);
  assert.match(toControls!, /^not run \(LSQ on two views \(control\)\); \+1\.63 \[.*\] \(LSQ, averaged weights/);
  for (const { rows } of others) {
    assert.ok(rows.every(([name, value]) => name === "Full precision" || value === "not run"));
  }
});

Deno.test("the drawing of the differences stands on its own, and is left out where nothing is compared", () => {
  const svg = svgOf(RECORDS);
  assert.match(svg!, /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]*><style>svg \{ --page: /);
  for (const name of svg!.matchAll(/var\((--\w+)\)/g)) assert.ok(svg!.includes(`${name[1]}: #`), name[0]);
  assert.equal(svgOf([TEACHER]), undefined);
  assert.equal(svgOf([]), undefined);
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
