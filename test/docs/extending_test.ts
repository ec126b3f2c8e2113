/** The worked examples of docs/extending.md, taken out of the page and run. */
import assert from "node:assert/strict";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import * as tf from "@tensorflow/tfjs-core";
import { PAPERS } from "../../benchmarks/mod.ts";
import { planRuns } from "../../benchmarks/plan.ts";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";
import type { Paper } from "../../benchmarks/types.ts";
import { DATASETS, loadDataset } from "../../datasets/mod.ts";
import { openEngine } from "../../src/engine/mod.ts";
import { METHODS } from "../../src/methods/mod.ts";
import { MODELS } from "../../src/nn/mod.ts";
import { QUANTIZERS } from "../../src/quant/mod.ts";
import { renderReports } from "../../src/report/mod.ts";
import type { RunRecord } from "../../src/runs/record.ts";
import { trainRun } from "../../src/train/run.ts";
import { record } from "../report/fixtures.ts";

const ROOT = resolve(import.meta.dirname!, "../..");

/** The code blocks of the page whose first line names a file, by that name. */
function examples(): Map<string, string> {
  const page = Deno.readTextFileSync(join(ROOT, "docs/extending.md"));
  const blocks = [...page.matchAll(/^```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)^```$/gm)];
  return new Map(blocks.map(([, path, code]) => [path!, code!]));
}

/** Writes the examples below `folder`, their imports pointing into this repository. */
function writeExamples(folder: string): Map<string, string> {
  const written = new Map<string, string>();
  for (const [path, code] of examples()) {
    const target = join(folder, path);
    Deno.mkdirSync(dirname(target), { recursive: true });
    const here = join(ROOT, dirname(path));
    Deno.writeTextFileSync(
      target,
      code.replace(/from "(\.[^"]+)"/g, (_, to: string) => `from "${pathToFileURL(join(here, to)).href}"`),
    );
    written.set(path, target);
  }
  return written;
}

/** The lists, and the export of each example that is its line there. */
const LINES: readonly { path: string; name: string; list: unknown[] }[] = [
  { path: "src/quant/min_max.ts", name: "minMax", list: QUANTIZERS as unknown[] },
  { path: "src/methods/label_smoothing.ts", name: "labelSmoothing", list: METHODS as unknown[] },
  { path: "src/nn/plain3.ts", name: "plain3", list: MODELS as unknown[] },
  { path: "datasets/stripes.ts", name: "stripes", list: DATASETS as unknown[] },
  { path: "benchmarks/label_smoothing/paper.ts", name: "labelSmoothingPaper", list: PAPERS as unknown[] },
];

/** Runs `body` with every example in its list. */
async function withExamples(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync(), written = writeExamples(folder);
  try {
    for (const { path, name, list } of LINES) list.push((await import(pathToFileURL(written.get(path)!).href))[name]);
    await body(folder);
  } finally {
    for (const { path, list } of LINES) {
      const added = list.length - before.get(path)!;
      list.splice(list.length - added, added);
    }
    Deno.removeSync(folder, { recursive: true });
  }
}

const before = new Map(LINES.map(({ path, list }) => [path, list.length]));

Deno.test("docs/extending.md has one example for each kind, and names its line in the list", () => {
  assert.deepEqual([...examples().keys()], LINES.map(({ path }) => path));
  const page = Deno.readTextFileSync(join(ROOT, "docs/extending.md"));
  for (const { name } of LINES) assert.match(page, new RegExp(`^The line: \`${name}\` in \``, "m"));
});

Deno.test("the examples of docs/extending.md pass the linter and the type checker", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const files = [...writeExamples(folder).values()];
    for (const args of [["check", "--quiet"], ["lint", "--quiet"]]) {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [...args, "--config", join(ROOT, "deno.json"), ...files],
        stderr: "piped",
        stdout: "piped",
      }).output();
      assert.equal(code, 0, `deno ${args[0]}: ${new TextDecoder().decode(stderr)}`);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("the examples of docs/extending.md plan, train on their own data and model, and end in a report", () =>
  withExamples(async (folder) => {
    const smoke = PROTOCOL_DEFINITIONS.smoke, paper = PAPERS.at(-1)! as Paper;
    const runs = planRuns({
      papers: [paper],
      table: null,
      protocol: {
        ...smoke,
        models: null,
        dataset: { ...smoke.dataset, trainExamples: null, heldOut: 0, testExamples: null },
        fullPrecision: { ...smoke.fullPrecision, epochs: 8, batchSize: 16, augmentation: "none" },
        quantized: { ...smoke.quantized, epochs: 4, batchSize: 16, augmentation: "none" },
      },
      engine: "wasm",
      methods: null,
      models: null,
      bits: null,
      seeds: null,
    });
    assert.deepEqual(runs.map(({ spec }) => spec.arm), ["fp", "lsq", "label_smoothing"]);
    const engine = await openEngine("wasm");
    await tf.setBackend("wasm");
    const dataset = await loadDataset("stripes"), records: RunRecord[] = [];
    for (const { id, spec } of runs) {
      const teacherCheckpoint = spec.teacher && `${folder}/${spec.teacher}/checkpoint.safetensors`;
      Deno.mkdirSync(`${folder}/${id}`);
      const { status, reason, metrics, curve } = await trainRun({
        ...{ spec, dataset, engine, teacherCheckpoint, folder: `${folder}/${id}` },
      });
      assert.equal(status, "done", reason ?? "");
      records.push({ ...record(), id, spec, metrics, curve: [...curve] });
    }
    const [fp, lsq, smoothed] = records.map(({ metrics }) => metrics!["top1Percent"]!);
    for (const top1 of [fp, lsq, smoothed]) assert.ok(top1! > 80, `${[fp, lsq, smoothed]}`);
    const { text } = renderReports({ pages: [paper.page], records, deviations: {} }).find(({ path }) =>
      path === "label_smoothing.md"
    )!;
    assert.ok(text.includes("Label smoothing") && text.includes(smoothed!.toFixed(2)), text);
  }));
