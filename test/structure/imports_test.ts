import assert from "node:assert/strict";
import { dirname, join, relative, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname!, "../..");
const FOLDERS = ["src", "benchmarks", "datasets", "reports"];

/** What each part may import besides itself: design of docs/architecture.md, "Imports point one way". */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "src/errors.ts": [],
  "src/tree.ts": [],
  "src/random": [],
  "src/data": ["src/errors.ts", "src/random"],
  "src/engine": ["src/errors.ts", "src/tree.ts", "src/random", "src/data"],
  "src/quant": ["src/errors.ts", "src/tree.ts", "src/engine"],
  "src/nn": ["src/errors.ts", "src/tree.ts", "src/engine", "src/random", "src/quant"],
  "src/methods": ["src/errors.ts", "src/tree.ts", "src/engine", "src/random", "src/quant", "src/nn"],
  "src/train": [
    "src/errors.ts",
    "src/tree.ts",
    "src/engine",
    "src/random",
    "src/data",
    "src/quant",
    "src/nn",
    "src/methods",
    "src/runs",
  ],
  "src/measure": [
    "src/errors.ts",
    "src/tree.ts",
    "src/engine",
    "src/random",
    "src/data",
    "src/quant",
    "src/nn",
    "src/methods",
    "src/train",
    "src/runs",
  ],
  "src/runs": ["src/errors.ts", "src/engine", "src/data"],
  "src/report": ["src/errors.ts", "src/random", "src/runs"],
  "datasets": ["src/errors.ts", "src/data", "src/random"],
  "benchmarks": ["src", "datasets"],
  "reports": ["src", "benchmarks"],
};

/** Of `src/runs`, what tensor code and reports may see: plain data. */
const PLAIN_RUNS = ["spec", "record", "measurement", "revisions", "trainer"].map((name) => `src/runs/${name}.ts`);

function sourceFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    return isDirectory ? sourceFiles(path) : name.endsWith(".ts") ? [path] : [];
  });
}

function importsOf(file: string): string[] {
  const text = Deno.readTextFileSync(file);
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g)];
  return found.map((match) => relative(ROOT, resolve(dirname(file), match[1]!)));
}

/** The part of the table that a path belongs to. */
function partOf(path: string): string {
  const part = Object.keys(MAY_IMPORT).find((name) => path === name || path.startsWith(`${name}/`));
  assert.ok(part, `${path} belongs to no part: add it to the table in this test and to docs/architecture.md`);
  return part;
}

const FILES = FOLDERS.flatMap((folder) => sourceFiles(join(ROOT, folder))).map((path) => relative(ROOT, path));

Deno.test("imports point one way", () => {
  const wrong: string[] = [];
  for (const file of FILES) {
    const part = partOf(file);
    for (const target of importsOf(join(ROOT, file))) {
      const targetPart = partOf(target);
      const allowed = part === targetPart ||
        MAY_IMPORT[part]!.some((name) => targetPart === name || targetPart.startsWith(`${name}/`));
      if (!allowed) wrong.push(`${file} imports ${target}`);
      if (
        targetPart === "src/runs" && ["src/train", "src/measure", "src/report"].includes(part) &&
        !PLAIN_RUNS.includes(target)
      ) {
        wrong.push(`${file} imports ${target}, which is more than plain data`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("no method knows another method", () => {
  const methods = FILES.filter((file) =>
    file.startsWith("src/methods/") &&
    /^export const \w+: MethodDefinition\b/m.test(Deno.readTextFileSync(join(ROOT, file)))
  );
  assert.ok(methods.length >= 8, methods.join());
  for (const file of methods) {
    const others = importsOf(join(ROOT, file)).filter((target) => methods.includes(target));
    assert.deepEqual(others, [], file);
  }
});

Deno.test("only main.ts files print, read flags or exit", () => {
  const wrong = FILES.filter((file) => !file.endsWith("main.ts")).filter((file) =>
    /\bconsole\.|\bDeno\.(exit|args)\b|\bprocess\.exit(Code)?\b/.test(Deno.readTextFileSync(join(ROOT, file)))
  );
  assert.deepEqual(wrong, []);
});

Deno.test("no source file is longer than 300 lines", () => {
  const long = FILES.filter((file) => Deno.readTextFileSync(join(ROOT, file)).split("\n").length > 300);
  assert.deepEqual(long, []);
});
