import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { batchAt, type BatchOptions } from "../../src/data/batches.ts";
import { cropFlip } from "../../src/engine/ops.ts";
import type { Engine } from "../../src/engine/types.ts";
import { testOnEngines } from "../support/engines.ts";
import { tinyDataset } from "../support/runs.ts";

const DATASET = tinyDataset(), BATCH = 40;

function optionsOf(changes: Partial<BatchOptions>): BatchOptions {
  return {
    split: DATASET.train,
    imageShape: DATASET.imageShape,
    indices: Uint32Array.from({ length: DATASET.train.count }, (_, i) => i),
    seed: 1,
    epoch: 0,
    step: 0,
    batchSize: BATCH,
    augmentation: "crop_flip",
    views: 2,
    ...changes,
  };
}

/** The views of a batch, cropped by a program of the engine where that was left to it. */
function croppedBy(engine: Engine, options: BatchOptions, xla: boolean): number[][] {
  const { views, crops } = batchAt({ ...options, leaveCrops: true });
  const program = engine.compile(({ x, places }: { x: tf.Tensor; places: tf.Tensor }) => cropFlip(x, places), { xla });
  const cropped = views.map((view, i) => {
    const crop = crops[i];
    if (!crop) return [...view];
    const x = tf.tensor(view, [BATCH, ...options.imageShape], "int32"), places = tf.tensor(crop, [BATCH, 3], "int32");
    const y = program({ x, places });
    const values = [...y.dataSync()];
    tf.dispose([x, places, y]);
    return values;
  });
  program.dispose();
  return cropped;
}

testOnEngines("a batch cropped by the engine is the batch cropped by the host, byte for byte", (engine) => {
  for (const xla of engine.name === "tensorflow" ? [false, true] : [false]) {
    for (let epoch = 0; epoch < 5; epoch++) {
      const options = optionsOf({ epoch });
      const theirs = croppedBy(engine, options, xla), { views, crops } = batchAt(options);
      assert.deepEqual(crops, [null, null]);
      views.forEach((view, i) => assert.deepEqual(theirs[i], [...view], `epoch ${epoch}, view ${i}, xla ${xla}`));
    }
  }
});

Deno.test("crops are left neither of a strong view nor where nothing is cropped", () => {
  const strong = batchAt(optionsOf({ leaveCrops: true, strongViews: [1] }));
  assert.deepEqual(strong.crops.map((crop) => crop?.length ?? null), [3 * BATCH, null]);
  assert.deepEqual(strong.views[1], batchAt(optionsOf({ strongViews: [1] })).views[1]);
  const plain = batchAt(optionsOf({ leaveCrops: true, augmentation: "none" }));
  assert.deepEqual(plain.crops, [null, null]);
});
