import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { perturbed } from "../../src/measure/noise_gradient_norm.ts";
import { identityQuantization, withChangedWeights } from "../../src/measure/probed.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import { noiseState, stream } from "../../src/random/stream.ts";
import { forward } from "../../src/train/forward.ts";
import { toTensors } from "../../src/train/tensors.ts";
import { relativeDistance } from "../support/golden.ts";
import { testOnEngines } from "../support/engines.ts";

function networkOf(name: string) {
  const model = modelNamed(name).build({ classes: 10, imageChannels: 3 }), data = initialise(model, 1);
  const draws = stream({ seed: 1, purpose: "synthetic" });
  const images = tf.tensor(Float32Array.from({ length: 2 * 8 * 8 * 3 }, () => draws.normal()), [2, 8, 8, 3]);
  return { model, network: { params: toTensors(data.params), state: toTensors(data.state) }, images };
}

for (const name of ["resnet8", "mobilenetv2"]) {
  testOnEngines(`identityQuantization() of ${name} is the full-precision network`, () => {
    const { model, network, images } = networkOf(name);
    const plain = forward(model, null, { network, images, training: false, quantized: false });
    let seen = 0;
    const probed = forward(model, identityQuantization(model), {
      network,
      images,
      training: false,
      quantized: true,
      hooks: { input: (_, input) => (seen++, input) },
    });
    const distance = relativeDistance(probed.logits.dataSync(), plain.logits.dataSync());
    assert.ok(distance < 1e-5, `${distance}`);
    assert.equal(seen, model.layers.length);
  });
}

testOnEngines(
  "withChangedWeights() changes what the layers compute with, depthwise ones in the quantizer's layout",
  () => {
    const { model, network, images } = networkOf("mobilenetv2"), shapes = new Map<string, readonly number[]>();
    const doubled = withChangedWeights(identityQuantization(model), "latent", (weight, path) => {
      shapes.set(path, weight.shape);
      return tf.mul(weight, 2);
    });
    const { logits } = forward(model, doubled, { network, images, training: false, quantized: true });
    const params: Record<string, Tensor> = { ...network.params };
    for (const { path } of model.layers) params[`${path}/weight`] = tf.mul(params[`${path}/weight`]!, 2);
    const expected = forward(model, null, {
      network: { params, state: network.state },
      images,
      training: false,
      quantized: false,
    });
    assert.ok(relativeDistance(logits.dataSync(), expected.logits.dataSync()) < 1e-5);
    const depthwise = model.layers.find(({ kind }) => kind === "depthwise")!;
    assert.deepEqual(shapes.get(depthwise.path), [3, 3, 1, depthwise.outChannels]);
  },
);

testOnEngines("perturbed() adds noise of standard deviation σ rms(x) and passes the gradient as it is", () => {
  const state = tf.tensor1d(noiseState({ seed: 0, step: 0, purpose: "measurement" }), "int32");
  const x = tf.tensor1d(Float32Array.from({ length: 20_000 }, (_, i) => 3 * Math.cos(i))), sigma = tf.scalar(0.2);
  const noise = { state, stream: 4, sigma };
  const added = tf.sub(perturbed(x, noise), x).dataSync() as Float32Array, size = 0.2 * 3 / Math.sqrt(2);
  const mean = added.reduce((sum, value) => sum + value, 0) / added.length;
  const std = Math.sqrt(added.reduce((sum, value) => sum + value * value, 0) / added.length);
  assert.ok(Math.abs(mean) < 4 * size / Math.sqrt(20_000), `mean ${mean}`);
  assert.ok(Math.abs(std / size - 1) < 0.02, `standard deviation ${std} is not ${size}`);
  assert.ok(added.every((value) => Math.abs(value) <= 1.0001 * Math.sqrt(3) * size));
  const gradient = tf.grad((x) => tf.sum(tf.mul(perturbed(x, noise), tf.scalar(10))))(x).dataSync();
  assert.ok(gradient.every((value) => value === 10));
});
