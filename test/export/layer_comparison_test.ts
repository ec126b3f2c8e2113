/** The integers of each layer's input by our engine, as the comparison of layers reads them. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { layerInputs } from "../../src/export/layer_comparison.ts";
import { ownLeaves, ownNumbers, paths } from "../../src/nn/layers.ts";
import type { ModelQuantization } from "../../src/nn/types.ts";
import type { ActivationQuantizer } from "../../src/quant/types.ts";
import { testOnEngines } from "../support/engines.ts";
import { randomImages, smallNetwork } from "../support/small_network.ts";

const DATASET = randomImages(2);

/** The same quantizer, which states the integers behind its values: those of zero point `zero`. */
function stating(input: ActivationQuantizer, zero: number): ActivationQuantizer {
  return {
    ...input,
    quantizeScaled(scaled, own) {
      const rounded = input.quantizeScaled(scaled, own);
      return { ...rounded, levels: tf.add(rounded.values, zero) };
    },
  };
}

testOnEngines("layerInputs() adds a whole zero point to values, and not to stated levels", (engine) => {
  const source = smallNetwork(engine, DATASET, { model: "resnet8", quantizer: "lsq_asymmetric", bits: 4 });
  const { model, network } = source, quantization = source.quantization!;
  const zeros = model.layers.map((layer) => {
    const own = ownNumbers(ownLeaves(network, paths.inputQuantizer(layer)));
    return quantization[layer.path]!.input.grid!(own).zero[0]!;
  });
  assert.ok(zeros.every(Number.isInteger) && zeros.some((zero) => zero > 0), `${zeros}`);
  const stated: ModelQuantization = Object.fromEntries(
    model.layers.map(({ path }, i) => {
      const { weight, input } = quantization[path]!;
      return [path, { weight, input: stating(input, zeros[i]!) }];
    }),
  );
  const images = tf.tensor(Int32Array.from(DATASET.test.images), [2, ...DATASET.imageShape], "int32");
  const [plain, asStated] = [quantization, stated].map((quantization) => {
    const reader = layerInputs(engine, { model, quantization, scale: DATASET });
    const inputs = reader.of(network, images);
    reader.dispose();
    return inputs;
  });
  assert.deepEqual(asStated, plain);
  for (const { path } of model.layers) {
    const { low, high } = quantization[path]!.input.grid!({
      step_size: new Float32Array(1),
      zero_point: new Float32Array(1),
    });
    assert.ok(plain!.integers[path]!.every((q) => Number.isInteger(q) && q >= low && q <= high), path);
  }
  images.dispose();
  source.dispose();
});
