/** The worked examples of docs/extending.md, taken out of the page and run. */
import assert from "node:assert/strict";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { bench } from "../../src/cli/bench.ts";
import { PLAIN } from "../support/bench_cli.ts";
import { PAPERS } from "../../benchmarks/mod.ts";
import { datasetSizes, renderReports } from "../../src/cli/services.ts";
import type { Paper } from "../../src/catalog/paper.ts";
import { DATASETS } from "../../datasets/mod.ts";
import { checkpointMiB } from "../../src/plan/network_size.ts";
import { METHODS } from "../../src/methods/mod.ts";
import { MODELS } from "../../src/nn/mod.ts";
import { QUANTIZERS } from "../../src/quant/mod.ts";
import { readableRecords } from "../../src/store/store.ts";

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

/** The lists, where each stands, and the export of each example that is its line there. */
const LINES: readonly { path: string; name: string; list: unknown[]; place: string; listName: string }[] = [
  {
    path: "src/quant/min_max.ts",
    name: "minMax",
    list: QUANTIZERS as unknown[],
    place: "src/quant/mod.ts",
    listName: "QUANTIZERS",
  },
  {
    path: "src/methods/label_smoothing.ts",
    name: "labelSmoothing",
    list: METHODS as unknown[],
    place: "src/methods/mod.ts",
    listName: "METHODS",
  },
  { path: "src/nn/plain3.ts", name: "plain3", list: MODELS as unknown[], place: "src/nn/mod.ts", listName: "MODELS" },
  {
    path: "datasets/stripes.ts",
    name: "stripes",
    list: DATASETS as unknown[],
    place: "datasets/mod.ts",
    listName: "DATASETS",
  },
  {
    path: "benchmarks/label_smoothing/paper.ts",
    name: "labelSmoothingPaper",
    list: PAPERS as unknown[],
    place: "benchmarks/mod.ts",
    listName: "PAPERS",
  },
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

/** The commands of the page that run the example, without `deno task bench`. */
function commands(): string[][] {
  const page = Deno.readTextFileSync(join(ROOT, "docs/extending.md"));
  const lines = [...page.matchAll(/^deno task bench (.*)$/gm)].map((match) => match[1]!.split(" "));
  assert.ok(lines.length > 0);
  return lines;
}

/** A process of a run that has the examples in its lists, as a checkout with their lines has. */
function writeChild(folder: string): string[] {
  const url = (path: string) => JSON.stringify(pathToFileURL(join(ROOT, path)).href);
  const added = LINES.map(({ path, name, place, listName }) =>
    `import { ${listName} } from ${
      url(place)
    };\nimport { ${name} } from "./${path}";\n(${listName} as unknown[]).push(${name});`
  );
  const main = join(folder, "child.ts");
  Deno.writeTextFileSync(main, [...added, `await import(${url("src/cli/child.ts")});`].join("\n"));
  return [Deno.execPath(), "run", "-A", "--quiet", "--no-check", "--config", join(ROOT, "deno.json"), main];
}

/** A command of the page as it stands, in a folder of its own and on engine wasm. */
async function run(
  args: readonly string[],
  { folder, out, papers = PAPERS }: { folder: string; out: string; papers?: readonly Paper[] },
) {
  let stdout = "", stderr = "";
  const signal = new AbortController().signal;
  const code = await bench([...args, "--out", out, "--engine", "wasm"], {
    papers,
    resolveEngine: () => Promise.resolve("wasm"),
    prepareDataset: () => Promise.resolve(),
    datasetSizes,
    renderReports,
    command: () => writeChild(folder),
    cores: 2,
    memoryMiB: 100_000,
    committedRecords: () => Promise.resolve([]),
    rates: () => [],
    checkpointMiB: (spec) => Promise.resolve(checkpointMiB(spec)),
    listenForInterrupts: () => ({ stop: signal, kill: signal, dispose: () => {} }),
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
    ...PLAIN,
  });
  return { code, stdout, stderr };
}

Deno.test("the commands of docs/extending.md run as they are printed, learn, and end in a report", () =>
  withExamples(async (folder) => {
    const out = join(folder, "out");
    for (const args of commands()) {
      const { code, stdout, stderr } = await run(args, { folder, out });
      assert.equal(code, 0, stderr);
      if (args.includes("--dry-run")) assert.match(stdout, /^9 runs, 0 done, 9 to run/m);
    }
    const records = readableRecords(out);
    assert.deepEqual(records.map(({ spec }) => spec.arm).sort(), ["fp", "label_smoothing", "lsq"]);
    const top1 = records.map(({ metrics }) => metrics!["top1Percent"]!);
    for (const percent of top1) assert.ok(percent > 80, `${top1}`);
    const page = Deno.readTextFileSync(join(out, "reports", "label_smoothing.md"));
    assert.match(page, /^\| plain3 \| W4A4 \| Label smoothing \| /m);
    assert.match(
      page,
      /^1\. Table stripes, in place of the protocol's: heldOut 0, trainExamples all, testExamples all, /m,
    );
  }));

Deno.test("without its changes the paper of docs/extending.md is refused before anything runs, in a dry run too", () =>
  withExamples(async (folder) => {
    const paper = PAPERS.at(-1)!, { changes: _, ...table } = paper.tables[0]!;
    const papers = [{ ...paper, tables: [table] }], out = join(folder, "out");
    const remedy = "give the paper's table `changes` of heldOut, trainExamples, batchSize or testExamples " +
      "(docs/extending.md)\n";
    for (
      const [protocol, asked] of [
        ["smoke", "hold out 5000, train on 2048 of the rest in batches of 64 and are tested on 1000"],
        ["paper", "hold out 0, train on the rest in batches of 256 and are tested on all"],
      ] as const
    ) {
      for (const last of ["--dry-run", "--no-report"]) {
        const args = ["--paper", "label_smoothing", "--protocol", protocol, "--models", "resnet8", last];
        const { code, stderr } = await run(args, { folder, out, papers });
        assert.deepEqual([code, stderr.split("\n").slice(1).join("\n")], [
          2,
          `Cannot run protocol ${protocol} on data set "stripes" as it has 96 training and 32 test images, and the runs ` +
          `${asked}: ${remedy}`,
        ]);
      }
    }
    assert.throws(() => Deno.readDirSync(out), Deno.errors.NotFound);
  }));
