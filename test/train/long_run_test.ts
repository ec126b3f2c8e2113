/**
 * Long runs: nothing grows. Batches of four tiny images, so that 5,000 steps take about a minute. JavaScript's heap rises
 * and falls with its garbage collection, so it is taken off; on wasm the tensors are in such memory and are only counted,
 * over fewer steps.
 */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { trainRun } from "../../src/train/run.ts";
import { testOnEngines } from "../support/engines.ts";
import { tinyDataset, tinySpec } from "../support/runs.ts";

/** Both steps of an engine end with a checkpoint, before which all metrics are read: their tensors are freed then. */
const STEPS = { onednn: 5000, tensorflow: 5000, wasm: 500 }, GROWTH = 1.05;
const SETTLED = { onednn: 1000, tensorflow: 1000, wasm: 250 };

const ALONE = "REQUANT_TEST_ALONE";

/** Runs the test of engine tensorflow in a process of its own. */
async function runAlone(): Promise<void> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--quiet", "--no-check", "--no-lock", "--filter", "[tensorflow]", import.meta.filename!],
    env: { [ALONE]: "1", NO_COLOR: "1" },
  }).output();
  assert.ok(success, new TextDecoder().decode(stdout));
}

testOnEngines("trainRun() keeps tensors and memory as they are over thousands of steps", async (engine) => {
  // memory is the whole process's, and other tests of this one leave theirs behind
  if (engine.name === "tensorflow" && !Deno.env.has(ALONE)) return await runAlone();
  const steps = STEPS[engine.name], settled = SETTLED[engine.name];
  const base = tinySpec("fp"), stepsPerEpoch = 16;
  const spec = {
    ...base,
    engine: engine.name,
    recipe: { ...base.recipe, batchSize: 4, epochs: Math.ceil(steps / stepsPerEpoch), learningRate: 0.01 },
  };
  const folder = await Deno.makeTempDir();
  const tensors = new Map<number, number>(), memory = new Map<number, number>();
  try {
    const before = tf.memory().numTensors;
    const outcome = await trainRun({
      spec,
      dataset: tinyDataset(),
      engine,
      folder,
      teacherCheckpoint: null,
      onProgress: ({ step }) => {
        if (step < settled || step % (settled / 5) !== 0) return;
        tensors.set(step, tf.memory().numTensors);
        const { rss, heapTotal, external } = Deno.memoryUsage();
        memory.set(step, rss - heapTotal - external);
      },
    });
    assert.equal(outcome.status, "done");
    assert.equal(tensors.get(steps), tensors.get(settled));
    assert.equal(tf.memory().numTensors, before);
    // arrays that wait for the garbage collector count too: so the least of a quarter of the readings
    const readings = [...memory.values()], quarter = Math.ceil(readings.length / 4);
    const growth = Math.min(...readings.slice(-quarter)) / Math.min(...readings.slice(0, quarter));
    if (engine.name === "tensorflow") assert.ok(growth < GROWTH, `native memory grew ${growth.toFixed(3)} times`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
