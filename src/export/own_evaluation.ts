import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Dataset } from "../data/types.ts";
import type { Engine } from "../engine/types.ts";
import type { NetworkTensors } from "../methods/types.ts";
import type { Model, ModelQuantization } from "../nn/types.ts";
import { forward, normaliseImages } from "../train/forward.ts";
import type { Leaves } from "../tree.ts";

/** Images that go through the network at a time. */
const BATCH = 50;

/** The class that an engine of ours gives to each of the first `count` test images. */
export function ownClasses(
  engine: Engine,
  network: NetworkTensors,
  { model, quantization, dataset, count }: {
    model: Model;
    quantization: ModelQuantization | null;
    dataset: Dataset;
    count: number;
  },
): Uint16Array {
  type Batch = { network: { params: Leaves<Tensor>; state: Leaves<Tensor> }; images: Tensor };
  const program = engine.compile(({ network, images }: Batch) => {
    const pass = { network, images: normaliseImages(images, dataset), training: false };
    return tf.argMax(forward(model, quantization, { ...pass, quantized: quantization !== null }).logits, 1);
  });
  const classes = new Uint16Array(count), { params, state } = network;
  for (let start = 0; start < count; start += BATCH) {
    const images = imageTensor(dataset, { start, end: Math.min(start + BATCH, count) });
    const found = program({ network: { params, state }, images });
    classes.set(found.dataSync(), start);
    tf.dispose([images, found]);
  }
  program.dispose();
  return classes;
}

/** Test images as a tensor of bytes [end - start, height, width, channels]. */
export function imageTensor(dataset: Dataset, { start, end }: { start: number; end: number }): Tensor {
  const size = dataset.imageShape.reduce((product, dim) => product * dim, 1);
  const bytes = Int32Array.from(dataset.test.images.subarray(start * size, end * size));
  return tf.tensor(bytes, [end - start, ...dataset.imageShape], "int32");
}
