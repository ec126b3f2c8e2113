import assert from "node:assert/strict";
import { PAPERS, SUITE } from "../../benchmarks/mod.ts";
import { keepRate, ownRatesFile, probedSpec, readRates, unprobed } from "../../src/cli/rates.ts";
import { datasetSizes as sizesOf } from "../../src/cli/services.ts";
import { trainingPasses as passes } from "../../src/plan/network_size.ts";
import { planRuns } from "../../src/plan/tables.ts";
import { parseRates } from "../../src/record/rate.ts";
import { withFolder } from "../support/fakes/specs.ts";

const [RATE] = parseRates(Deno.readTextFileSync(new URL("../../reports/rates.jsonl", import.meta.url)), "rates.jsonl");

const PLAN = { suite: SUITE, protocol: SUITE.protocols.paper, engine: "wasm" } as const;
const ALL = { methods: null, models: null, bits: null, seeds: [0] };

/** Runs that stand for the kinds of a table. */
function kindsOf(paper: string, table: string) {
  const runs = planRuns({ ...PLAN, ...ALL, papers: PAPERS.filter(({ id }) => id === paper), table });
  const specs = runs.map(({ spec }) => probedSpec(spec, sizesOf));
  return unprobed(specs, { rates: [], sizesOf, processor: "Fast CPU", passes });
}

Deno.test("unprobed() has one run for bits, seeds and options that cost no pass, and leaves out kinds with a rate", () => {
  assert.deepEqual(kindsOf("fpq", "table3").map(({ arm }) => arm), ["fp", "lsq", "lsq_asymmetric", "fpq_csd"]);
  assert.deepEqual(kindsOf("cr", "cr-unlabelled").map(({ arm }) => arm), ["fp", "lsq", "cr", "cr_labelled10"]);
  const specs = kindsOf("fpq", "table3"), rates = [{ ...RATE!, spec: specs[1]! }];
  const environment = { ...RATE!.environment, device: "cpu", cpu: "Fast CPU, 8 cores" };
  const left = (known: typeof rates) =>
    unprobed(specs, { rates: known, sizesOf, processor: "Fast CPU", passes }).length;
  assert.deepEqual([left(rates), left(rates.map((rate) => ({ ...rate, environment })))], [4, 3]);
});

Deno.test("probedSpec() takes images of the same size that are there, and labels enough for a batch", () => {
  const [, , , labelled] = kindsOf("cr", "cr-unlabelled");
  assert.deepEqual([labelled!.dataset.name, labelled!.dataset.labelledFraction, labelled!.teacher], [
    "synthetic",
    0.5,
    null,
  ]);
  const dataset = { ...labelled!.dataset, name: "fashion_mnist" };
  assert.equal(probedSpec({ ...labelled!, dataset }, sizesOf).dataset.name, "fashion_mnist");
});

Deno.test("keepRate() adds to the rates of this machine, and a file of another version gives none", () =>
  withFolder((folder) => {
    const before = Deno.env.get("REQUANT_CACHE");
    Deno.env.set("REQUANT_CACHE", folder);
    try {
      const committed = readRates().length;
      keepRate(RATE!);
      keepRate(RATE!);
      assert.deepEqual(readRates().slice(committed), [RATE, RATE]);
      Deno.writeTextFileSync(ownRatesFile(), '{"schema":2}\n');
      assert.equal(readRates().length, committed);
    } finally {
      before === undefined ? Deno.env.delete("REQUANT_CACHE") : Deno.env.set("REQUANT_CACHE", before);
    }
  }));
