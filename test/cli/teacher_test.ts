/** `deno task teacher` on a network with PyTorch's names and shapes, and LSQ from it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { FP, LSQ } from "../../benchmarks/arms.ts";
import type { Paper } from "../../src/catalog/paper.ts";
import { W4A4 } from "../../src/catalog/bits.ts";
import { bench } from "../../src/cli/bench.ts";
import { teacher } from "../../src/cli/teacher.ts";
import { parseRunRecord, type RunRecord } from "../../src/record/record.ts";
import { aggregate } from "../../src/report/judge/aggregate.ts";
import { reportSections } from "../../src/report/judge/tables.ts";
import { resultsOf } from "../../src/report/read/result.ts";
import { readableRecords } from "../../src/store/store.ts";
import { PLAIN } from "../support/bench_cli.ts";
import { withFolder } from "../support/fakes/specs.ts";
import { units } from "../support/formula.ts";
import { goldenJson } from "../support/golden.ts";
import { png } from "../support/png.ts";

const MODEL = "mobilenetv2_imagenet", HEAD = "classifier.1";
const { networks } = goldenJson<{ networks: Record<string, { shapes: Record<string, number[]> }> }>(
  "torch_networks.json",
);

/** A file with the names and shapes that PyTorch gives the network, in half precision. */
function writeNetwork(path: string, changes: Record<string, number[]> = {}): void {
  const shapes = { ...networks[MODEL]!.shapes, ...changes }, header: Record<string, unknown> = {};
  const size = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);
  const data = new Float16Array(Object.values(shapes).reduce((sum, shape) => sum + size(shape), 0));
  let at = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const unit = units(name), count = size(shape), std = Math.sqrt(2 * shape[0]! / count);
    const value = shape.length > 1
      ? (i: number) => Math.sqrt(12) * std * unit(i)
      : (i: number) => /(weight|running_var)$/.test(name) ? 1 + 0.5 * unit(i) : 0.4 * unit(i);
    for (let i = 0; i < count; i++) data[at + i] = value(i);
    header[name] = { dtype: "F16", shape, data_offsets: [2 * at, 2 * (at + count)] };
    at += count;
  }
  const text = new TextEncoder().encode(JSON.stringify(header)), length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  Deno.writeFileSync(path, new Uint8Array([...length, ...text]));
  Deno.writeFileSync(path, new Uint8Array(data.buffer), { append: true });
}

/** 2 classes of one colour each: 16 training and 4 validation images. */
function writeImages(root: string): void {
  for (const [part, count] of [["train", 8], ["val", 2]] as const) {
    for (const [label, colour] of [["dark", 40], ["light", 200]] as const) {
      const folder = join(root, "lamps", part, label);
      Deno.mkdirSync(folder, { recursive: true });
      for (let i = 0; i < count; i++) {
        const image = png({ width: 16, height: 16 }, (x, y) => [colour, colour + ((x * y + i) % 30), colour]);
        Deno.writeFileSync(join(folder, `${i}.png`), image);
      }
    }
  }
}

const DATASET = "folder:lamps@16";
const PAPER: Paper = {
  id: "lamps",
  title: "Lamps",
  citation: "Invented for tests",
  arxiv: "no number",
  caveat: null,
  tables: [{
    id: "lamps",
    title: "Lamps",
    dataset: DATASET,
    models: [MODEL],
    bits: [W4A4],
    arms: [FP, LSQ],
    changes: { dataset: { trainExamples: null, heldOut: 0, testExamples: null }, recipe: { batchSize: 8 } },
  }],
  arms: [FP, LSQ],
  published: [],
  publishedDifferences: [],
  anomalies: [],
  assumptions: [],
  deviations: [],
};

interface Called {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Console = Parameters<typeof teacher>[1];

async function called(run: (console: Console) => Promise<number>): Promise<Called> {
  let stdout = "", stderr = "";
  const code = await run({
    ...PLAIN,
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
  });
  return { code, stdout, stderr };
}

async function withImages(act: (folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const before = ["REQUANT_DATA", "REQUANT_CACHE"].map((name) => [name, Deno.env.get(name)] as const);
    Deno.env.set("REQUANT_DATA", join(folder, "images"));
    Deno.env.set("REQUANT_CACHE", join(folder, "cache"));
    writeImages(join(folder, "images"));
    try {
      await act(folder);
    } finally {
      for (const [name, value] of before) value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
    }
  });
}

function imported(folder: string, ...more: string[]): Promise<Called> {
  const args = ["--from", join(folder, "network.safetensors"), "--model", MODEL, "--dataset", DATASET];
  return called((console) => teacher([...args, "--out", join(folder, "kept"), "--engine", "wasm", ...more], console));
}

