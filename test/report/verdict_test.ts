import assert from "node:assert/strict";
import { type Comparison, judge, type Verdict, VERDICTS } from "../../src/report/verdict.ts";
import type { PublishedCell } from "../../src/report/types.ts";

const PUBLISHED: PublishedCell = {
  table: "t1",
  dataset: "cifar10",
  model: "resnet18",
  arm: "fpq",
  weightBits: 2,
  activationBits: 2,
  top1Percent: 88,
  source: "Table 1",
  reason: null,
};

/** A published gain of 1 point, and three paired seeds with a spread of 0.1: an allowance of 0.196, a target of 0.804. */
const BASE: Comparison = {
  protocol: "paper",
  arm: "fpq",
  label: null,
  model: "ResNet-18",
  modelIsPapers: true,
  published: PUBLISHED,
  publishedDifference: 1,
  runs: 3,
  done: 3,
  difference: { n: 3, mean: 1, sd: 0.1, interval: { low: 0.9, high: 1.1 } },
};

function between(low: number, high: number, change: Partial<Comparison> = {}): Comparison {
  return { ...BASE, difference: { n: 3, mean: (low + high) / 2, sd: 0.1, interval: { low, high } }, ...change };
}

interface Case {
  readonly branch: string;
  readonly comparison: Comparison;
  readonly name: Verdict["name"];
  readonly reason: RegExp;
}

