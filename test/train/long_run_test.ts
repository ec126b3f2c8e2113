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

testOnEngines("trainRun() keeps tensors and memory as they are over thousands of steps", async (engine) => {
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
        if (step !== settled && step !== steps) return;
        tensors.set(step, tf.memory().numTensors);
        const { rss, heapTotal, external } = Deno.memoryUsage();
        memory.set(step, rss - heapTotal - external);
      },
    });
    assert.equal(outcome.status, "done");
    assert.equal(tensors.get(steps), tensors.get(settled));
    assert.equal(tf.memory().numTensors, before);
    const growth = memory.get(steps)! / memory.get(settled)!;
    if (engine.name === "tensorflow") assert.ok(growth < GROWTH, `native memory grew ${growth.toFixed(3)} times`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
