/** Small calibrated networks with uneven batch norms, as trained ones have them: for tests of the export. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Dataset } from "../../src/data/types.ts";
import type { Engine } from "../../src/engine/types.ts";
import type { ExportSource } from "../../src/export/network.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import { stream } from "../../src/random/stream.ts";
import { inputStatistics, withQuantizers } from "../../src/train/calibration.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import { toTensors } from "../../src/train/tensors.ts";

const SIDE = 8, CLASSES = 5;

/** Random images of 8 x 8 pixels as a data set; the mean and deviation are of no simple ratio, so that no pixel is a tie. */
export function randomImages(count: number): Dataset {
  const draws = stream({ seed: 11, purpose: "synthetic" });
  const images = Uint8Array.from({ length: count * SIDE * SIDE * 3 }, () => draws.integer(256));
  const split = { images, labels: Uint8Array.from({ length: count }, (_, i) => i % CLASSES), count };
  const scale = { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] };
  return {
    name: "random",
    classes: CLASSES,
    imageShape: [SIDE, SIDE, 3],
    ...scale,
    train: split,
    test: split,
    sha256: "r",
  };
}

/** A network of `model`, calibrated on all of `dataset`; `quantizer` null: full precision. */
export function smallNetwork(
  engine: Engine,
  dataset: Dataset,
  { model: name, quantizer, bits, firstLastBits = 8 }: {
    model: string;
    quantizer: string | null;
    bits: number;
    firstLastBits?: number;
  },
): ExportSource & { dispose(): void } {
  const model = modelNamed(name).build({ classes: dataset.classes, imageChannels: 3 });
  const start = initialise(model, 3), draws = stream({ seed: 7, purpose: "initialisation" });
  for (const { path } of model.norms) {
    start.params[`${path}/gamma`]!.values.forEach((_, i, values) => values[i] = 0.8 + 0.5 * draws.normal());
    start.params[`${path}/beta`]!.values.forEach((_, i, values) => values[i] = 0.2 + 0.3 * draws.normal());
    start.state[`${path}/mean`]!.values.forEach((_, i, values) => values[i] = 0.2 * draws.normal());
    start.state[`${path}/variance`]!.values.forEach((_, i, values) => values[i] = 0.5 + draws.uniform());
  }
  const common = { engine, model, imageShape: dataset.imageShape, scale: dataset };
  const tensorsOf = (data: typeof start) => ({ params: toTensors(data.params), state: toTensors(data.state) });
  const float = tensorsOf(start);
  const free = (network: typeof float) => () => tf.dispose(network as unknown as Tensor[]);
  if (quantizer === null) return { ...common, quantization: null, network: float, dispose: free(float) };
  const calibrationExamples = dataset.train.count;
  const spec = { quantizer, weightBits: bits, activationBits: bits, firstLastBits, calibrationExamples };
  const quantization = quantizationOf(model, spec)!;
  const images = tf.tensor(
    Int32Array.from(dataset.train.images),
    [calibrationExamples, ...dataset.imageShape],
    "int32",
  );
  const inputs = inputStatistics(engine, model, { network: float, images, scale: dataset, quantization });
  const network = tensorsOf(withQuantizers(start, model, { quantization, inputs }));
  images.dispose();
  free(float)();
  // a trained step size is of no simple ratio to the range that it started from
  for (const [path, tensor] of Object.entries(network.params)) {
    if (!path.endsWith("input_quantizer/step_size")) continue;
    network.params[path] = tf.mul(tensor, 0.9371);
    tensor.dispose();
  }
  return { ...common, quantization, network, dispose: free(network) };
}
