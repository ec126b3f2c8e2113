/** Whole runs with strong views and with images of which no label is used. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { chooseLabelled, splitTraining } from "../../src/data/splits.ts";
import type { Engine } from "../../src/engine/types.ts";
import { createMethod } from "../../src/methods/mod.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import type { RunSpec } from "../../src/record/spec.ts";
import type { TrainRequest } from "../../src/record/trainer.ts";
import { readCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { trainRun } from "../../src/train/run.ts";
import { stepInputs } from "../../src/train/step_inputs.ts";
import { testOnEngines } from "../support/engines.ts";
import { tinyDataset, tinySpec } from "../support/runs.ts";

const DATASET = tinyDataset();
const NO_TENSORS = { params: {}, velocity: {}, state: {}, memory: {} };

/** Half of 64 training images labelled: 3 of each class, 30 in all; 34 are not. */
function halfLabelled(options: Record<string, unknown>, method = "cr"): RunSpec {
  const base = tinySpec(method);
  return {
    ...base,
    method: { name: method, options } as RunSpec["method"],
    dataset: { ...base.dataset, labelledFraction: 0.5 },
  };
}

/** Starts from initial values: a teacher would add nothing here. */
async function run(engine: Engine, spec: RunSpec, options: Partial<TrainRequest> = {}) {
  const folder = options.folder ?? await Deno.makeTempDir();
  const request = { dataset: DATASET, engine, teacherCheckpoint: null, ...options, folder };
  const outcome = await trainRun({ ...request, spec });
  const { tensors } = (await readCheckpoint(`${folder}/checkpoint.safetensors`))!;
  return { folder, tensors, curve: outcome.curve, metrics: outcome.metrics, status: outcome.status };
}

const CASES = {
  "strong teacher view": { ...tinySpec("cr"), method: { name: "cr", options: { views: "weak_strong" } } },
  "unlabelled images": halfLabelled({ unlabelledRatio: 1 }),
  "unlabelled images, strong student view, batch norm teacher, cosine": halfLabelled({
    unlabelledRatio: 1,
    views: "strong_weak",
    consistency: "cosine",
    teacherNorm: "batch",
    alphaSchedule: "cosine",
  }),
} as const;

for (const [name, spec] of Object.entries(CASES)) {
  testOnEngines(
    `trainRun() of CR gives the same bytes twice, and when stopped and resumed: ${name}`,
    async (engine) => {
      const { folder: _, ...unbroken } = await run(engine, spec);
      assert.equal(unbroken.status, "done");
      let steps = 0;
      // step 3 of 8 lies inside the first epoch, and inside the second pass through the 30 labelled images
      const stopped = await run(engine, spec, { shouldStop: () => ++steps === 3 });
      assert.equal(stopped.status, "stopped");
      const { folder: __, ...resumed } = await run(engine, spec, { folder: stopped.folder });
      assert.deepEqual(resumed, unbroken);
    },
  );
}

/** Places among the training images of each image of [n, 8, 8, 3] bytes. */
function placesOf(images: Int32Array): number[] {
  const key = (bytes: ArrayLike<number>) => Array.from(bytes).join();
  const known = new Map(
    Array.from({ length: 80 }, (_, i) => [key(DATASET.train.images.subarray(192 * i, 192 * (i + 1))), i]),
  );
  return Array.from(
    { length: images.length / 192 },
    (_, i) => known.get(key(images.subarray(192 * i, 192 * (i + 1))))!,
  );
}

testOnEngines(
  "stepInputs() labels images of the labelled part alone, and puts the others into a batch without labels",
  () => {
    const base = halfLabelled({ unlabelledRatio: 2 });
    const spec: RunSpec = { ...base, recipe: { ...base.recipe, augmentation: "none" } };
    const indices = splitTraining(DATASET.train, spec.dataset).training;
    const parts = chooseLabelled(DATASET.train, { indices, classes: 10, fraction: 0.5, seed: spec.seed });
    assert.deepEqual([parts.labelled.length, parts.unlabelled.length], [30, 34]);
    const source = {
      spec,
      dataset: DATASET,
      model: modelNamed("resnet8").build({ classes: 10, imageChannels: 3 }),
      method: createMethod(spec.method),
      indices: parts.labelled,
      unlabelled: parts.unlabelled,
      stepsPerEpoch: 4,
    };
    const seen = { labelled: new Set<number>(), unlabelled: new Set<number>() };
    for (let step = 0; step < 8; step++) {
      const inputs = stepInputs(source, step, { training: NO_TENSORS, teacher: NO_TENSORS });
      const bytes = (name: string) => inputs.images[name]!.dataSync() as Int32Array;
      const labelled = placesOf(bytes("view0")), unlabelled = placesOf(bytes("unlabelled0"));
      assert.deepEqual([labelled.length, unlabelled.length], [16, 32]);
      assert.deepEqual(placesOf(bytes("view1")), labelled);
      assert.deepEqual(placesOf(bytes("unlabelled1")), unlabelled);
      assert.deepEqual([...inputs.labels.dataSync()], labelled.map((place) => DATASET.train.labels[place]!));
      for (const place of labelled) seen.labelled.add(place);
      for (const place of unlabelled) seen.unlabelled.add(place);
      tf.dispose([inputs.images, inputs.labels, inputs.inputs, inputs.learningRate] as unknown as tf.Tensor[]);
    }
    assert.ok([...seen.labelled].every((place) => parts.labelled.includes(place)));
    assert.ok([...seen.unlabelled].every((place) => parts.unlabelled.includes(place)));
    assert.ok(seen.labelled.size > 20 && seen.unlabelled.size > 30, `${seen.labelled.size}, ${seen.unlabelled.size}`);
  },
);

testOnEngines(
  "trainRun() takes the steps of all training images whatever part is labelled, and then no other image",
  async (engine) => {
    const spec = halfLabelled({}, "qat"),
      { labelled } = chooseLabelled(DATASET.train, {
        indices: splitTraining(DATASET.train, spec.dataset).training,
        classes: 10,
        fraction: 0.5,
        seed: spec.seed,
      });
    const steps: number[] = [];
    const plain = await run(engine, spec, { onProgress: (progress) => steps.push(progress.steps) });
    assert.deepEqual([...new Set(steps)], [8]); // 64 training images, 16 a batch, 2 epochs
    const images = DATASET.train.images.slice();
    for (let i = 0; i < 80; i++) if (!labelled.includes(i)) images.fill(i, 192 * i, 192 * (i + 1));
    const changed = await run(engine, spec, { dataset: { ...DATASET, train: { ...DATASET.train, images } } });
    assert.deepEqual(changed.tensors, plain.tensors);
  },
);

testOnEngines("trainRun() refuses unlabelled images where every image has its label", async (engine) => {
  const spec: RunSpec = { ...tinySpec("cr"), method: { name: "cr", options: { unlabelledRatio: 1 } } };
  await assert.rejects(() => run(engine, spec), {
    name: "InputError",
    message: "Cannot run method cr with unlabelled images as every training image has its label: give the data set a " +
      "labelledFraction, or the method unlabelledRatio 0",
  });
});
