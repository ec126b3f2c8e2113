import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { endlessBatchAt } from "../data/batches.ts";
import type { NetworkTensors } from "../methods/types.ts";
import { NORM_MOMENTUM, paths } from "../nn/layers.ts";
import { forward, normaliseImages } from "../train/forward.ts";
import { type Leaves, mapTree } from "../tree.ts";
import { testEvaluator } from "./batches.ts";
import type { MeasurementDefinition, Measuring, Subject } from "./types.ts";

/** Images whose statistics are taken at once: the batch of training. */
const BATCH = 128;

const optionsSchema = z.strictObject({
  /** Batches of training images, of 128 or of all where there are fewer. */
  batches: z.int().positive().default(40),
  /** Augmentation of them: the training's, as black borders of a crop shift the statistics. */
  augmentation: z.enum(["none", "crop_flip"]).default("crop_flip"),
  /** Seed of their order and crops: the same for every run. */
  seed: z.int().nonnegative().default(0),
  /** Test images of the accuracies; all where there are fewer. */
  testImages: z.int().positive().default(10_000),
});
type Options = z.infer<typeof optionsSchema>;

/** Sums over batches of each tensor, in float64. */
class Sums {
  readonly #sums = new Map<string, { shape: number[]; values: Float64Array }>();

  add(leaves: Leaves<Tensor>): void {
    for (const [path, tensor] of Object.entries(leaves)) {
      const sum = this.#sums.get(path) ?? { shape: tensor.shape, values: new Float64Array(tensor.size) };
      tensor.dataSync().forEach((value, i) => sum.values[i]! += value);
      this.#sums.set(path, sum);
    }
  }

  /** The sums divided by `count`. */
  means(count: number): Record<string, Tensor> {
    return Object.fromEntries(
      [...this.#sums].map(([path, { shape, values }]) => [
        path,
        tf.tensor(Float32Array.from(values, (value) => value / count), shape),
      ]),
    );
  }
}

function start(subject: Subject, options: Options): Measuring {
  const { engine, model, dataset, quantization } = subject;
  const statistics = engine.compile(({ network, images }: { network: NetworkTensors; images: Tensor }) => {
    // from running statistics of 0 an update is momentum times the batch's own
    const state: Record<string, Tensor> = { ...network.state };
    for (const path of model.norms.flatMap((norm) => [paths.mean(norm), paths.variance(norm)])) {
      state[path] = tf.zeros(state[path]!.shape);
    }
    const { updates } = forward(model, quantization, {
      network: { params: network.params, state },
      images: normaliseImages(images, dataset),
      training: true,
      quantized: true,
    });
    return { ofBatch: mapTree<Tensor, Tensor>(updates, (update) => tf.div(update, NORM_MOMENTUM)) as Leaves<Tensor> };
  });
  const evaluator = testEvaluator(subject);

  /** Means over batches of each norm's statistics; the caller disposes them. */
  function takeAgain(network: NetworkTensors, batchSize: number): Record<string, Tensor> {
    const sums = new Sums(), { imageShape } = dataset, { augmentation, seed } = options;
    const common = {
      split: dataset.train,
      indices: subject.trainingIndices,
      batchSize,
      imageShape,
      augmentation,
      seed,
    };
    for (let step = 0; step < options.batches; step++) {
      const { views } = endlessBatchAt({ ...common, step, views: 1 });
      const images = tf.tensor(views[0]!, [batchSize, ...imageShape], "int32");
      const { ofBatch } = statistics({ network, images });
      sums.add(ofBatch);
      tf.dispose([images, ...Object.values(ofBatch)]);
    }
    return sums.means(options.batches);
  }

  return {
    measure(network) {
      const batchSize = Math.min(BATCH, subject.trainingIndices.length);
      const { imageShape } = dataset, indices = subject.testIndices.subarray(0, options.testImages);
      const again = takeAgain(network, batchSize);
      const running = evaluator.evaluate(network, dataset.test, { indices, imageShape });
      const moved = { params: network.params, state: { ...network.state, ...again } };
      const recalibrated = evaluator.evaluate(moved, dataset.test, { indices, imageShape });
      tf.dispose(Object.values(again));
      return {
        images: options.batches * batchSize,
        testImages: indices.length,
        top1Percent: running.top1Percent,
        loss: running.loss,
        recalibratedTop1Percent: recalibrated.top1Percent,
        recalibratedLoss: recalibrated.loss,
      };
    },
    dispose() {
      statistics.dispose();
      evaluator.dispose();
    },
  };
}

/**
 * Loss of a network by the running statistics of its batch norms: accuracy and loss with them, and with statistics that
 * are taken again from training images.
 *
 *   μ = mean over batches of the batch's mean,  σ² = mean over batches of its variance (Bessel-corrected),
 *   each norm normalising its own batch meanwhile, as in training;  then top-1 and loss of the test images with μ and σ²
 *
 * Running statistics follow the network that trains. Where weights jump between levels, or where the network that is
 * evaluated is an average of those that trained, they may be another network's.
 *
 * Source: the usual step after averaging weights (Izmailov et al., UAI 2018, arXiv:1803.05407, and
 * `torch.optim.swa_utils.update_bn`), and for oscillating low-bit weights (Nagel et al., ICML 2022, arXiv:2203.11086).
 * The images are those that a training of `seed` would start with.
 */
export const normRecalibration: MeasurementDefinition = {
  name: "norm_recalibration",
  options: optionsSchema,
  start,
};
