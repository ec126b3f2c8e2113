/** Results of a method's loss that a training step refuses. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Engine } from "../../src/engine/types.ts";
import { crossEntropy } from "../../src/methods/losses.ts";
import type { LossResult, Method } from "../../src/methods/types.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { resnet8 } from "../../src/nn/resnet.ts";
import { compileStep, type StepInputs, trainingStep } from "../../src/train/step.ts";
import { toTensors, zerosLike } from "../../src/train/tensors.ts";
import { testOnEngines } from "../support/engines.ts";
import { tinyDataset, tinySpec } from "../support/runs.ts";

const DATASET = tinyDataset(), MODEL = resnet8.build({ classes: 10, imageChannels: 3 }), BATCH = 4;

/** A method of full precision, with changes to what its loss returns. */
function altered(change: (result: LossResult) => Partial<LossResult>): Method {
  return {
    name: "altered",
    quantized: false,
    views: 1,
    usesTeacher: false,
    loss({ student, views, labels, forward }) {
      const { logits, updates } = forward({ network: student, images: views[0]!, training: true, quantized: false });
      const result = { loss: crossEntropy(logits, labels), logits, updates, metrics: {} };
      return { ...result, ...change(result) };
    },
  };
}

function inputs(): StepInputs {
  const { params, state } = initialise(MODEL, 1), own = toTensors(params), bytes = DATASET.train.images;
  return {
    training: { params: own, velocity: zerosLike(own), state: toTensors(state), memory: {} },
    teacher: { params: {}, state: {} },
    images: { view0: tf.tensor(Int32Array.from(bytes.subarray(0, BATCH * 192)), [BATCH, 8, 8, 3], "int32") },
    crops: {},
    labels: tf.tensor1d([...DATASET.train.labels.subarray(0, BATCH)], "int32"),
    inputs: {},
    learningRate: tf.scalar(0.05),
  };
}

/** Takes one step of the method, compiled. */
function step(engine: Engine, method: Method) {
  const program = trainingStep({ ...tinySpec("fp").recipe, model: MODEL, quantization: null, method, scale: DATASET });
  const compiled = compileStep(engine, program), given = inputs();
  try {
    const { training, metrics } = compiled(given), names = Object.keys(metrics).sort();
    tf.dispose([training, metrics] as unknown as Tensor[]);
    return names;
  } finally {
    tf.dispose(given as unknown as Tensor[]);
    compiled.dispose();
  }
}

testOnEngines("a step refuses a metric with the name of a run's own number, and takes any other", (engine) => {
  for (const name of ["loss", "correct", "ascendedLoss", "top1Percent"]) {
    assert.throws(() => step(engine, altered(({ loss }) => ({ metrics: { [name]: loss } }))), {
      name: "RangeError",
      message: `Cannot train with method altered as its metric "${name}" has the name of a run's own number: ` +
        "choose another name than loss, correct, ascendedLoss, top1Percent",
    });
  }
  const own = altered(({ loss }) => ({ metrics: { taskLoss: loss } }));
  assert.deepEqual(step(engine, own), ["correct", "loss", "taskLoss"]);
});

testOnEngines("a step refuses logits that are not [batch, classes], and says both shapes", (engine) => {
  for (const [axis, shape] of [[1, "4"], [0, "10"]] as const) {
    const reduced = altered(({ logits }) => ({ logits: tf.mean(logits, axis) }));
    assert.throws(() => step(engine, reduced), {
      name: "RangeError",
      message: `Cannot train with method altered as its logits have shape [${shape}], not [4, 10]: ` +
        "return those of the first view, [batch, classes]",
    });
  }
  const twice = altered(({ logits }) => ({ logits: tf.concat([logits, logits], 0) }));
  assert.throws(() => step(engine, twice), /^RangeError: .* its logits have shape \[8, 10\], not \[4, 10\]: /);
});
