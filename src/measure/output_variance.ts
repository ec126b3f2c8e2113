import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { NetworkTensors } from "../methods/types.ts";
import { stream } from "../random/stream.ts";
import { forward, normaliseImages } from "../train/forward.ts";
import { disposeImages, meanAndError, measuredImages } from "./batches.ts";
import type { MeasurementDefinition, Measuring, Subject } from "./types.ts";

const BATCH = 128;

const optionsSchema = z.strictObject({
  /** Test images; all where there are fewer. */
  images: z.int().min(2).default(512),
  /** T: draws of the noise for each image. */
  draws: z.int().min(2).default(8),
  /** σ: standard deviation of the noise on the normalised image, whose channels have standard deviation 1. */
  sigmas: z.array(z.number().positive()).min(1).default([0.05, 0.1, 0.2, 0.4]),
  /** Seed of the noise: the same for every run and σ. */
  seed: z.int().nonnegative().default(0),
});
type Options = z.infer<typeof optionsSchema>;

type Inputs = {
  readonly network: NetworkTensors;
  readonly images: Tensor;
  readonly noise: Tensor;
  readonly sigma: Tensor;
};

const OUTPUTS = ["logits", "softmax"] as const;
type OutputName = typeof OUTPUTS[number];

/** Sums of x and x² over draws, by place. */
class Moments {
  readonly #sum: Float64Array;
  readonly #squares: Float64Array;
  #shift: Float64Array | null = null;
  #count = 0;

  constructor(size: number) {
    this.#sum = new Float64Array(size);
    this.#squares = new Float64Array(size);
  }

  add(values: ArrayLike<number>): void {
    // sums about the first values: x² alone would lose a variance that is small beside the mean
    this.#shift ??= Float64Array.from(values);
    for (let i = 0; i < values.length; i++) {
      const distance = values[i]! - this.#shift[i]!;
      this.#sum[i]! += distance;
      this.#squares[i]! += distance * distance;
    }
    this.#count++;
  }

  /** Unbiased variances. */
  variances(): Float64Array {
    const n = this.#count;
    return this.#squares.map((square, i) => (square - this.#sum[i]! ** 2 / n) / (n - 1));
  }
}

function start(subject: Subject, options: Options): Measuring {
  const { engine, model, dataset } = subject, size = dataset.imageShape.reduce((product, dim) => product * dim, 1);
  const program = engine.compile(({ network, images, noise, sigma }: Inputs) => {
    const noisy = tf.add(normaliseImages(images, dataset), tf.mul(noise, sigma));
    const how = { network, images: noisy, training: false, quantized: true };
    const { logits } = forward(model, subject.quantization, how);
    return { logits, softmax: tf.softmax(logits) };
  });

  /** Noise of one draw for the images from `first` on. */
  function noiseOf(first: number, { count, draw }: { count: number; draw: number }): Tensor {
    const values = new Float32Array(count * size);
    for (let image = 0; image < count; image++) {
      const draws = stream({ seed: options.seed, purpose: "measurement", a: first + image, b: draw });
      for (let i = 0; i < size; i++) values[image * size + i] = draws.normal();
    }
    return tf.tensor(values, [count, ...dataset.imageShape]);
  }

  return {
    measure(network) {
      const images = measuredImages(dataset.test, subject.testIndices, {
        ...dataset,
        count: options.images,
        batchSize: BATCH,
      });
      const { classes } = model, sigmas = [0, ...options.sigmas];
      const found = sigmas.map((): Record<OutputName, number[]> => ({ logits: [], softmax: [] }));
      const clean = new Moments(classes);
      images.batches.forEach((batch, b) => {
        const count = batch.images.shape[0]!, valid = Math.min(count, images.count - b * count);
        const moments = sigmas.map(() => ({
          logits: new Moments(valid * classes),
          softmax: new Moments(valid * classes),
        }));
        for (let draw = 0; draw < options.draws; draw++) {
          const noise = noiseOf(b * count, { count, draw });
          sigmas.forEach((value, s) => {
            if (value === 0 && draw > 0) return;
            const sigma = tf.scalar(value);
            const outputs = program({ network, images: batch.images, noise, sigma });
            for (const name of OUTPUTS) {
              const values = outputs[name].dataSync().subarray(0, valid * classes);
              if (value > 0) moments[s]![name].add(values);
              else if (name === "logits") {
                for (let i = 0; i < valid; i++) clean.add(values.subarray(i * classes, (i + 1) * classes));
              }
            }
            tf.dispose([sigma, outputs.logits, outputs.softmax]);
          });
          noise.dispose();
        }
        moments.slice(1).forEach((moment, s) => {
          for (const name of OUTPUTS) {
            const variances = moment[name].variances();
            for (let i = 0; i < valid; i++) {
              found[s + 1]![name].push(mean(variances.subarray(i * classes, (i + 1) * classes)));
            }
          }
        });
      });
      disposeImages(images);
      const over = (name: OutputName) => found.slice(1).map((values) => meanAndError(values[name]));
      const logits = over("logits"), softmax = over("softmax");
      return {
        images: images.count,
        cleanLogits: mean(clean.variances()),
        logits: logits.map(({ mean }) => mean),
        logitsError: logits.map(({ standardError }) => standardError),
        softmax: softmax.map(({ mean }) => mean),
        softmaxError: softmax.map(({ standardError }) => standardError),
      };
    },
    dispose: () => program.dispose(),
  };
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * FPQ's figure 1: variance of the output under Gaussian noise on the input.
 *
 *   f(x + σ n_t), n_t ~ N(0, 1) for each value of the normalised image, t = 1 .. T
 *   values: the unbiased variance over t of each logit (and of each class's softmax), mean over classes and test images;
 *   standard errors over images; `cleanLogits`: variance of the logits over images without noise, mean over classes
 *
 * σ is in units of a channel's standard deviation over the training images. The draws are the same for every run and σ.
 * Logits grow with a network's confidence: compare `logits / cleanLogits`, or the softmax.
 *
 * Assumption, all of it but noise and output: the paper names no σ, no number of draws, and not which output.
 *
 * @see Pang and Cai 2025, arXiv:2503.11159v1, figure 1
 */
export const outputVariance: MeasurementDefinition = {
  name: "output_variance",
  options: optionsSchema,
  start,
};
