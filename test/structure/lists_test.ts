/** What is added by one file and one line: a file that lacks its line is named. */
import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { PAPERS } from "../../benchmarks/mod.ts";
import { DATASET_FAMILIES, DATASETS } from "../../datasets/mod.ts";
import { MEASUREMENTS } from "../../src/measure/mod.ts";
import { METHODS } from "../../src/methods/mod.ts";
import { MODELS } from "../../src/nn/mod.ts";
import { QUANTIZERS } from "../../src/quant/mod.ts";
import { LIMITED } from "../../src/catalog/least_bits.ts";
import { datasetTitle, modelTitle } from "../../src/catalog/titles.ts";
import { REVISED } from "../../src/catalog/revisions.ts";

const ROOT = resolve(import.meta.dirname!, "../..");

function entriesOf(folder: string): Deno.DirEntry[] {
  return [...Deno.readDirSync(join(ROOT, folder))];
}

async function exportsOf(path: string): Promise<Record<string, unknown>> {
  return await import(pathToFileURL(join(ROOT, path)).href);
}

/** The exports of the files of `folder` that are definitions of `type`, by file and name. */
async function definitionsIn(folder: string, type: string): Promise<Map<string, unknown>> {
  const pattern = new RegExp(`^export const (\\w+)(?:: ${type}\\b| = definition\\()`, "gm");
  const found = new Map<string, unknown>();
  for (const { isFile, name } of entriesOf(folder)) {
    const path = `${folder}/${name}`, text = isFile ? Deno.readTextFileSync(join(ROOT, path)) : "";
    for (const [, exported] of name === "mod.ts" ? [] : text.matchAll(pattern)) {
      found.set(`${path}, ${exported}`, (await exportsOf(path))[exported!]);
    }
  }
  return found;
}

const LISTS = [
  { folder: "src/methods", type: "MethodDefinition", list: METHODS },
  { folder: "src/measure", type: "MeasurementDefinition", list: MEASUREMENTS },
  { folder: "src/quant", type: "Quantizer", list: QUANTIZERS },
  { folder: "src/nn", type: "ModelDefinition", list: MODELS },
];

for (const { folder, type, list } of LISTS) {
  Deno.test(`${folder}/mod.ts lists every ${type} of its folder, each name once`, async () => {
    const found = await definitionsIn(folder, type), listed: readonly unknown[] = list;
    const forgotten = [...found].filter(([, value]) => !listed.includes(value)).map(([place]) => place);
    assert.ok(forgotten.length === 0, `${folder}/mod.ts has no line for ${forgotten.join("; ")}`);
    const foreign = list.filter((item) => ![...found.values()].includes(item)).map(({ name }) => name);
    assert.ok(foreign.length === 0, `no file of ${folder} exports a ${type} for ${foreign.join("; ")} of its mod.ts`);
    assert.equal(new Set(list.map(({ name }) => name)).size, list.length);
  });
}

/** Fails with the names of those of `paths` that export nothing which is in `list`. */
async function requireLines(paths: readonly string[], { list, place }: { list: readonly unknown[]; place: string }) {
  const absent: string[] = [];
  for (const path of paths) {
    if (!Object.values(await exportsOf(path)).some((value) => list.includes(value))) absent.push(path);
  }
  assert.ok(absent.length === 0, `${place} has no line for ${absent.join("; ")}`);
}

Deno.test("benchmarks/mod.ts lists every folder with a paper.ts, by the folder's name", async () => {
  const folders = entriesOf("benchmarks").filter(({ isDirectory }) => isDirectory).map(({ name }) => name)
    .filter((name) => entriesOf(`benchmarks/${name}`).some((file) => file.name === "paper.ts"));
  const papers = folders.map((name) => `benchmarks/${name}/paper.ts`);
  await requireLines(papers, { list: PAPERS, place: "benchmarks/mod.ts" });
  assert.deepEqual(PAPERS.map(({ id }) => id).sort(), folders.sort());
});

Deno.test("datasets/mod.ts lists every data set, each name once", async () => {
  const own = entriesOf("datasets").filter(({ name }) => !["mod.ts"].includes(name));
  const files = own.map(({ name, isDirectory }) => isDirectory ? `datasets/${name}/load.ts` : `datasets/${name}`);
  const list = [...DATASETS, ...DATASET_FAMILIES];
  await requireLines(files, { list, place: "datasets/mod.ts" });
  assert.equal(files.length, list.length);
  assert.equal(new Set(DATASETS.map(({ name }) => name)).size, DATASETS.length);
});

Deno.test("every model and data set has a title in src/catalog/titles.ts", () => {
  const untitled = [
    ...MODELS.filter(({ name }) => modelTitle(name) === name),
    ...DATASETS.filter(({ name }) => datasetTitle(name) === name),
  ];
  const names = untitled.map(({ name }) => name).join(", ");
  assert.ok(names === "", `src/catalog/titles.ts has no title for ${names}: add a line for each`);
});

Deno.test("src/catalog/least_bits.ts has a line for every quantizer, and for no other", () => {
  const names = QUANTIZERS.map(({ name }) => name), absent = names.filter((name) => !LIMITED.includes(name));
  assert.ok(absent.length === 0, `src/catalog/least_bits.ts has no line for quantizer ${absent.join(", ")}: add one`);
  assert.deepEqual(LIMITED.filter((name) => !names.includes(name)), []);
});

Deno.test("every quantizer with a revision is there", () => {
  const names = QUANTIZERS.map(({ name }) => name);
  assert.deepEqual(REVISED.filter((name) => !names.includes(name)), []);
});
