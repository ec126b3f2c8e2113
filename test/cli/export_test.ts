/** `deno task export` and `deno task verify` on runs that were really trained. */
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as tf from "@tensorflow/tfjs-core";
import { type ModelProto, ModelProtoSchema, NodeProtoSchema } from "onnx-buf";
import { exportNetwork } from "../../src/cli/export.ts";
import { runs } from "../../src/cli/runs.ts";
import { verifyFiles } from "../../src/cli/verify.ts";
import type { Dataset } from "../../src/data/types.ts";
import { openEngine } from "../../src/engine/mod.ts";
import { sha256Of } from "../../src/data/manifest.ts";
import { OWN_CLASSES } from "../../src/export/export_run.ts";
import { readSafetensor } from "../../src/export/safetensors.ts";
import { runId } from "../../src/record/spec.ts";
import { readRecord, writeRecord } from "../../src/store/store.ts";
import { DATASET, FP, STUDENT, train, withRuns } from "../support/measured_runs.ts";
import { tinySpec } from "../support/runs.ts";

type Command = typeof exportNetwork;

async function call(
  command: Command,
  args: readonly string[],
  dataset: Dataset = DATASET,
): Promise<{ code: number; stdout: string; stderr: string; asked: readonly string[] }> {
  let stdout = "", stderr = "";
  const asked: string[] = [];
  const code = await command(args, {
    openEngine: async (choice) => {
      asked.push(choice);
      const engine = await openEngine("wasm");
      await tf.setBackend("wasm");
      return engine;
    },
    loadDataset: () => Promise.resolve(dataset),
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
  });
  return { code, stdout, stderr, asked };
}

const runOf = (out: string, spec: typeof FP) => join(out, "runs", runId(spec));

/** Asserts that a call fails with code 2 and one sentence. */
async function refuses(call: Promise<{ code: number; stderr: string }>, sentence: RegExp): Promise<void> {
  const { code, stderr } = await call;
  assert.match(stderr, sentence);
  assert.equal(code, 2);
  assert.equal(stderr.trim().split("\n").length, 1, stderr);
}

Deno.test("export writes three files of a run, and verify finds its accuracy in them", () =>
  withRuns(async (out) => {
    for (const spec of [FP, STUDENT]) {
      const run = runOf(out, spec), to = join(run, "export"), quantized = spec === STUDENT;
      const written = await call(exportNetwork, [run]);
      assert.equal(written.code, 0, written.stderr);
      const names = [...Deno.readDirSync(to)].map(({ name }) => name).sort();
      assert.deepEqual(names, ["card.md", "network.onnx", "network.safetensors"]);
      const found = await call(verifyFiles, [
        join(to, "network.onnx"),
        ...(quantized ? ["--layers", "--images", "30"] : []),
      ]);
      assert.equal(found.code, 0, found.stdout + found.stderr);
      const top1 = readRecord(out, runId(spec))!.metrics!["top1Percent"]!.toFixed(2);
      assert.match(found.stdout, new RegExp(`tiny: ${top1} % of 30 test images \\(record: ${top1} %\\)`));
      assert.match(found.stdout, /^ {2}[01] of 30 images get another class/m);
      assert.match(
        found.stdout,
        quantized ? /10 of 10 layers compute with integers/ : /0 of 10 layers compute with integers/,
      );
      if (quantized) assert.match(found.stdout, /^ {2}stage3\/block0\/shortcut +15360 +\d+ +\d+ +\d+ +\d/m);
      const card = Deno.readTextFileSync(join(to, "card.md")), onnx = Deno.readFileSync(join(to, "network.onnx"));
      assert.ok(card.includes(`network.onnx: ${sha256Of(onnx)}`), card);
      assert.ok(card.includes(`value: ${readRecord(out, runId(spec))!.metrics!["top1Percent"]}`), card);
    }
  }));