const CASES: readonly Case[] = [
  { branch: "no run", comparison: { ...BASE, runs: 0, done: 0 }, name: "not_run", reason: /^no run of this cell$/ },
  {
    branch: "smoke, even where all else fits",
    comparison: { ...BASE, protocol: "smoke" },
    name: "not_comparable",
    reason: /^smoke proves plumbing only$/,
  },
  {
    branch: "reduced",
    comparison: { ...BASE, protocol: "reduced" },
    name: "not_comparable",
    reason: /^protocol reduced is not the paper's recipe$/,
  },
  {
    branch: "another model and protocol, both told",
    comparison: { ...BASE, protocol: "reduced", model: "ResNet-20", modelIsPapers: false, published: null },
    name: "not_comparable",
    reason: /^protocol reduced is not the paper's recipe; ResNet-20 is not a model of the paper's table$/,
  },
  {
    branch: "reconstruction",
    comparison: { ...BASE, label: "reconstruction" },
    name: "not_comparable",
    reason: /^the method is a reconstruction$/,
  },
  {
    branch: "stand-in",
    comparison: { ...BASE, label: "stand-in" },
    name: "not_comparable",
    reason: /^the method is a stand-in$/,
  },
  {
    branch: "no such cell in the paper",
    comparison: { ...BASE, published: null, publishedDifference: null },
    name: "not_comparable",
    reason: /^the paper has no such cell$/,
  },
  {
    branch: "published cell unknown",
    comparison: {
      ...BASE,
      published: { ...PUBLISHED, top1Percent: null, reason: "not read" },
      publishedDifference: null,
    },
    name: "not_comparable",
    reason: /^the published cell is unknown \(not read\)$/,
  },
  {
    branch: "full precision",
    comparison: { ...BASE, arm: "fp", publishedDifference: null, difference: null },
    name: "not_comparable",
    reason: /^full precision is what the others start from: /,
  },
  {
    branch: "LSQ itself",
    comparison: { ...BASE, arm: "lsq", publishedDifference: null, difference: null },
    name: "not_comparable",
    reason: /^LSQ is what the others are compared with: /,
  },
  {
    branch: "no published LSQ",
    comparison: { ...BASE, publishedDifference: null },
    name: "not_comparable",
    reason: /^the paper has no LSQ number for this cell$/,
  },
  {
    branch: "a published difference of 0",
    comparison: { ...BASE, publishedDifference: 0 },
    name: "not_comparable",
    reason: /has no sign to test$/,
  },
  {
    branch: "no run finished",
    comparison: { ...BASE, done: 0, difference: null },
    name: "inconclusive",
    reason: /^none of the 3 runs finished: run the cell again$/,
  },
  {
    branch: "no like LSQ run",
    comparison: { ...BASE, difference: null },
    name: "inconclusive",
    reason: /^no LSQ run of the same seed, recipe and engine: run LSQ too$/,
  },
  {
    branch: "one seed",
    comparison: { ...BASE, runs: 1, done: 1, difference: { n: 1, mean: 1, sd: null, interval: null } },
    name: "inconclusive",
    reason: /^1 common seed: 2 more seeds needed$/,
  },
  {
    branch: "two seeds, however clear",
    comparison: {
      ...BASE,
      runs: 2,
      done: 2,
      difference: { n: 2, mean: 1, sd: 0.1, interval: { low: 0.9, high: 1.1 } },
    },
    name: "inconclusive",
    reason: /^2 common seeds: 1 more seed needed$/,
  },
  {
    branch: "a gain of the published size",
    comparison: BASE,
    name: "reproduced",
    reason: /^gain over LSQ of the published size: published \+1\.00, ours \+1\.00 \[\+0\.90, \+1\.10\]$/,
  },
  { branch: "a larger gain", comparison: between(2, 3), name: "reproduced", reason: /ours \+2\.50/ },
  {
    branch: "a gain within the allowance",
    comparison: between(0.1, 0.81),
    name: "reproduced",
    reason: /^gain over LSQ/,
  },
  {
    branch: "a sure but smaller gain",
    comparison: between(0.1, 0.8),
    name: "not_reproduced",
    reason: /^a smaller gain over LSQ, if any: /,
  },
  {
    branch: "no gain",
    comparison: between(-0.5, 0),
    name: "not_reproduced",
    reason: /^no gain over LSQ: published \+1\.00, ours -0\.25 \[-0\.50, \+0\.00\]$/,
  },
  {
    branch: "an interval that holds both 0 and the published size",
    // mean 0.5, target 1 - 1.96: the mean itself is the margin: (1.96 / 0.5)² = 15.4, 16 seeds, 13 more
    comparison: { ...BASE, difference: { n: 3, mean: 0.5, sd: 1, interval: { low: -0.5, high: 1.5 } } },
    name: "inconclusive",
    reason: /^published \+1\.00, ours \+0\.50 \[-0\.50, \+1\.50\]: about 13 more seeds needed$/,
  },
  {
    branch: "a spread as wide as the claim",
    comparison: { ...BASE, difference: { n: 3, mean: -0.1, sd: 1, interval: { low: -1, high: 0.9 } } },
    name: "inconclusive",
    reason: /more seeds needed; at a spread of 1\.00 their number cannot be estimated$/,
  },
  {
    branch: "a published loss, found",
    comparison: between(-1.1, -0.9, { publishedDifference: -1 }),
    name: "reproduced",
    reason: /^loss over LSQ of the published size: published -1\.00, ours -1\.00 \[-1\.10, -0\.90\]$/,
  },
  {
    branch: "a published loss, but a gain",
    comparison: between(0.2, 0.4, { publishedDifference: -1 }),
    name: "not_reproduced",
    reason: /^no loss over LSQ: /,
  },
  {
    branch: "lost runs are told",
    comparison: { ...BASE, runs: 5 },
    name: "reproduced",
    reason: /; 2 of 5 runs did not finish and are left out$/,
  },
];

for (const { branch, comparison, name, reason } of CASES) {
  Deno.test(`judge() ${branch}: ${name}`, () => {
    const verdict = judge(comparison);
    assert.equal(verdict.name, name);
    assert.match(verdict.reason, reason);
  });
}

Deno.test("judge() can give every verdict", () => {
  assert.deepEqual([...new Set(CASES.map(({ comparison }) => judge(comparison).name))].sort(), [...VERDICTS].sort());
});
