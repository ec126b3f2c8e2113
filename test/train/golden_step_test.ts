import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../../src/engine/ops.ts";
import type { Engine } from "../../src/engine/types.ts";
import { crossEntropy } from "../../src/methods/losses.ts";
import { resnet8 } from "../../src/nn/resnet.ts";
import { forward } from "../../src/train/forward.ts";
import { valueAndGradients } from "../../src/train/gradients.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import { toTensors } from "../../src/train/tensors.ts";
import type { Leaves } from "../../src/tree.ts";
import { goldenStep, relativeDistance } from "../support/golden.ts";
import { testOnEngines } from "../support/engines.ts";

type Inputs = { params: Leaves<Tensor>; state: Leaves<Tensor>; images: Tensor; labels: Tensor };

function step(bits: number) {
  const model = resnet8.build({ classes: 10, imageChannels: 3 });
  const quantization = quantizationOf(model, {
    quantizer: "lsq",
    weightBits: bits,
    activationBits: bits,
    firstLastBits: 8,
    calibrationExamples: 1,
  });
  const state: Record<string, Tensor> = {};
  for (const norm of model.norms) {
    state[`${norm.path}/mean`] = tf.zeros([norm.channels]);
    state[`${norm.path}/variance`] = tf.ones([norm.channels]);
  }
  const program = ({ params, state, images, labels }: Inputs) => {
    const { loss, gradients, aux } = valueAndGradients(params, (params) => {
      const outputs: Record<string, Tensor> = {};
      const { logits } = forward(model, quantization, {
        network: { params, state },
        images,
        training: true,
        quantized: true,
        hooks: { output: (layer, y) => void (outputs[layer.path] = y) },
      });
      outputs["classifier"] = logits;
      return { loss: crossEntropy(logits, labels), aux: outputs };
    });
    return { loss, gradients, outputs: aux };
  };
  return { program, state };
}

// Outputs of layers within 1e-5, gradients within 1e-4, compiled and eager alike. Golden inputs keep 1e-4 of a step from every rounding edge (see make_golden.py), so float32 takes the same roundings.
for (const name of ["resnet8_w4a4", "resnet8_w2a2"]) {
  testOnEngines(
    `training step equals PyTorch float64, layer by layer and in every gradient: ${name}`,
    (engine: Engine) => {
      const golden = goldenStep(name), { program, state } = step(golden.bits);
      const inputs: Inputs = {
        params: toTensors(golden.params),
        state,
        images: tf.tensor(golden.images.values, [...golden.images.shape]),
        labels: oneHot(tf.tensor1d(golden.labels, "int32"), 10),
      };
      const compiled = engine.compile(program), passes = engine.compile(program, { large: 1 });
      for (const run of [compiled, passes, program]) {
        const { loss, gradients, outputs } = run(inputs);
        for (const [path, expected] of Object.entries(golden.outputs)) {
          const distance = relativeDistance(outputs[path]!.dataSync(), expected.values);
          assert.ok(distance < 1e-5, `output of ${path} is off by ${distance}`);
        }
        assert.ok(
          Math.abs(loss.dataSync()[0]! / golden.loss - 1) < 1e-5,
          `loss ${loss.dataSync()[0]} is not ${golden.loss}`,
        );
        for (const [path, expected] of Object.entries(golden.gradients)) {
          const distance = relativeDistance(gradients[path]!.dataSync(), expected.values);
          assert.ok(distance < 1e-4, `gradient of ${path} is off by ${distance}`);
        }
      }
      passes.dispose();
      compiled.dispose();
    },
  );
}