Deno.test("export --integer writes a second form, and verify --table a row for each file", () =>
  withRuns(async (out) => {
    const run = runOf(out, STUDENT), to = join(run, "export"), table = join(out, "exports.md");
    await refuses(
      call(exportNetwork, [runOf(out, FP), "--integer"]),
      /in integers as it is full precision: leave --integer out/,
    );
    assert.equal((await call(exportNetwork, [run, "--integer"])).code, 0);
    const files = ["network.onnx", "network.integer.onnx"].map((name) => join(to, name));
    await refuses(
      call(verifyFiles, [files[1]!, "--layers"]),
      /as its biases are rounded, .*: compare those of network.onnx/,
    );
    const { code, stdout } = await call(verifyFiles, ["--table", table, ...files]);
    assert.equal(code, 0, stdout);
    const rowsOf = (text: string) =>
      text.replaceAll(/ +/g, " ").split("\n").filter((line) => line.includes(runId(STUDENT)));
    const rows = rowsOf(Deno.readTextFileSync(table));
    const top1 = readRecord(out, runId(STUDENT))!.metrics!["top1Percent"]!.toFixed(2);
    assert.match(
      rows[0]!,
      new RegExp(`^\\| ResNet-8, tiny, W4A4, qat_ema, seed 3 \\| .* \\| QDQ \\| \\d+ \\| ${top1} \\| ${top1} `),
    );
    assert.match(rows[1]!, new RegExp(`\\| QLinearConv \\| \\d+ \\| ${top1} \\| `));
    assert.equal(rows.length, 2);

    // another call adds its rows to those that are there, and puts its own in the place of older ones
    Deno.writeTextFileSync(table, Deno.readTextFileSync(table).replaceAll(/\d+\.\d\d \| onnx/g, "0.00 | onnx"));
    assert.equal((await call(verifyFiles, ["--table", table, files[1]!])).code, 0);
    const [kept, replaced, ...others] = rowsOf(Deno.readTextFileSync(table));
    assert.deepEqual([kept!.includes("0.00 | onnx"), others.length], [true, 0]);
    assert.match(replaced!, /\| QLinearConv \| .* \| onnxruntime-\w+ [\d.]+, .+ \|$/);
  }));

