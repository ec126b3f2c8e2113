import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { exportedNetwork } from "../../src/export/network.ts";
import { ownLeaves, paths } from "../../src/nn/layers.ts";
import { forward, normaliseImages } from "../../src/train/forward.ts";
import type { Leaves } from "../../src/tree.ts";
import { testOnEngines } from "../support/engines.ts";
import { randomImages, smallNetwork } from "../support/small_network.ts";

const DATASET = randomImages(2), ULP = 2 ** -23;

// an oscillating training leaves weights there: of FPQ's network at W2A2 0.6 % are within a millionth of a step
for (const quantizer of ["lsq", "lsq_asymmetric"]) {
  testOnEngines(
    `${quantizer}: weights on rounding edges are exported as the compiled forward pass rounds them`,
    (engine) => {
      const source = smallNetwork(engine, DATASET, { model: "resnet20", quantizer, bits: 2 });
      const { model, network: { state } } = source,
        quantization = source.quantization!,
        params = { ...source.network.params };
      for (const layer of model.layers.slice(1, -1)) {
        const path = paths.weight(layer),
          raw = params[path]!,
          own = ownLeaves(source.network, paths.weightQuantizer(layer));
        const steps = own["step_size"]!.dataSync();
        const moved = Float32Array.from(raw.dataSync(), (_, i) => {
          const edge = [-1.5, -0.5, 0.5, 1.5][i % 4]!;
          return edge * steps[i % steps.length]! * (1 + ULP * (i % 7 - 3) / 2);
        });
        params[path] = tf.tensor(moved, raw.shape);
      }
      const exported = exportedNetwork({ ...source, network: { params, state } });
      // a weight of the exported integers, put where no edge is near, must give the very same logits
      const images = tf.tensor(Int32Array.from(DATASET.test.images), [2, ...DATASET.imageShape], "int32");
      const program = engine.compile(({ params }: { params: Leaves<Tensor> }) =>
        forward(model, quantization, {
          network: { params, state },
          images: normaliseImages(images, DATASET),
          training: false,
          quantized: true,
        }).logits
      );
      const before = program({ params }).dataSync(), centred = { ...params };
      for (const layer of model.layers.slice(1, -1)) {
        const path = paths.weight(layer), own = ownLeaves(source.network, paths.weightQuantizer(layer));
        const steps = own["step_size"]!.dataSync(), zero = own["zero_point"]?.dataSync();
        const { integers, shape: [outs, ins, k] } = exported.weights[layer.path]!;
        const values = new Float32Array(integers!.weight.length);
        integers!.weight.forEach((level, at) => {
          const place = at % (k! * k!), i = Math.floor(at / (k! * k!)) % ins!, o = Math.floor(at / (k! * k! * ins!));
          const c = o % steps.length;
          values[(place * ins! + i) * outs! + o] = (level - (zero?.[c] ?? 0)) * steps[c]!;
        });
        centred[path] = tf.tensor(values, params[path]!.shape);
      }
      assert.deepEqual(program({ params: centred }).dataSync(), before);
      source.dispose();
    },
  );
}
