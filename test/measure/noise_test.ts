import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { noiseGradientNorm } from "../../src/measure/noise_gradient_norm.ts";
import { outputVariance } from "../../src/measure/output_variance.ts";
import type { MeasurementDefinition } from "../../src/measure/types.ts";
import { paths } from "../../src/nn/layers.ts";
import type { Model } from "../../src/nn/types.ts";
import { stream } from "../../src/random/stream.ts";
import { testOnEngines } from "../support/engines.ts";
import { tinySubject } from "./tiny_network.ts";

type Values = Record<string, number & number[]>;
type Tiny = ReturnType<typeof tinySubject>;

function measured(definition: MeasurementDefinition, { subject, network }: Tiny, options: object): Values {
  const measuring = definition.start(subject, definition.options.parse(options));
  try {
    return measuring.measure(network, network) as Values;
  } finally {
    measuring.dispose();
  }
}

/** logits = W x, x the normalised image as a row: everything about it is known. */
function linear(tiny: Tiny): Tiny {
  const [layer] = tiny.subject.model.layers;
  const model: Model = {
    ...tiny.subject.model,
    forward({ params }, images) {
      const rows = tf.reshape(images, [images.shape[0]!, -1]) as tf.Tensor2D;
      const logits = tf.matMul(rows, params[paths.weight(layer!)]! as tf.Tensor2D);
      return { logits, features: rows };
    },
  };
  const weight = tf.tensor2d(Array.from({ length: 150 }, (_, i) => Math.cos(i)), [50, 3]);
  return { subject: { ...tiny.subject, model }, network: { params: { [paths.weight(layer!)]: weight }, state: {} } };
}

testOnEngines("output_variance of a linear network is σ² |w|², the same draws for every σ", (engine) => {
  const tiny = linear(tinySubject(engine, "full")), draws = 400;
  const values = measured(outputVariance, tiny, { draws, sigmas: [0.1, 0.2] });
  const columns = Array.from({ length: 50 }, (_, i) => [0, 1, 2].reduce((sum, c) => sum + Math.cos(3 * i + c) ** 2, 0));
  const expected = columns.reduce((sum, value) => sum + value, 0) / 3;
  const [first, second] = values["logits"]! as unknown as [number, number];
  // a variance of 400 draws is off by sqrt(2 / 400) = 7 %, the mean of 18 of them by 2 %
  assert.ok(Math.abs(first / (0.01 * expected) - 1) < 0.07, `${first} is not ${0.01 * expected}`);
  assert.ok(Math.abs(second / first - 4) < 1e-4, `${second} is not 4 times ${first}`);
});

testOnEngines("output_variance equals its definition, draw by draw", (engine) => {
  const tiny = linear(tinySubject(engine, "full"));
  const values = measured(outputVariance, tiny, { draws: 2, images: 2, sigmas: [0.5] });
  // two draws: the unbiased variance is (a - b)² / 2, and the clean part of a linear network drops out
  const noise = (image: number, draw: number) => {
    const draws = stream({ seed: 0, purpose: "measurement", a: image, b: draw });
    return Array.from({ length: 50 }, () => draws.normal());
  };
  const variances = [0, 1].map((image) => {
    const [a, b] = [noise(image, 0), noise(image, 1)];
    return [0, 1, 2].reduce((sum, c) => {
      const difference = a.reduce((total, value, i) => total + 0.5 * (value - b[i]!) * Math.cos(3 * i + c), 0);
      return sum + difference ** 2 / 2 / 3;
    }, 0);
  });
  const mean = (variances[0]! + variances[1]!) / 2, found = (values["logits"]! as unknown as number[])[0]!;
  assert.ok(Math.abs(found / mean - 1) < 1e-4, `${found} is not ${mean}`);
  const error = (values["logitsError"]! as unknown as number[])[0]!,
    expected = Math.abs(variances[0]! - variances[1]!) / 2;
  assert.ok(Math.abs(error / expected - 1) < 1e-3, `${error} is not ${expected}`);
});

for (const definition of [outputVariance, noiseGradientNorm]) {
  testOnEngines(`${definition.name} gives the same values twice, leaks nothing, and grows from σ = 0`, (engine) => {
    const tiny = tinySubject(engine, "quantized"), before = tf.memory().numTensors;
    const first = measured(definition, tiny, { sigmas: [1e-9, 0.2] });
    assert.equal(tf.memory().numTensors, before);
    assert.deepEqual(measured(definition, tiny, { sigmas: [1e-9, 0.2] }), first);
    if (definition === outputVariance) {
      assert.ok(first["logits"]![0]! < 1e-12 && first["logits"]![1]! > 1e-4);
    } else {
      for (const name of ["features", "weights"]) {
        assert.ok(Math.abs(first[name]![0]! / first["clean"]! - 1) < 1e-5);
        assert.ok(first[`${name}Error`]![1]! > 1e-4);
      }
      assert.notDeepEqual(first["features"]![1], first["weights"]![1]);
    }
  });
}

testOnEngines(
  "noise_gradient_norm without noise is the norm of the gradient of the mean loss, in batches or in one",
  (engine) => {
    const { subject, network } = tinySubject(engine, "full");
    const { clean } = measured(noiseGradientNorm, { subject, network }, { sigmas: [0.1], draws: 2 });
    const names = subject.model.layers.map(paths.weight);
    const gradients = tf.grads((...weights: Tensor[]) => {
      const params = { ...network.params, ...Object.fromEntries(names.map((name, i) => [name, weights[i]!])) };
      const images = tf.div(
        tf.sub(tf.div(tf.tensor(subject.dataset.train.images, [6, 5, 5, 2], "float32"), 255), 0.5),
        0.25,
      );
      const context = { params, state: network.state, training: false, quantization: null, hooks: {}, updates: {} };
      const { logits } = subject.model.forward(context, images);
      return tf.losses.softmaxCrossEntropy(tf.oneHot([...subject.dataset.train.labels], 3), logits);
    })(names.map((name) => network.params[name]!));
    const norm = Math.sqrt(gradients.reduce((sum, gradient) => sum + tf.sum(tf.square(gradient)).dataSync()[0]!, 0));
    assert.ok(Math.abs(clean! / norm - 1) < 1e-5, `${clean} is not ${norm}`);
  },
);
