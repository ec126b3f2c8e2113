import assert from "node:assert/strict";
import { type Comparison, judge, type Verdict, VERDICTS } from "../../../src/report/judge/verdict.ts";
import { type PairedDifference, pairedDifference } from "../../../src/report/judge/statistics/paired.ts";
import type { PublishedCell } from "../../../src/catalog/paper.ts";

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

/** Differences around a mean, with a spread of their own: mean - d, mean, mean + d. sd = d; t interval ± 2.484 d; next run ± 4.968 d. */
function around(mean: number, d: number): PairedDifference {
  return pairedDifference([mean - d, mean, mean + d].map((difference, seed) => ({ seed, difference })));
}

/** A published gain of 1 point, and three paired seeds that gain it significantly: 1 ± 0.25. */
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
  difference: around(1, 0.1),
  holm: { p: 0.01, rows: 4 },
  controls: [],
  remarks: [],
};

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
    reason: /^smoke tests the software only$/,
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
    comparison: { ...BASE, runs: 1, done: 1, difference: pairedDifference([{ seed: 0, difference: 1 }]) },
    name: "inconclusive",
    reason: /^1 common seed: 2 more seeds needed$/,
  },
  {
    branch: "two seeds, however clear",
    comparison: {
      ...BASE,
      runs: 2,
      done: 2,
      difference: pairedDifference([{ seed: 0, difference: 1 }, { seed: 1, difference: 1.001 }]),
    },
    name: "inconclusive",
    reason: /^2 common seeds: 1 more seed needed$/,
  },
  {
    branch: "differences without spread",
    comparison: { ...BASE, difference: around(0.5, 0) },
    name: "inconclusive",
    reason: /^all 3 differences are \+0\.50: no spread to judge by$/,
  },
  {
    branch: "a gain of the published size",
    comparison: BASE,
    name: "reproduced",
    reason:
      /^a significant gain over LSQ, and a single run may reach the published size: published \+1\.00, ours \+1\.00 \[\+0\.75, \+1\.25\]$/,
  },
  {
    branch: "a larger gain",
    comparison: { ...BASE, difference: around(2.5, 0.1) },
    name: "reproduced",
    reason: /ours \+2\.50/,
  },
  {
    // 0.55 + 4.968 * 0.1 = 1.047 >= 1, but the mean is at most 0.55 + 2.484 * 0.1 = 0.80
    branch: "a significant gain, of which a single run may reach the published one, though the mean is smaller",
    comparison: { ...BASE, difference: around(0.55, 0.1) },
    name: "reproduced",
    reason:
      /reach the published size, though the published size lies outside the interval of our mean: published \+1\.00, /,
  },
  {
    // 0.5 + 4.968 * 0.1 = 0.997 < 1
    branch: "a significant but smaller gain",
    comparison: { ...BASE, difference: around(0.5, 0.1) },
    name: "not_reproduced",
    reason: /^a smaller gain over LSQ, if any: .*; one run of ours reaches at most \+1\.00$/,
  },
  {
    branch: "a gain that is not significant and certainly smaller",
    comparison: { ...BASE, difference: around(0.1, 0.1) },
    name: "not_reproduced",
    reason: /^a smaller gain over LSQ, if any: /,
  },
  {
    branch: "no gain",
    comparison: { ...BASE, difference: around(-0.3, 0.1) },
    name: "not_reproduced",
    reason: /^no gain over LSQ: published \+1\.00, ours -0\.30 \[-0\.55, -0\.05\]$/,
  },
  {
    // t sd / sqrt(n) <= 0.5 first holds for n = 18 (2.110 / 4.243 = 0.497)
    branch: "an interval that holds both 0 and the published size",
    comparison: { ...BASE, difference: around(0.5, 1) },
    name: "inconclusive",
    reason:
      /^published \+1\.00, ours \+0\.50 \[-1\.98, \+2\.98\]: a new set of about 18 seeds would decide, if the spread stays$/,
  },
  {
    // to leave 0 below: t / sqrt(n) <= 0.1 takes 387 seeds; to stay below 3: t sqrt(1 + 1/n) <= 3.1 takes 5 (2.776 * 1.095 = 3.04)
    branch: "a spread that decides against the size before it decides the sign",
    comparison: { ...BASE, publishedDifference: 3, difference: around(-0.1, 1) },
    name: "inconclusive",
    reason: /: a new set of about 5 seeds would decide, if the spread stays$/,
  },
  {
    branch: "a mean of 0 and a spread as wide as the claim",
    comparison: { ...BASE, difference: around(0, 1) },
    name: "inconclusive",
    reason: /: a larger set of seeds is needed; at a spread of 1\.00 its size cannot be estimated$/,
  },
  {
    branch: "a published loss, found",
    comparison: { ...BASE, publishedDifference: -1, difference: around(-1, 0.1) },
    name: "reproduced",
    reason:
      /^a significant loss over LSQ, and a single run may reach the published size: published -1\.00, ours -1\.00 \[-1\.25, -0\.75\]$/,
  },
  {
    branch: "a published loss, but a smaller one",
    comparison: { ...BASE, publishedDifference: -1, difference: around(-0.4, 0.1) },
    name: "not_reproduced",
    reason: /^a smaller loss over LSQ, if any: .*; one run of ours reaches at most -0\.90$/,
  },
  {
    branch: "a published loss, but a gain",
    comparison: { ...BASE, publishedDifference: -1, difference: around(0.4, 0.1) },
    name: "not_reproduced",
    reason: /^no loss over LSQ: /,
  },
  {
    branch: "a gain that Holm's correction leaves not significant is told",
    comparison: { ...BASE, holm: { p: 0.12, rows: 9 } },
    name: "reproduced",
    reason: /; not significant among the 9 rows of its table \(Holm's p = 0\.12\)$/,
  },
  {
    branch: "Holm's correction is not told where nothing was found",
    comparison: { ...BASE, difference: around(-0.3, 0.1), holm: { p: 0.12, rows: 9 } },
    name: "not_reproduced",
    reason: /-0\.05\]$/,
  },
  {
    branch: "what is lost or not traceable on either side is told",
    comparison: { ...BASE, remarks: ["LSQ: 2 of 5 runs did not finish and are left out"] },
    name: "reproduced",
    reason: /\+1\.25\]; LSQ: 2 of 5 runs did not finish and are left out$/,
  },
  {
    branch: "a gain is told of that is not significant over a control",
    comparison: {
      ...BASE,
      controls: [
        { control: { id: "a", title: "A", label: null }, difference: around(1, 0.1) },
        { control: { id: "b", title: "B", label: null }, difference: around(0.1, 0.1) },
        { control: { id: "c", title: "C", label: null }, difference: null },
      ],
    },
    name: "reproduced",
    reason:
      /; not significantly above its control B \(\+0\.10 \[-0\.15, \+0\.35\]\); not significantly above its control C \(no common seed\)$/,
  },
  {
    branch: "of a loss controls say nothing",
    comparison: {
      ...BASE,
      publishedDifference: -1,
      difference: around(-1, 0.1),
      controls: [{ control: { id: "c", title: "C", label: null }, difference: null }],
    },
    name: "reproduced",
    reason: /-0\.75\]$/,
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
