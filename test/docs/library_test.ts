/** The project as a library: its exports as documented, as published, and as used by a project outside the repository. */
import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import configuration from "../../deno.json" with { type: "json" };

const ROOT = resolve(import.meta.dirname!, "../..");
const ENTRIES = Object.entries(configuration.exports);

/** Runs deno and gives what it wrote. @throws {AssertionError} If it fails. */
async function deno(args: readonly string[], cwd = ROOT): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    ...{ args: [...args], cwd, env: { NO_COLOR: "1" }, stdout: "piped", stderr: "piped" },
  }).output();
  const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.equal(code, 0, `deno ${args.join(" ")}\n${out}\n${errors}`);
  return out! + errors!;
}

/** Takes the example out of the comment at the head of a module. */
function exampleOf(path: string): string {
  const head = Deno.readTextFileSync(join(ROOT, path)).split("*/")[0]!;
  const blocks = [...head.matchAll(/^ \* ```ts\n([\s\S]*?)^ \* ```$/gm)];
  assert.equal(blocks.length, 1, `${path} must have one example`);
  return blocks[0]![1]!.replace(/^ \* ?/gm, "");
}

/** Folders of docs/extending.md, and the export that has what its files import from the repository. */
const EXPORTS = { "src/quant": "quant", "src/methods": "methods", "src/nn": "nn", "datasets": "data" } as const;

/** Takes the examples of docs/extending.md, but the paper, with the library in place of the repository. */
function implementations(): Map<string, string> {
  const page = Deno.readTextFileSync(join(ROOT, "docs/extending.md"));
  const blocks = [...page.matchAll(/^```ts\n\/\/ (\S+)\/(\w+\.ts)\n([\s\S]*?)^```$/gm)];
  return new Map(blocks.flatMap(([, folder, name, code]) => {
    const own = EXPORTS[folder as keyof typeof EXPORTS];
    return own === undefined ? [] : [[name!, code!.replace(/from "\.[^"]+"/g, `from "@requant/requant/${own}"`)]];
  }));
}

/** The deno.json that docs/extending.md prints, with nothing added: only its clone's folder is this one. */
function printedConfiguration() {
  const page = Deno.readTextFileSync(join(ROOT, "docs/extending.md"));
  const blocks = [...page.matchAll(/^```json\n([\s\S]*?)^```$/gm)];
  assert.equal(blocks.length, 1, "docs/extending.md must have one block of JSON");
  const { links, ...printed } = JSON.parse(blocks[0]![1]!) as { links: string[]; imports: Record<string, string> };
  assert.deepEqual(links, ["../requant"]);
  return { links: [ROOT], ...printed };
}

/** A project of a user: it has the printed deno.json, its own lock file, and records. */
function writeProject(folder: string): void {
  Deno.writeTextFileSync(join(folder, "deno.json"), JSON.stringify(printedConfiguration()));
  Deno.mkdirSync(join(folder, "reports/records"), { recursive: true });
  Deno.copyFileSync(join(ROOT, "reports/records/smoke.jsonl"), join(folder, "reports/records/smoke.jsonl"));
}

Deno.test("docs/extending.md prints a deno.json with the library's own version and those of its packages", () => {
  const { name, version, imports } = configuration, { imports: printed } = printedConfiguration();
  const { [name]: library, ...packages } = printed;
  assert.equal(library, `jsr:${name}@^${version}`);
  const own = Object.keys(packages).map((name) => [name, imports[name as keyof typeof imports]]);
  assert.deepEqual(packages, Object.fromEntries(own));
});

Deno.test("a project outside the repository runs each export's example, and implements each interface", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    writeProject(folder);
    const examples = ENTRIES.map(([entry, path]) => [`${entry.slice(2)}_example.ts`, exampleOf(path)] as const);
    const own = implementations();
    assert.equal(own.size, 4, [...own.keys()].join());
    for (const [name, code] of [...examples, ...own]) Deno.writeTextFileSync(join(folder, name), code);
    const all = [...examples.map(([name]) => name), ...own.keys()].map((name) => `await import("./${name}");\n`);
    Deno.writeTextFileSync(join(folder, "all.ts"), `${all.join("")}console.log("all ran");\n`);
    assert.match(await deno(["run", "-A", "--check", "--quiet", "all.ts"], folder), /^all ran$/m);
    Deno.writeTextFileSync(join(folder, "inner.ts"), 'import "@requant/requant/train";\n');
    await assert.rejects(() => deno(["run", "-A", "inner.ts"], folder), /Unknown export '.\/train'/);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("everything that the library exports is documented", async () => {
  assert.match(await deno(["doc", "--lint", ...ENTRIES.map(([, path]) => path)]), /Checked 7 files/);
});

Deno.test("the library can be published, without tests, reports and commands", async () => {
  const output = await deno(["publish", "--dry-run", "--allow-dirty"]);
  assert.match(output, /Success Dry run complete/);
  assert.doesNotMatch(output, /warning/i);
  const files = [...output.matchAll(/^ +file:\/\/(\S+) \(/gm)].map(([, path]) => path!.slice(ROOT.length + 1));
  for (const [, path] of ENTRIES) assert.ok(files.includes(path.slice(2)), path);
  assert.deepEqual(
    files.filter((path) => /^(test|reports|perf|benchmarks|datasets|docs)\/|^src\/cli\//.test(path)),
    [],
  );
});
