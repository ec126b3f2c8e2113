import assert from "node:assert/strict";
import { dirname, join, relative, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname!, "../..");
const FOLDERS = ["src", "benchmarks", "datasets", "perf"];

const LEAVES = ["src/errors.ts", "src/terminal_text.ts", "src/tree.ts"];
const NETWORK = [...LEAVES, "src/engine", "src/random", "src/quant", "src/nn", "src/methods"];
const TRAINING = [...NETWORK, "src/data", "src/catalog", "src/record", "src/checkpoint"];

const JUDGE = ["src/errors.ts", "src/random", "src/record", "src/catalog", "src/report/labels.ts"];

/** What each part may import besides itself: design of docs/architecture.md, "Imports point one way". */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "src/errors.ts": [],
  "src/terminal_text.ts": [],
  "src/tree.ts": [],
  "src/random": [],
  "src/data": ["src/errors.ts", "src/random"],
  "src/engine": [...LEAVES, "src/random", "src/data"],
  "src/quant": [...LEAVES, "src/engine"],
  "src/nn": [...LEAVES, "src/engine", "src/random", "src/quant"],
  "src/methods": NETWORK,
  "src/record": ["src/errors.ts", "src/data", "src/engine"],
  "src/catalog": ["src/errors.ts", "src/record"],
  "src/checkpoint": [...LEAVES, "src/nn", "src/record", "src/store"],
  "src/train": TRAINING,
  "src/measure": [...TRAINING, "src/train"],
  "src/export": [...TRAINING, "src/train"],
  "src/store": ["src/errors.ts", "src/record"],
  "src/plan": [
    "src/errors.ts",
    "src/record",
    "src/catalog",
    "src/data",
    "src/engine",
    "src/nn",
    "src/methods",
    "src/store",
  ],
  "src/pool": [
    "src/errors.ts",
    "src/terminal_text.ts",
    "src/record",
    "src/data",
    "src/engine",
    "src/store",
    "src/plan",
  ],
  "src/queue": [
    "src/errors.ts",
    "src/terminal_text.ts",
    "src/record",
    "src/engine",
    "src/store",
    "src/plan",
    "src/pool",
  ],
  "src/watch": ["src/errors.ts", "src/record", "src/catalog", "src/store", "src/pool", "src/report"],
  "src/report/labels.ts": ["src/catalog"],
  "src/report/read": ["src/errors.ts", "src/record"],
  "src/report/judge": [...JUDGE, "src/report/read"],
  "src/report/pages": [...JUDGE, "src/report/read", "src/report/judge"],
  "src/report/render": [...JUDGE, "src/terminal_text.ts", "src/report/read", "src/report/judge", "src/report/pages"],
  "src/report/mod.ts": ["src/record", "src/catalog", "src/report"],
  "src/cli": ["src", "benchmarks", "datasets"],
  "datasets": ["src/errors.ts", "src/data", "src/random"],
  "benchmarks": ["src/record", "src/catalog"],
  "perf": ["src", "benchmarks", "datasets", "test"],
  "test": [],
};

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
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("no files import each other, directly or through others", () => {
  const circles: string[] = [], seen = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
    if (seen.has(file)) return;
    seen.add(file);
    for (const target of importsOf(join(ROOT, file))) if (FILES.includes(target)) visit(target, [...path, file]);
  };
  for (const file of FILES) visit(file, []);
  assert.deepEqual(circles, []);
});

Deno.test("judging sees results and no record, whoever made them", () => {
  const wrong = FILES.filter((file) => file.startsWith("src/report/judge/")).filter((file) =>
    importsOf(join(ROOT, file)).includes("src/record/record.ts")
  );
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

Deno.test("only src/cli and perf print, read flags or exit", () => {
  const wrong = FILES.filter((file) => !file.startsWith("src/cli/") && !file.startsWith("perf/")).filter((file) =>
    /\bconsole\.|\bDeno\.(exit|args)\b|\bprocess\.exit(Code)?\b/.test(Deno.readTextFileSync(join(ROOT, file)))
  );
  assert.deepEqual(wrong, []);
});

Deno.test("no source file is longer than 300 lines", () => {
  const long = FILES.filter((file) => Deno.readTextFileSync(join(ROOT, file)).split("\n").length > 300);
  assert.deepEqual(long, []);
});
