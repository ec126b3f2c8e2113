import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { PAPERS } from "../../benchmarks/mod.ts";
import { DATASETS } from "../../datasets/mod.ts";
import { MEASUREMENTS } from "../../src/measure/mod.ts";
import { METHODS } from "../../src/methods/mod.ts";
import { MODELS } from "../../src/nn/mod.ts";
import { QUANTIZERS } from "../../src/quant/mod.ts";
import { REVISED } from "../../src/runs/revisions.ts";

const ROOT = resolve(import.meta.dirname!, "../..");

/** Names of the files of `folder` that export a definition of `type` (and so must be in the list of its mod.ts). */
function definitionsIn(folder: string, type: string): string[] {
  const pattern = new RegExp(`^export const (\\w+)(?:: ${type}\\b| = definition\\()`, "gm");
  return [...Deno.readDirSync(join(ROOT, folder))].filter(({ isFile, name }) => isFile && name !== "mod.ts")
    .flatMap(({ name }) =>
      [...Deno.readTextFileSync(join(ROOT, folder, name)).matchAll(pattern)].map((match) => match[1]!)
    );
}

const LISTS = [
  { folder: "src/methods", type: "MethodDefinition", list: METHODS },
  { folder: "src/measure", type: "MeasurementDefinition", list: MEASUREMENTS },
  { folder: "src/quant", type: "Quantizer", list: QUANTIZERS },
  { folder: "src/nn", type: "ModelDefinition", list: MODELS },
];

for (const { folder, type, list } of LISTS) {
  Deno.test(`${folder}/mod.ts lists every ${type} of its folder, each name once`, () => {
    assert.equal(list.length, definitionsIn(folder, type).length);
    assert.equal(new Set(list.map(({ name }) => name)).size, list.length);
  });
}

Deno.test("benchmarks/mod.ts lists every folder with a paper.ts", () => {
  const folders = [...Deno.readDirSync(join(ROOT, "benchmarks"))].filter(({ name, isDirectory }) =>
    isDirectory && [...Deno.readDirSync(join(ROOT, "benchmarks", name))].some((file) => file.name === "paper.ts")
  ).map(({ name }) => name);
  assert.deepEqual(PAPERS.map(({ id }) => id).sort(), folders.sort());
});

Deno.test("datasets/mod.ts lists every data set once", () => {
  assert.equal(new Set(DATASETS.map(({ name }) => name)).size, DATASETS.length);
});

Deno.test("every quantizer with a revision is there", () => {
  const names = QUANTIZERS.map(({ name }) => name);
  assert.deepEqual(REVISED.filter((name) => !names.includes(name)), []);
});
