/** Many steps in one call and images kept on the device: nothing but time depends on them. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { readCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { cropFlip } from "../../src/engine/ops.ts";
import { openEngine } from "../../src/engine/mod.ts";
import type { Engine } from "../../src/engine/types.ts";
import { createMethod } from "../../src/methods/mod.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import type { RunSpec } from "../../src/record/spec.ts";
import type { TrainRequest } from "../../src/record/trainer.ts";
import { trainRun } from "../../src/train/run.ts";
import { setUp, startTensors } from "../../src/train/setup.ts";
import { stepValues } from "../../src/train/step_inputs.ts";
import { makeStepper } from "../../src/train/stepper.ts";
import { trainingData } from "../../src/train/tensors.ts";
import { ENGINES } from "../support/engines.ts";
import { tinyDataset, tinySpec } from "../support/runs.ts";

const DATASET = tinyDataset();

async function run(engine: Engine, spec: RunSpec, options: Partial<TrainRequest> = {}) {
  const folder = options.folder ?? await Deno.makeTempDir();
  let calls = 0;
  const outcome = await trainRun({
    ...{ spec, dataset: DATASET, engine, teacherCheckpoint: null, ...options, folder },
    onProgress: () => calls++,
  });
  const { tensors, position } = (await readCheckpoint(`${folder}/checkpoint.safetensors`)) ?? {};
  const { status, reason, metrics, curve, networkSha256 } = outcome;
  return { folder, calls, result: { tensors, step: position?.step, status, reason, metrics, curve, networkSha256 } };
}

/** Methods that take from the host, between them, all that a step can take. */
const CASES: Readonly<Record<string, RunSpec>> = {
  "full precision": tinySpec("fp"),
  "no augmentation": tinySpec("fp", { recipe: { ...tinySpec("fp").recipe, augmentation: "none" } }),
  "noise": tinySpec("cr"),
  "strong views and unlabelled images": {
    ...tinySpec("cr"),
    method: { name: "cr", options: { views: "weak_strong", unlabelledRatio: 1 } },
    dataset: { ...tinySpec("cr").dataset, labelledFraction: 0.5 },
  },
};

if (ENGINES.includes("tensorflow")) {
  const test = (name: string, body: (engine: Engine) => void | Promise<void>) =>
    Deno.test(name, async () => await body(await openEngine("tensorflow")));

  for (const [name, spec] of Object.entries(CASES)) {
    test(`trainRun() gives the same bytes with 1 and with 50 steps a call: ${name}`, async (engine) => {
      // 4 steps an epoch
      const longer = { ...spec, recipe: { ...spec.recipe, epochs: 4 } };
      const one = await run(engine, longer, { stepsPerCall: 1 }),
        many = await run(engine, longer, { stepsPerCall: 50 });
      assert.equal(one.result.status, "done");
      // a call ends with its epoch
      assert.deepEqual([one.calls, many.calls], [16, 4]);
      assert.deepEqual(many.result, one.result);
    });
  }

  test("trainRun() stops, saves and resumes between calls of many steps, and ends with the same bytes", async (engine) => {
    const base = tinySpec("fp"), spec = { ...base, recipe: { ...base.recipe, epochs: 4 } };
    const unbroken = await run(engine, spec, { stepsPerCall: 50 });
    let asked = 0;
    const shouldStop = () => ++asked === 3;
    // a call ends where a checkpoint is due: after steps 3, 4 and 6
    const stopped = await run(engine, spec, { stepsPerCall: 50, checkpointEverySteps: 3, shouldStop });
    assert.equal(stopped.result.status, "stopped");
    assert.equal(stopped.result.step, 6);
    const resumed = await run(engine, spec, { stepsPerCall: 50, folder: stopped.folder });
    assert.deepEqual(resumed.result, unbroken.result);
  });

  test("trainRun() names the step of a loss that is not a number, also inside a call", async (engine) => {
    const spec = tinySpec("fp", { recipe: { ...tinySpec("fp").recipe, learningRate: 1e30, warmupEpochs: 0 } });
    const one = await run(engine, spec, { stepsPerCall: 1 }), many = await run(engine, spec, { stepsPerCall: 50 });
    assert.equal(one.result.status, "diverged");
    assert.deepEqual(many.result, one.result);
  });

  test("trainRun() leaks no tensor with many steps a call", async (engine) => {
    const before = tf.memory().numTensors;
    await run(engine, CASES["strong views and unlabelled images"]!, { stepsPerCall: 50 });
    assert.equal(tf.memory().numTensors, before);
  });

  test("images of the steps alone train as all images on the device do", async (engine) => {
    const spec = CASES["strong views and unlabelled images"]!;
    const request = { spec, dataset: DATASET, engine, teacherCheckpoint: null, folder: "" };
    const setup = await setUp(request);
    const results = await Promise.all([2 ** 32, 0].map(async (residentBytes) => {
      const stepper = makeStepper(engine, setup, { stepsPerCall: 3, residentBytes, until: (from) => from + 3 });
      let training = startTensors(engine, setup), from = 0;
      const losses: number[] = [];
      while (from < 6) {
        const { count, metrics, ...rest } = await stepper.advance(training, from);
        training = rest.training;
        from += count;
        losses.push(...metrics["loss"]!.dataSync().slice(0, count));
        tf.dispose(metrics);
      }
      const data = trainingData(training);
      tf.dispose(training as unknown as Tensor[]);
      stepper.dispose();
      return { losses, data };
    }));
    assert.equal(results[0]!.losses.length, 6);
    assert.deepEqual(results[1], results[0]);
  });

  test("batches that the device takes from all images are those that the host makes, byte for byte", (engine) => {
    for (const spec of Object.values(CASES)) {
      const model = modelNamed(spec.model).build({ classes: 10, imageChannels: 3 }), method = createMethod(spec.method);
      const all = Uint32Array.from({ length: DATASET.train.count }, (_, i) => i);
      const source = {
        spec,
        dataset: DATASET,
        model,
        method,
        indices: all.subarray(0, 40),
        unlabelled: all.subarray(40),
      };
      const pool = engine.loops!.bytes(DATASET.train.images, [DATASET.train.count, ...DATASET.imageShape]);
      for (let step = 0; step < 5; step++) {
        const host = stepValues({ ...source, stepsPerEpoch: 2 }, step, false);
        const device = stepValues({ ...source, stepsPerEpoch: 2 }, step, true);
        assert.deepEqual({ ...device, images: null, places: null }, { ...host, images: null, places: null });
        assert.deepEqual(Object.keys({ ...device.images, ...device.places }).sort(), Object.keys(host.images).sort());
        for (const [name, places] of Object.entries(device.places)) {
          const cropped = (images: Tensor) => {
            const crops = host.crops[name];
            return crops ? cropFlip(images, tf.tensor2d(crops, [crops.length / 3, 3], "int32")) : images;
          };
          tf.tidy(() => {
            const theirs = cropped(tf.gather(pool, tf.tensor1d(places, "int32")));
            const ours = cropped(tf.tensor(host.images[name]!, theirs.shape, "int32"));
            assert.deepEqual(theirs.dataSync(), ours.dataSync(), `${name} of step ${step}`);
          });
        }
        for (const [name, images] of Object.entries(device.images)) assert.deepEqual(images, host.images[name]);
      }
      pool.dispose();
    }
  });
}
