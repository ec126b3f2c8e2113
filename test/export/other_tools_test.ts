/** Files that PyTorch and Brevitas exported (test/golden/make_golden_onnx.py). */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { verifyFiles } from "../../src/cli/verify.ts";
import type { Dataset } from "../../src/data/types.ts";
import { goldenJson } from "../support/golden.ts";

interface Golden extends Record<"torch" | "brevitas", number[]> {
  readonly count: number;
  readonly classes: number;
  readonly mean: number;
  readonly std: number;
}

const GOLDEN = goldenJson<Golden>("onnx_other_tools.json"), SIDE = 8, CHANNELS = 3;

/** The images of the script, channels last. */
function datasetOf(tool: "torch" | "brevitas"): Dataset {
  const { count, classes } = GOLDEN, images = new Uint8Array(count * SIDE * SIDE * CHANNELS);
  images.forEach((_, i) => {
    const channel = i % CHANNELS, place = Math.floor(i / CHANNELS) % (SIDE * SIDE);
    const image = Math.floor(i / (CHANNELS * SIDE * SIDE));
    images[i] = (image * 53 + channel * image * 91) % 200 + (place * place * 31 + place * 7 + image) % 50;
  });
  const split = { images, labels: Uint8Array.from(GOLDEN[tool]), count };
  // of no use to these files: the options say what they want
  const scale = { mean: [0, 0, 0], std: [1, 1, 1] };
  return {
    name: "formula",
    classes,
    imageShape: [SIDE, SIDE, CHANNELS],
    ...scale,
    train: split,
    test: split,
    sha256: "f",
  };
}

const three = (value: number) => [value, value, value].join();
const SCALE = ["--mean", three(GOLDEN.mean), "--std", three(GOLDEN.std)];

type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

async function call(tool: "torch" | "brevitas", options: readonly string[]): Promise<Outcome> {
  let stdout = "", stderr = "";
  const file = fileURLToPath(new URL(`../golden/onnx_${tool}.onnx`, import.meta.url));
  const code = await verifyFiles([file, "--dataset", "formula", ...options], {
    loadDataset: () => Promise.resolve(datasetOf(tool)),
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
  });
  return { code, stdout, stderr };
}

async function verified(tool: "torch" | "brevitas", options: readonly string[] = SCALE): Promise<string> {
  const { code, stdout, stderr } = await call(tool, options);
  assert.equal(code, 0, stderr);
  return stdout;
}

/** The cells of the table of layers. */
function rows(text: string): string[][] {
  const [, table = ""] = /^ {2}layer .*MACs\n([\s\S]*?)^ {2}weight, input:/m.exec(text) ?? [];
  return table.trimEnd().split("\n").map((line) => line.trim().split(/ {2,}/));
}

for (const runtime of ["native", "wasm"]) {
  Deno.test(`verify says bits, symmetry, granularity and accuracy of PyTorch's file [${runtime}]`, async () => {
    const text = await verified("torch", [...SCALE, "--runtime", runtime]);
    assert.match(text, /formula: 75\.00 % of 32 test images \(no record\)/);
    assert.match(text, /3 of 3 layers compute with integers/);
    const [conv1, conv2, dense] = rows(text);
    for (const row of [conv1!, conv2!, dense!]) {
      assert.equal(row[1], "8 per channel");
      assert.equal(row[3], "8 per tensor, zp");
    }
    // 6 · 8 · 8 · 27, 8 · 4 · 4 · 54 and 4 · 8
    assert.deepEqual([conv1, conv2, dense].map((row) => row![4]), ["10368", "6912", "32"]);
  });
}

Deno.test("verify says bits, symmetry, granularity and accuracy of Brevitas's file, of batches of 12", async () => {
  const text = await verified("brevitas");
  assert.match(text, /formula: 75\.00 % of 32 test images \(no record\)/);
  assert.match(text, /3 of 3 layers compute with integers/);
  const [conv1, conv2, dense] = rows(text);
  assert.deepEqual(conv1!.slice(1, 4), [
    "3 per channel",
    "7",
    "4 per tensor",
  ]);
  for (const row of [conv2!, dense!]) {
    assert.equal(row[1], "3 per channel");
    assert.equal(row[3], "4 per tensor");
  }
  assert.deepEqual([conv1, conv2, dense].map((row) => row![4]), ["10368", "6912", "32"]);
});

Deno.test("verify refuses a mean or a deviation that does not fit the images", async () => {
  const cases = [
    [["--mean", "1,2"], 'Cannot use --mean "1,2" as images of formula have 3 channels: give 3 numbers\n'],
    [
      ["--std", "1,0,1"],
      'Cannot use --std "1,0,1" as images of formula have 3 channels: give 3 numbers other than 0\n',
    ],
  ] as const;
  for (const [options, sentence] of cases) {
    const { code, stderr } = await call("torch", options);
    assert.deepEqual([code, stderr], [2, sentence]);
  }
});

Deno.test("verify normalises as the data set says unless the options say otherwise", async () => {
  const text = await verified("torch", []);
  assert.match(text, /3 of 3 layers compute with integers/);
  assert.doesNotMatch(text, /formula: 75\.00 %/);
});
