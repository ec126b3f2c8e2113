import assert from "node:assert/strict";
import { fpqPaper } from "../../../benchmarks/fpq/paper.ts";
import { knownTruths } from "../../../benchmarks/known/paper.ts";
import { SUITE } from "../../../benchmarks/mod.ts";
import { reportedPapers } from "../../../src/plan/reported_papers.ts";
import { renderReports } from "../../../src/report/mod.ts";
import { reportSections } from "../../../src/report/judge/tables.ts";
import { toleranceResults } from "../../../src/report/judge/tolerances.ts";
import type { RunRecord } from "../../../src/record/record.ts";
import { aggregateOf, runs } from "../fixtures.ts";

const PLACE = { model: "resnet20", protocol: "full" } as const;

/** One line for each tolerance: arm, bits, mean, place and whether it holds. */
function judged(records: readonly RunRecord[]) {
  return toleranceResults(knownTruths, reportSections(knownTruths, aggregateOf(records))).map((result) => {
    const { tolerance: { arm, bits }, mean, place, holds } = result;
    return [arm, bits?.weights ?? null, mean === null ? null : mean.toFixed(2), place, holds];
  });
}

Deno.test("a tolerance is judged by the mean over seeds: accuracies of full precision, gaps to the own start", () => {
  const fp = runs({ ...PLACE, arm: "fp", bits: null }, [92, 92.4]);
  const records = [
    ...fp,
    ...runs({ ...PLACE, bits: [4, 4] }, [91, 91.4], fp), // gaps 1.0: above 0.8
    ...runs({ ...PLACE, bits: [2, 2] }, [90, 90.2], fp), // gaps 2.0 and 2.2
    ...runs({ ...PLACE, arm: "lsq_unscaled", bits: [2, 2] }, [89, 88.4], fp), // gaps 3.0 and 4.0
  ];
  assert.deepEqual(judged(records), [
    ["fp", null, "92.20", "inside", true],
    ["lsq", 4, "1.00", "outside", false],
    ["lsq", 2, "2.10", "inside", true],
    ["lsq_unscaled", 2, "3.50", "outside", true],
  ]);
});

Deno.test("a tolerance is judged on each engine that has runs, and is not run only where none has", () => {
  const fp = runs({ ...PLACE, arm: "fp", bits: null, engine: "onednn" }, [90, 90.2]);
  const records = [
    ...runs({ ...PLACE, arm: "fp", bits: null, engine: "tensorflow" }, [92]),
    ...fp,
    ...runs({ ...PLACE, bits: [2, 2], engine: "onednn" }, [88, 88.2], fp),
  ];
  assert.deepEqual(judged(records), [
    ["fp", null, "92.00", "inside", true],
    ["fp", null, "90.10", "outside", false],
    ["lsq", 4, null, "not run", null],
    ["lsq", 2, "2.00", "inside", true],
    ["lsq_unscaled", 2, null, "not run", null],
  ]);
  const results = toleranceResults(knownTruths, reportSections(knownTruths, aggregateOf(records)));
  assert.deepEqual(results.slice(0, 2).map(({ protocol }) => protocol), ["full", "full-on-onednn"]);
});

Deno.test("FPQ's full precision is a claim about the form of its network, which its rivals must miss", () => {
  const place = { protocol: "paper", bits: null, arm: "fp_form", model: "resnet18_imagenet" } as const;
  const records = [
    ...runs(place, [88.1, 88.5]),
    ...runs({ ...place, model: "resnet18" }, [94.6, 94.9]),
    ...runs({ ...place, arm: "fp_form_plain" }, [88.9, 89]),
    ...runs({ ...place, arm: "fp_form_pretrained" }, [88.7]),
    ...runs({ ...place, arm: "fp_form_pretrained", protocol: "paper-from-0123abcd" }, [95.1]),
  ];
  const results = toleranceResults(fpqPaper, reportSections(fpqPaper, aggregateOf(records)));
  assert.deepEqual(
    results.map(({ tolerance: { arm, model, least, most }, place, holds }) => [arm, model, least, most, place, holds]),
    [
      ["fp_form", "resnet18_imagenet", 87.72, 89.72, "inside", true],
      ["fp_form", "resnet18", 87.72, 89.72, "outside", true],
      ["fp_form_plain", "resnet18_imagenet", 87.72, 89.72, "inside", false], // a rival as good as the claim
      ["fp_form_plain", "resnet18", 87.72, 89.72, "not run", null],
      ["fp_form_pretrained", "resnet18_imagenet", 87.72, 89.72, "outside", true], // only from an imported network
    ],
  );
});

Deno.test("a control inside its range is missed; runs of another protocol or model are no evidence", () => {
  const fp = runs({ ...PLACE, arm: "fp", bits: null }, [90.9]);
  const control = runs({ ...PLACE, arm: "lsq_unscaled", bits: [2, 2] }, [90], fp);
  const others = [
    ...runs({ ...PLACE, protocol: "reduced", bits: [2, 2] }, [88]),
    ...runs({ ...PLACE, model: "resnet8", bits: [4, 4] }, [88]),
  ];
  assert.deepEqual(judged([...fp, ...control, ...others]), [
    ["fp", null, "90.90", "outside", false],
    ["lsq", 4, null, "not run", null],
    ["lsq", 2, null, "not run", null],
    ["lsq_unscaled", 2, "0.90", "inside", false],
  ]);
});

Deno.test("the page of known truths shows each tolerance with its result, and runs of protocol full alone in its tables", () => {
  const fp = runs({ ...PLACE, arm: "fp", bits: null }, [92.04]);
  const records = [...fp, ...runs({ ...PLACE, protocol: "reduced", arm: "fp", bits: null }, [88.15])];
  const pages = reportedPapers(SUITE.papers, { records, suite: SUITE });
  const text = renderReports({ pages, records, deviations: {} }).find(({ path }) => path === "known.md")!.text;
  assert.match(
    text,
    /^\| Full precision +\|.*\| 91\.00 to 93\.00 \| inside +\| +92\.04 \(1\) \| 0: 92\.04 \| inside +\| holds +\|/m,
  );
  assert.match(
    text,
    /^\| LSQ without gradient scale \(control\).*\| at most 2\.50 +\| outside \|.*\| not run \| not run \|/m,
  );
  assert.match(text, /^## Protocol full$/m);
  assert.doesNotMatch(text, /88\.15|## Protocol (reduced|paper)/);
});