Deno.test("the card of a reconstruction says that it is one", () =>
  withRuns(async (out) => {
    const spec = tinySpec("fp", { arm: "mec", seed: 4 });
    await train(out, spec, null);
    assert.equal((await call(exportNetwork, [runOf(out, spec)])).code, 0);
    const card = Deno.readTextFileSync(join(runOf(out, spec), "export/card.md"));
    assert.match(card, /^# ResNet-8, tiny, MEC \(reconstruction\), seed 4$/m);
    assert.match(card, /^> Reconstruction: only the abstract of MEC-Quant is known/m);
    assert.match(card, /^Sources: .*MEC-Quant.*arXiv:2509\.15514v1\.$/m);
    assert.doesNotMatch(Deno.readTextFileSync(join(out, "runs", runId(spec), "export/card.md")), /quantizer:/);
    await call(exportNetwork, [runOf(out, STUDENT)]);
    const plain = Deno.readTextFileSync(join(runOf(out, STUDENT), "export/card.md"));
    assert.doesNotMatch(plain, /^>/m);
    assert.match(plain, /quantizer: Esser et al\., ICLR 2020/);
  }));

Deno.test("a network that `runs networks` copied gives the same files as its run", () =>
  withRuns(async (out) => {
    const copies = join(out, "copies"), copied = ["--out", out, "--to", copies];
    let stdout = "";
    const output = { stdout: (text: string) => void (stdout += text), stderr: () => {} };
    assert.equal(await runs(["networks", ...copied], output), 0);
    assert.match(stdout, /2 copied to .*copies, 0 there before\n$/);
    for (const spec of [FP, STUDENT]) {
      const [run, copy] = [runOf(out, spec), runOf(copies, spec)];
      for (const folder of [run, copy]) assert.equal((await call(exportNetwork, [folder])).code, 0);
      for (const { name } of Deno.readDirSync(join(run, "export"))) {
        assert.deepEqual(Deno.readFileSync(join(copy, "export", name)), Deno.readFileSync(join(run, "export", name)));
      }
    }
  }));

Deno.test("classes and layers are those of the run's own engine, unless another one is asked for", () =>
  withRuns(async (out) => {
    const run = runOf(out, STUDENT), onnx = join(run, "export/network.onnx"), layers = ["--layers", "--images", "2"];
    assert.deepEqual((await call(exportNetwork, [run])).asked, [STUDENT.engine]);
    assert.deepEqual((await call(exportNetwork, [run, "--engine", "onednn"])).asked, ["onednn"]);
    // the engine that was opened in its place wrote its own name into the file
    assert.deepEqual((await call(verifyFiles, [onnx, ...layers])).asked, ["wasm"]);
    assert.deepEqual((await call(verifyFiles, [onnx, ...layers, "--engine", "tensorflow"])).asked, ["tensorflow"]);
  }));

Deno.test("network.safetensors holds the integers and scales that give back the weights of the network", () =>
  withRuns(async (out) => {
    const run = runOf(out, STUDENT);
    await call(exportNetwork, [run, "--to", join(out, "elsewhere")]);
    const file = Deno.readFileSync(join(out, "elsewhere/network.safetensors"));
    const weight = readSafetensor(file, "stage1/block0/conv1/weight")!;
    assert.ok(weight.values instanceof Int8Array);
    assert.deepEqual(weight.shape, [16, 16, 3, 3]);
    assert.ok(weight.values.every((value) => value >= -8 && value <= 7));
    const scale = readSafetensor(file, "stage1/block0/conv1/weight_scale")!;
    assert.deepEqual(scale.shape, [16]);
    assert.ok(scale.values.every((value) => value > 0));
    assert.equal(readSafetensor(file, OWN_CLASSES)!.values.length, DATASET.test.count);
    assert.equal(readSafetensor(file, "none"), null);
    // every tensor begins where its type may begin
    const header = JSON.parse(
      new TextDecoder().decode(file.subarray(8, 8 + Number(new DataView(file.buffer).getBigUint64(0, true)))),
    );
    const widths: Record<string, number> = { F32: 4, U16: 2, I8: 1, U8: 1 };
    for (const [name, { dtype, data_offsets }] of Object.entries<{ dtype: string; data_offsets: number[] }>(header)) {
      if (name !== "__metadata__") assert.equal(data_offsets[0]! % widths[dtype]!, 0, name);
    }
    assert.equal(header.__metadata__.run, runId(STUDENT));
  }));

Deno.test("export refuses a run that is none, not finished, failed, a trial or without checkpoint, and writes nothing", () =>
  withRuns(async (out) => {
    const run = runOf(out, FP), record = readRecord(out, runId(FP))!, file = join(run, "record.json");
    await refuses(call(exportNetwork, [out]), /^Cannot export .* as it is no folder of a run: give DIR\/runs\/ID/);
    await refuses(
      call(exportNetwork, [join(out, "runs", "0".repeat(16))]),
      /^Cannot export .*0{16} as there is no such folder: give .* relative paths start at the repository's root\n$/,
    );
    await refuses(
      call(exportNetwork, ["--packed"]),
      /^Cannot run `deno task export` without run: add it/,
    );
    await refuses(
      call(exportNetwork, [run, "--engine", "abacus"]),
      /^Cannot use engine "abacus" as it is not known: choose one of auto/,
    );
    const other: Dataset = { ...DATASET, sha256: "other" };
    await refuses(
      call(exportNetwork, [run], other),
      /^Cannot export run .* trained on data of SHA-256 1+ and the data set is now other: restore/,
    );
    await Deno.symlink(out, join(run, "export"));
    await refuses(
      call(exportNetwork, [run]),
      /^Cannot use .*export as it is a link, and only files and folders may be there: /,
    );
    await Deno.remove(join(run, "export"));
    await Deno.rename(join(run, "checkpoint.safetensors"), join(run, "away"));
    await refuses(call(exportNetwork, [run]), /^Cannot export .* as its checkpoint is missing: restore /);
    await cp(join(runOf(out, STUDENT), "checkpoint.safetensors"), join(run, "checkpoint.safetensors"));
    await refuses(call(exportNetwork, [run]), /the checkpoint .* is of run [0-9a-f]{16}: restore that file, or train/);
    const { networkSha256: _, ...rest } = record;
    writeRecord(out, { ...rest, status: "diverged", reason: "the loss is NaN", metrics: null });
    await refuses(
      call(exportNetwork, [run]),
      /^Cannot export .* as it ended as diverged: the loss is NaN; choose another run/,
    );
    await Deno.remove(file);
    await refuses(
      call(exportNetwork, [run]),
      /^Cannot export .* as it holds no finished run: run the same `deno task bench`/,
    );
    assert.ok(![...Deno.readDirSync(run)].some(({ name }) => name === "export"));
  }));

/** A file with changes. */
function changed(from: string, to: string, change: (model: ModelProto) => void): string {
  const model = fromBinary(ModelProtoSchema, Deno.readFileSync(from));
  change(model);
  Deno.writeFileSync(to, toBinary(ModelProtoSchema, model));
  return to;
}

Deno.test("verify refuses what is no network, is of other data, or is not what its card states", () =>
  withRuns(async (out) => {
    const run = runOf(out, STUDENT), file = join(run, "export/network.onnx");
    await call(exportNetwork, [run]);
    await refuses(call(verifyFiles, [join(out, "none.onnx")]), /^Cannot verify .* as there is no such file/);
    const text = join(out, "text.onnx");
    await Deno.writeTextFile(text, "no network at all");
    await refuses(call(verifyFiles, [text]), /^Cannot verify ".*text.onnx" as it is no ONNX file/);
    const cut = join(out, "cut.onnx");
    await Deno.writeFile(cut, Deno.readFileSync(file).subarray(0, 5000));
    await refuses(call(verifyFiles, [cut]), /^Cannot verify ".*cut.onnx" as it is no ONNX file/);
    const old = changed(file, join(out, "old.onnx"), ({ opsetImport }) => void (opsetImport[0]!.version = 9n));
    await refuses(
      call(verifyFiles, [old]),
      /its opset must be from 13 to 26: current value is 9: export it with an opset/,
    );
    const foreign = changed(file, join(out, "foreign.onnx"), ({ graph }) => {
      graph!.node.push(
        create(NodeProtoSchema, { opType: "Quant", domain: "onnx.brevitas", input: ["logits"], output: ["q"] }),
      );
    });
    await refuses(call(verifyFiles, [foreign]), /its operator Quant of domain "onnx.brevitas" is not known: export it/);
    const unknown = changed(file, join(out, "unknown.onnx"), ({ graph }) => {
      graph!.node.find(({ opType }) => opType === "Relu")!.opType = "Rellu";
    });
    await refuses(call(verifyFiles, [unknown]), /^Cannot open the network as ONNX Runtime refuses it, ".*Rellu/);
    const wide: Dataset = { ...DATASET, name: "wide", imageShape: [16, 16, 3] };
    await refuses(
      call(verifyFiles, [file, "--dataset", "wide"], wide),
      /^Cannot verify the network on wide as its images are 3 x 8 x 8 and those of wide are 3 x 16 x 16/,
    );
    const many: Dataset = { ...DATASET, name: "many", classes: 100 };
    await refuses(
      call(verifyFiles, [file, "--dataset", "many"], many),
      /as it has 10 classes and many has 100: name its own/,
    );
    await refuses(
      call(verifyFiles, [file], { ...DATASET, sha256: "new" }),
      /data set tiny had SHA-256 1{64}, but here it has new: restore/,
    );
    const odd = changed(file, join(out, "odd.onnx"), ({ metadataProps }) => {
      metadataProps.find(({ key }) => key === "spec")!.value = "{";
    });
    await refuses(
      call(verifyFiles, [odd]),
      /^Cannot verify ".*odd.onnx" as its spec or accuracy is damaged: export the run/,
    );
    for (const mean of ["0.5,,0.5", "a"]) {
      await refuses(call(verifyFiles, [file, "--mean", mean]), /^Cannot use --mean ".*" as it must be numbers between/);
    }
    await refuses(call(verifyFiles, [out]), /^Cannot read .* as it is a folder: name a file in it$/m);
    await refuses(
      call(verifyFiles, [file, "--table", out]),
      /^Cannot read .* as it is a folder: name a file in it$/m,
    );
    const notes = join(out, "notes.md");
    Deno.writeTextFileSync(notes, "my notes");
    await refuses(call(verifyFiles, [file, "--table", notes]), /as it is another page: name a new file$/m);
    assert.equal(Deno.readTextFileSync(notes), "my notes");
    for (const [option, value] of [["--mean", "1,2,3"], ["--std", "1,0,1"]] as const) {
      await refuses(
        call(verifyFiles, [file, option, value]),
        new RegExp(`^Cannot use ${option} with ".*" as its input is bytes: leave it out$`, "m"),
      );
    }
    await refuses(call(verifyFiles, [file, "--images", "3"]), /^Cannot use --images 3 without --layers: add it, as/);
    await refuses(call(verifyFiles, [file, "--images", "0"]), /^Cannot use --images "0" as it must be a whole number/);
    const nameless = changed(file, join(out, "nameless.onnx"), (model) => void (model.producerName = "other"));
    await refuses(call(verifyFiles, [nameless]), /as it names no data set: give its name with --dataset/);
    await refuses(
      call(verifyFiles, [nameless, "--dataset", "tiny", "--layers"]),
      /as its run is not known: give the run's/,
    );
    for (const layers of [[], ["--layers"]]) {
      await refuses(
        call(verifyFiles, [file, "--run", runOf(out, FP), ...layers]),
        /^Cannot compare ".*" with run .* as it was exported from run .*: give that run's folder with --run, or leave /,
      );
    }
    await refuses(call(verifyFiles, [nameless, "--dataset", "tiny", "--run", run]), /as it was exported from no run: /);
    const bytes = Deno.readFileSync(file);
    bytes[bytes.length - 1000]! ^= 1;
    await Deno.writeFile(file, bytes);
    await refuses(
      call(verifyFiles, [file]),
      /as its SHA-256 is [0-9a-f]{64} and its card states [0-9a-f]{64}: export the run again/,
    );
  }));

Deno.test("verify says which layer is not what the file states, and ends with code 1", () =>
  withRuns(async (out) => {
    const run = runOf(out, STUDENT), path = "stage1/block0/conv1";
    await call(exportNetwork, [run]);
    const file = changed(join(run, "export/network.onnx"), join(out, "wide.onnx"), ({ graph }) => {
      // the integers lie in -8 .. 7: this one needs more than 4 bits
      graph!.initializer.find(({ name }) => name === `${path}/weight_integers`)!.rawData[0] = 100;
    });
    const wide = await call(verifyFiles, [file]);
    assert.equal(wide.code, 1);
    assert.match(
      wide.stdout,
      new RegExp(`^Not verified: the weight of ${path} has \\d+ levels of 7 bits, not of 4$`, "m"),
    );
    const free = changed(join(run, "export/network.onnx"), join(out, "free.onnx"), ({ graph }) => {
      const clip = graph!.node.find(({ output }) => output[0] === `${path}/input_integers`)!;
      clip.opType = "Identity";
      clip.input.splice(1);
    });
    assert.match(
      (await call(verifyFiles, [free])).stdout,
      new RegExp(`^Not verified: the input of ${path} has 8 bits, not 4$`, "m"),
    );
    const moved = changed(join(run, "export/network.onnx"), join(out, "moved.onnx"), ({ metadataProps }) => {
      metadataProps.find(({ key }) => key === "top1Percent")!.value = "99";
    });
    assert.match(
      (await call(verifyFiles, [moved])).stdout,
      /^Not verified: its accuracy is .* % and its record's is 99.00 %$/m,
    );
  }));

Deno.test("verify says that no ONNX Runtime starts where none can be fetched", () =>
  withRuns(async (out) => {
    const run = runOf(out, FP), before = Deno.env.get("DENO_DIR"), registry = Deno.env.get("NPM_CONFIG_REGISTRY");
    await call(exportNetwork, [run]);
    Deno.env.set("DENO_DIR", join(out, "empty"));
    Deno.env.set("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9/");
    try {
      await refuses(
        call(verifyFiles, [join(run, "export/network.onnx")]),
        /^Cannot compute a network as no ONNX Runtime starts on .* \(native: .*; wasm: .*\): connect this machine/,
      );
    } finally {
      for (const [name, value] of [["DENO_DIR", before], ["NPM_CONFIG_REGISTRY", registry]] as const) {
        if (value === undefined) Deno.env.delete(name);
        else Deno.env.set(name, value);
      }
    }
  }));
