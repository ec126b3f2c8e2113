import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { uniformPerturbation } from "../engine/ops.ts";
import type { NetworkTensors } from "../methods/types.ts";
import { paths } from "../nn/layers.ts";
import type { Hooks } from "../nn/types.ts";
import { scaleGradient } from "../quant/step_size.ts";
import { noiseState } from "../random/stream.ts";
import { valueAndGradients } from "../train/gradients.ts";
import { type Leaves, mapTree } from "../tree.ts";
import {
  disposeImages,
  meanAndError,
  type MeasuredBatch,
  type MeasuredImages,
  measuredImages,
  weightedLoss,
} from "./batches.ts";
import { withChangedWeights } from "./probed.ts";
import type { MeasurementDefinition, Measuring, Subject } from "./types.ts";

/** Images of one pass: features are perturbed by the root mean square of a pass. */
const BATCH = 128;

/** Standard deviation of U[-1/2, 1/2) is 1 / sqrt(12). */
const UNIT_NOISE = Math.sqrt(12);

const optionsSchema = z.strictObject({
  /** Training images of the loss, not augmented; all where there are fewer. */
  images: z.int().positive().default(512),
  /** Draws of the noise. */
  draws: z.int().min(2).default(4),
  /** σ: standard deviation of the noise, relative to the root mean square of the tensor that it is added to. */
  sigmas: z.array(z.number().positive()).min(1).default([0.01, 0.03, 0.1, 0.3]),
  /** Seed of the noise: the same for every run. */
  seed: z.int().nonnegative().default(0),
});
type Options = z.infer<typeof optionsSchema>;

type Inputs = {
  readonly network: NetworkTensors;
  readonly batch: MeasuredBatch;
  /** Gradients of the batches before, by path. */
  readonly sum: Leaves<Tensor>;
  /** Scalars. */
  readonly sigma: { readonly features: Tensor; readonly weights: Tensor };
  /** int32 [6], start of the noise. */
  readonly state: Tensor;
};

/** x + σ rms(x) n, n uniform with standard deviation 1. */
export function perturbed(x: Tensor, noise: { state: Tensor; stream: number; sigma: Tensor }): Tensor {
  const { state, stream, sigma } = noise, active = tf.cast(tf.greater(sigma, 0), "float32"); // no draws without noise
  const unit = uniformPerturbation(tf.zerosLike(x), { state, stream, active });
  const size = scaleGradient(tf.sqrt(tf.mean(tf.square(x))), 0); // the noise is held fixed
  return tf.add(x, tf.mul(unit, tf.mul(size, tf.mul(sigma, UNIT_NOISE))));
}

function start(subject: Subject, options: Options): Measuring {
  const { engine, model, dataset } = subject;
  const convolutions = new Map(
    model.layers.filter(({ kind }) => kind !== "dense").map(({ path, index }) => [path, index]),
  );
  const program = engine.compile(({ network, batch, sum, sigma, state }: Inputs) => {
    const quantization = withChangedWeights(subject.quantization, "quantized", (weight, path) => {
      const index = convolutions.get(path);
      return index === undefined ? weight : perturbed(weight, { state, stream: 2 * index + 1, sigma: sigma.weights });
    });
    const hooks: Hooks = {
      input: (layer, input) =>
        convolutions.has(layer.path)
          ? { ...input, values: perturbed(input.values, { state, stream: 2 * layer.index, sigma: sigma.features }) }
          : input,
    };
    const learned = Object.fromEntries(Object.keys(sum).map((path) => [path, network.params[path]!]));
    const { gradients } = valueAndGradients(learned, (moved) => ({
      loss: weightedLoss(subject, {
        network: { params: { ...network.params, ...moved }, state: network.state },
        batch,
        quantization,
        hooks,
      }),
      aux: {},
    }));
    return {
      sum: mapTree<Tensor, Tensor>(gradients, (gradient, path) => tf.add(gradient, sum[path]!)) as Leaves<Tensor>,
    };
  });

  /** Norm of the gradient over all images with one draw of the noise. */
  function gradientNorm(
    network: NetworkTensors,
    images: MeasuredImages,
    noise: { features: number; weights: number; draw: number },
  ): number {
    const sigma = { features: tf.scalar(noise.features), weights: tf.scalar(noise.weights) };
    let sum: Leaves<Tensor> = Object.fromEntries(
      model.layers.map((layer) => [paths.weight(layer), tf.zerosLike(network.params[paths.weight(layer)]!)]),
    );
    images.batches.forEach((batch, i) => {
      const step = noise.draw * images.batches.length + i;
      const state = tf.tensor1d(noiseState({ seed: options.seed, step, purpose: "measurement" }), "int32");
      const next = program({ network, batch, sum, sigma, state }).sum;
      tf.dispose([state, ...Object.values(sum)]);
      sum = next;
    });
    let square = 0;
    for (const gradient of Object.values(sum)) for (const value of gradient.dataSync()) square += value * value;
    tf.dispose([sigma.features, sigma.weights, ...Object.values(sum)]);
    return Math.sqrt(square);
  }

  return {
    measure(network) {
      const images = measuredImages(dataset.train, subject.trainingIndices, {
        ...dataset,
        count: options.images,
        batchSize: BATCH,
      });
      const over = (kind: "features" | "weights") =>
        options.sigmas.map((sigma) =>
          meanAndError(
            Array.from(
              { length: options.draws },
              (_, draw) => gradientNorm(network, images, { features: 0, weights: 0, draw, [kind]: sigma }),
            ),
          )
        );
      const clean = gradientNorm(network, images, { features: 0, weights: 0, draw: 0 });
      const features = over("features"), weights = over("weights");
      disposeImages(images);
      return {
        images: images.count,
        clean,
        features: features.map(({ mean }) => mean),
        featuresError: features.map(({ standardError }) => standardError),
        weights: weights.map(({ mean }) => mean),
        weightsError: weights.map(({ standardError }) => standardError),
      };
    },
    dispose: () => program.dispose(),
  };
}

/**
 * FPQ's figure 2: the norm of the gradient under noise on the features, beside noise of equal relative size on the weights.
 *
 *   x̂_l + σ rms(x̂_l) n,  or  ŵ_l + σ rms(ŵ_l) n,  for every convolution l;  n ~ U[-√3, √3), so standard deviation 1
 *   values: ‖∇_w L‖₂, mean over draws of n and its standard error; `clean` without noise
 *
 * x̂_l and ŵ_l are what the convolution computes with, behind their quantizers, so the noise leaves the levels. w are the
 * latent weights of all convolutions and of the dense layer, the gradient straight-through; L is the mean cross-entropy of
 * training images, batch norm in inference mode; every image has noise of its own, weights one draw for each 128 images.
 *
 * Assumption, all of it but the two axes: the paper gives neither the noise, nor its sizes, nor the norm.
 *
 * @see Pang and Cai 2025, arXiv:2503.11159v1, figure 2
 */
export const noiseGradientNorm: MeasurementDefinition = {
  name: "noise_gradient_norm",
  options: optionsSchema,
  start,
};
