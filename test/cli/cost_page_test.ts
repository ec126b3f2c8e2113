import assert from "node:assert/strict";
import { costPage } from "../../src/cli/cost_page.ts";
import { committedRecords } from "../../src/cli/services.ts";
import { parseRates, type Rate } from "../../src/record/rate.ts";

const REPORTS = new URL("../../reports/", import.meta.url);
const RATES = parseRates(Deno.readTextFileSync(new URL("rates.jsonl", REPORTS)), "rates.jsonl");

Deno.test("reports/cost.md is what the committed records and rates give", async () => {
  const { path, text } = costPage({ records: await committedRecords(), rates: RATES });
  assert.equal(text, Deno.readTextFileSync(new URL(path, REPORTS)));
});

Deno.test("the H200's rate is the step that peers_gpu.json has", () => {
  const { cases: [{ model, batch, sides: [requant] }] } = JSON.parse(
    Deno.readTextFileSync(new URL("peers_gpu.json", REPORTS)),
  );
  const [rate, ...others] = RATES.filter(({ environment }) => environment.device === "gpu");
  assert.deepEqual(others, []);
  const { spec, step, steps } = rate!, [[{ seconds, cpuSeconds, steps: measured }]] = requant.rounds;
  assert.deepEqual([spec.model, spec.recipe.batchSize, spec.arm], [model, batch, "lsq"]);
  assert.deepEqual([step, steps], [{ wallSeconds: seconds, cpuSeconds }, measured]);
});

Deno.test("costPage() has a column for each processor and engine with rates, and marks what is scaled", () => {
  const gpu = RATES.find(({ environment }) => environment.device === "gpu")!;
  // 50,000 training images and 10,000 test images at a third, 200 epochs, 0.001 s per image: 2.963 hours a run
  const here: Rate = {
    ...gpu,
    step: { wallSeconds: 9, cpuSeconds: 0.256 },
    environment: { ...gpu.environment, device: "cpu", cpu: "Fast CPU, 4 cores" },
  };
  const { text } = costPage({ records: [], rates: [here, gpu] });
  assert.match(
    text,
    /\| Runs \| +GPU-hours, NVIDIA H200, tensorflow \| core-hours, Fast CPU, tensorflow \| +Disk \|\n/,
  );
  assert.match(text, /\n\| fpq fp-form .* 12 \| +~[\d.,]+ \| +~[\d.,]+ \| /);
  assert.match(text, /\n\| Fast CPU +\| tensorflow \| ResNet-18 +\| lsq +\| +256 \| +1000 \|/);
});

Deno.test("an estimate that is scaled from other kinds on a CPU is right within a factor of two", () => {
  const factors = [...costPage({ records: [], rates: RATES }).text.matchAll(/\n\| (.*?) +\|.* x ([\d.]+) \|/g)];
  const onCpu = factors.filter(([, processor]) => !processor!.startsWith("NVIDIA")).map(([, , factor]) =>
    Number(factor)
  );
  assert.ok(onCpu.length >= 5);
  assert.deepEqual(onCpu.filter((factor) => factor < 0.5 || factor > 2), []);
});

Deno.test("parseRates() names the line and the field that does not fit", () => {
  const line = JSON.stringify(RATES[0]);
  assert.deepEqual(parseRates(`${line}\n\n${line}\n`, "x"), [RATES[0], RATES[0]]);
  for (
    const [wrong, why] of [[line.replace('"steps":30', '"steps":0'), "steps does not fit"], [
      line.slice(9),
      "it is no JSON",
    ]]
  ) {
    assert.throws(() => parseRates(`${line}\n${wrong}`, "rates.jsonl"), {
      name: "InputError",
      message: `Cannot read the rate in rates.jsonl, line 2: ${why}. Delete the line`,
    });
  }
});