Deno.test("teacher takes a network over for a folder of images, and LSQ starts from it in protocol smoke", async () => {
  await withImages(async (folder) => {
    writeNetwork(join(folder, "network.safetensors"), { [`${HEAD}.weight`]: [1000, 1280], [`${HEAD}.bias`]: [1000] });
    const other = await imported(folder);
    assert.deepEqual([other.code, other.stderr.split("\n").at(-2)], [
      2,
      `Cannot import a network as model "${MODEL}" as ${HEAD}.weight is [1000,1280] instead of [2,1280]: the data set has 2 ` +
      "classes, so give --new-head to start the classifier anew",
    ]);
    const kept = await imported(folder, "--new-head");
    assert.equal(kept.code, 0, kept.stderr);
    assert.match(kept.stdout, /^Converted F16 to float32\nIts classifier starts anew, /);
    const [record] = readableRecords(join(folder, "kept")) as [RunRecord];
    const { metrics, spec, importedFrom, evaluatedExamples } = record;
    assert.match(
      kept.stdout,
      new RegExp(`\nImported ${MODEL} of network.safetensors, SHA-256 ${spec.imported!.sha256}, as run ${record.id} `),
    );
    assert.deepEqual(importedFrom, {
      file: "network.safetensors",
      names: "torchvision 0.28, mobilenet_v2",
      converted: ["F16"],
    });
    assert.deepEqual([spec.imported!.newHead, evaluatedExamples, metrics!["top1Percent"]! % 25], [true, 4, 0]);
    assert.match((await imported(folder, "--new-head")).stdout, /\nAlready there: /);

    const out = join(folder, "out"), args = ["--paper", "lamps", "--models", MODEL, "--seeds", "0,1", "--json"];
    const run = await called((console) =>
      bench([...args, "--teachers", join(folder, "kept"), "--engine", "wasm", "--jobs", "1", "--out", out], {
        ...console,
        papers: [PAPER],
      })
    );
    assert.equal(run.code, 0, run.stderr);
    assert.match(
      run.stderr,
      new RegExp(`\nQuantized runs start from the imported network of run ${record.id.slice(0, 8)}, `),
    );
    const records: RunRecord[] = JSON.parse(run.stdout).records.map((item: unknown) => parseRunRecord(item, "stdout"));
    const students = records.filter(({ spec }) => spec.arm === "lsq");
    assert.deepEqual(students.map(({ spec }) => [spec.protocol, spec.teacher, spec.seed]), [
      [`smoke-from-${record.id.slice(0, 8)}`, record.id, 0],
      [`smoke-from-${record.id.slice(0, 8)}`, record.id, 1],
    ]);
    for (const { teacherSha256 } of students) assert.equal(teacherSha256, record.networkSha256);
    const [section] = reportSections(PAPER, aggregate(resultsOf(records)));
    const lsq = section!.tables[0]!.rows.find(({ arm }) => arm.id === "lsq")!;
    const gap = students.map(({ metrics: own }) => own!["top1Percent"]! - metrics!["top1Percent"]!);
    assert.deepEqual(lsq.gapToFp!.pairs.map(({ difference }) => difference), gap);
  });
});

Deno.test("teacher names the tensors of another architecture, and bench the imports among which it cannot choose", async () => {
  await withImages(async (folder) => {
    const path = join(folder, "network.safetensors");
    writeNetwork(path, { "layer1.0.conv1.weight": [4, 4, 3, 3], [`${HEAD}.weight`]: [2, 1280], [`${HEAD}.bias`]: [2] });
    const other = await imported(folder);
    assert.equal(other.code, 2);
    assert.match(
      other.stderr,
      /as tensors are unknown: layer1\.0\.conv1\.weight; it wants those of torchvision 0\.28, mobilenet_v2\n$/,
    );
    const head = { [`${HEAD}.weight`]: [2, 1280], [`${HEAD}.bias`]: [2] };
    for (const more of [[], ["--new-head"]]) {
      writeNetwork(path, head);
      assert.equal((await imported(folder, ...more)).code, 0);
    }
    const ids = readableRecords(join(folder, "kept")).map(({ id }) => id);
    const args = ["--paper", "lamps", "--models", MODEL, "--teachers", join(folder, "kept"), "--engine", "wasm"];
    const refused = await called((console) =>
      bench([...args, "--out", join(folder, "out"), "--dry-run"], { ...console, papers: [PAPER] })
    );
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /as 2 are of mobilenetv2_imagenet on folder:lamps@16: keep one of the runs /);
    for (const id of ids) assert.ok(refused.stderr.includes(id));
  });
});
