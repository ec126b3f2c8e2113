/** The Python lines of docs/export.md, run on an exported file; ignored where REQUANT_PYTHON (python3) has no onnxruntime. */
import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { exportNetwork } from "../../src/cli/export.ts";
import { openEngine } from "../../src/engine/mod.ts";
import { channelsFirst } from "../../src/export/image_layout.ts";
import { runId } from "../../src/record/spec.ts";
import { readRecord } from "../../src/store/store.ts";
import { DATASET, STUDENT, withRuns } from "../support/measured_runs.ts";

function python(args: readonly string[], cwd = "."): { code: number; stdout: string; stderr: string } {
  try {
    const { code, stdout, stderr } = new Deno.Command(Deno.env.get("REQUANT_PYTHON") ?? "python3", {
      args: [...args],
      cwd,
    }).outputSync();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  } catch (error) {
    return { code: 127, stdout: "", stderr: String(error) };
  }
}

Deno.test({
  name: "ten lines of Python find the record's accuracy in an exported file",
  ignore: python(["-c", "import onnxruntime, numpy"]).code !== 0,
  fn: () =>
    withRuns(async (out) => {
      const page = Deno.readTextFileSync(resolve(import.meta.dirname!, "../../docs/export.md"));
      const code = /^```python\n([\s\S]*?)^```$/m.exec(page)![1]!, folder = join(out, "stranger");
      assert.ok(code.trim().split("\n").length <= 10);
      const exit = await exportNetwork([join(out, "runs", runId(STUDENT)), "--to", folder], {
        openEngine: async () => {
          const engine = await openEngine("wasm");
          await tf.setBackend("wasm");
          return engine;
        },
        loadDataset: () => Promise.resolve(DATASET),
        stdout: () => {},
        stderr: () => {},
      });
      assert.equal(exit, 0);
      // CIFAR-10's binary form: a label, then the image, channels first
      const { images, labels, count } = DATASET.test,
        size = images.length / count,
        rows = new Uint8Array(count * (1 + size));
      const moved = channelsFirst(images, DATASET.imageShape);
      for (let i = 0; i < count; i++) {
        rows[i * (1 + size)] = labels[i]!;
        rows.set(moved.subarray(i * size, (i + 1) * size), i * (1 + size) + 1);
      }
      await Deno.writeFile(join(folder, "test_batch.bin"), rows);
      const found = python(["-c", code], folder);
      assert.equal(found.code, 0, found.stderr);
      assert.equal(found.stdout.trim(), `${readRecord(out, runId(STUDENT))!.metrics!["top1Percent"]!.toFixed(2)} %`);
    }),
});
