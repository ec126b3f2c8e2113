import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { createMethod, METHODS } from "../../src/methods/mod.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { resnet8 } from "../../src/nn/resnet.ts";
import { QUANTIZERS } from "../../src/quant/mod.ts";
import { PARAMETERS_MOVED_BY_CLIPPING } from "../../src/quant/parameters.ts";
import { inputStatistics, withQuantizers } from "../../src/train/calibration.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import { trainingStep } from "../../src/train/step.ts";
import { toTensors, zerosLike } from "../../src/train/tensors.ts";
import { testOnEngines } from "../support/engines.ts";
import { tinyDataset, tinySpec } from "../support/runs.ts";

const DATASET = tinyDataset();
const MODEL = resnet8.build({ classes: DATASET.classes, imageChannels: 3 });
const BATCH = 8, POSITION = { seed: 3, step: 1, stepsPerEpoch: 2, epochs: 4 };

/** Images of the batch, as bytes, from number `first` on. */
function images(first: number, count: number): Tensor {
  const size = DATASET.imageShape.reduce((product, dim) => product * dim, 1);
  const bytes = Int32Array.from(DATASET.train.images.subarray(first * size, (first + count) * size));
  return tf.tensor(bytes, [count, ...DATASET.imageShape], "int32");
}

/** Runs `body` in a tidy of its own; an error of it names the combination. */
function inCombination(combination: string, body: () => void): void {
  try {
    tf.tidy(body);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`${combination}: ${message}`, { cause: error });
  }
}

for (const quantizer of QUANTIZERS) {
  testOnEngines(
    `every method trains on ${quantizer.name} and its first step moves every parameter`,
    (engine) => {
      const fullPrecision = initialise(MODEL, 1), spec = tinySpec("qat").quantization!;
      const quantization = quantizationOf(MODEL, { ...spec, quantizer: quantizer.name })!;
      const teacher = { params: toTensors(fullPrecision.params), state: toTensors(fullPrecision.state) };
      const calibration = { network: teacher, images: images(0, 16), scale: DATASET, quantization };
      const start = withQuantizers(fullPrecision, MODEL, {
        quantization,
        inputs: inputStatistics(engine, MODEL, calibration),
      });
      for (const { name } of METHODS.filter(({ name }) => name !== "fp")) {
        inCombination(`method ${name} on quantizer ${quantizer.name}, engine ${engine.name}`, () => {
          const method = createMethod({ name, options: {} });
          const params: Record<string, Tensor> = toTensors(start.params), state = toTensors(start.state);
          const memory = method.initialMemory?.(MODEL, { params, state }) ?? {};
          for (const [path, own] of Object.entries(method.ownParameters?.(MODEL, 1) ?? {})) {
            params[`method/${path}`] = own;
          }
          const step = trainingStep({ ...tinySpec(name).recipe, model: MODEL, quantization, method, scale: DATASET });
          const views = Array.from({ length: method.views }, (_, i) => [`view${i}`, images(i, BATCH)] as const);
          const inputs = Object.entries(method.stepInputs?.(POSITION, MODEL) ?? {});
          const { training, metrics } = step({
            training: { params, velocity: zerosLike(params), state, memory },
            teacher: method.usesTeacher ? teacher : { params: {}, state: {} },
            images: Object.fromEntries(views),
            crops: {},
            labels: tf.tensor1d([...DATASET.train.labels.subarray(0, BATCH)], "int32"),
            inputs: Object.fromEntries(
              inputs.map(([name, list]) => [name, tf.tensor1d(list, list instanceof Int32Array ? "int32" : "float32")]),
            ),
            learningRate: tf.scalar(0.05),
          });
          const loss = metrics["loss"]!.dataSync()[0]!;
          assert.ok(Number.isFinite(loss), `the loss is ${loss}`);
          for (const [path, before] of Object.entries(params)) {
            const after = training.params[path]!.dataSync();
            assert.ok(after.every(Number.isFinite), `${path} is not finite`);
            const moved = before.dataSync().some((value, i) => value !== after[i]);
            const excused = PARAMETERS_MOVED_BY_CLIPPING.some((name) => path.endsWith(`/${name}`));
            assert.ok(moved || excused, `${path} does not move`);
          }
        });
      }
    },
  );
}
