import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { NetworkTensors } from "../methods/types.ts";
import { weightShape } from "../nn/initialise.ts";
import { channelsLast, ownLeaves, paths } from "../nn/layers.ts";
import type { Layer } from "../nn/types.ts";
import { type Stream, stream } from "../random/stream.ts";
import type { MeasuredValues } from "../record/measurement.ts";
import { valueAndGradients } from "../train/gradients.ts";
import { type Leaves, mapTree } from "../tree.ts";
import { disposeImages, meanAndError, type MeasuredBatch, measuredImages, weightedLoss } from "./batches.ts";
import { WEIGHT_SIDES, type WeightSide, withChangedWeights } from "./probed.ts";
import type { MeasurementDefinition, Measuring, Subject } from "./types.ts";

/** Images of one pass; what a pass takes of memory, and nothing of the result but its last bits. */
const BATCH = 128;

const optionsSchema = z.strictObject({
  /** Training images of the loss, not augmented; all where there are fewer. */
  images: z.int().positive().default(1024),
  /** Rademacher vectors. */
  probes: z.int().min(2).default(16),
  /** r: ε is r times the root mean square of all weights. */
  relativeStep: z.number().positive().default(0.03),
  /** The weights that are moved: those that are learned, or their quantized values. */
  moved: z.enum(WEIGHT_SIDES).default("quantized"),
  /** Seed of the probes: the same probes for every run. */
  seed: z.int().nonnegative().default(0),
});
type Options = z.infer<typeof optionsSchema>;

type Inputs = {
  readonly network: NetworkTensors;
  readonly directions: Leaves<Tensor>;
  readonly epsilon: Tensor;
  readonly batch: MeasuredBatch;
};

/** Signs a word of a stream gives. */
const SIGNS_A_WORD = 32;

/** A Rademacher vector: each entry +1 or -1 with probability 1/2, one bit of the stream an entry, the lowest first. */
export function rademacher(count: number, draws: Stream): Float32Array {
  const signs = new Float32Array(count);
  for (let i = 0, word = 0; i < count; i++) {
    word = i % SIGNS_A_WORD === 0 ? draws.word() : word >>> 1;
    signs[i] = word & 1 ? 1 : -1;
  }
  return signs;
}

/**
 * The parts v_l · (∇L(ε v) - ∇L(-ε v))_l / (2 ε) of vᵀ H v by central differences of the gradient, one a leaf, by sorted
 * name: [leaves]. Exact for a quadratic loss; else off by O(ε²) where L is smooth.
 *
 * With E[v vᵀ] = I the expectation of a leaf's part is the trace of its diagonal block of H, and that of the sum is Tr H
 * (Hutchinson 1990).
 *
 * @param loss The loss where its parameters are moved by the given leaves; a scalar.
 */
export function curvatureParts(
  loss: (displacement: Leaves<Tensor>) => Tensor,
  probe: { directions: Leaves<Tensor>; epsilon: Tensor },
): Tensor {
  const { directions, epsilon } = probe;
  const gradientsAt = (distance: Tensor) => {
    const displacement = mapTree<Tensor, Tensor>(directions, (v) => tf.mul(v, distance)) as Leaves<Tensor>;
    return valueAndGradients(displacement, (moved) => ({ loss: loss(moved), aux: {} })).gradients;
  };
  const ahead = gradientsAt(epsilon), behind = gradientsAt(tf.neg(epsilon));
  const parts = Object.keys(directions).sort().map((name) =>
    tf.sum(tf.mul(directions[name]!, tf.sub(ahead[name]!, behind[name]!)))
  );
  return tf.div(tf.stack(parts), tf.mul(epsilon, 2));
}

function start(subject: Subject, options: Options): Measuring {
  const { engine, model, dataset } = subject;
  const layers = [...model.layers].sort((a, b) => a.path < b.path ? -1 : 1); // as curvatureParts orders its leaves
  const program = engine.compile(({ network, directions, epsilon, batch }: Inputs) => ({
    parts: curvatureParts((displacement) =>
      weightedLoss(subject, {
        network,
        batch,
        quantization: withChangedWeights(
          subject.quantization,
          options.moved,
          (weight, path) => tf.add(weight, tf.reshape(displacement[path]!, weight.shape)),
        ),
      }), { directions, epsilon }),
  }));
  return {
    measure(network) {
      const counts = layers.map((layer) => network.params[paths.weight(layer)]!.size);
      const total = counts.reduce((sum, size) => sum + size, 0);
      const squares = layers.map((layer) => squaredNorm(subject, options.moved, { layer, network }));
      const step = options.relativeStep * Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / total);
      const images = measuredImages(dataset.train, subject.trainingIndices, {
        ...dataset,
        count: options.images,
        batchSize: BATCH,
      });
      const epsilon = tf.scalar(step), parts: number[][] = [];
      for (let probe = 0; probe < options.probes; probe++) {
        const directions = Object.fromEntries(layers.map((layer) => {
          const draws = stream({ seed: options.seed, purpose: "probe", a: probe, b: layer.index });
          const shape = weightShape(layer), size = shape.reduce((product, dim) => product * dim, 1);
          return [layer.path, tf.tensor(rademacher(size, draws), shape)];
        }));
        const sums = new Array<number>(layers.length).fill(0);
        for (const batch of images.batches) {
          const { parts: found } = program({ network, directions, epsilon, batch });
          found.dataSync().forEach((value, i) => sums[i]! += value);
          found.dispose();
        }
        tf.dispose(directions);
        parts.push(sums);
      }
      epsilon.dispose();
      disposeImages(images);
      return { images: images.count, step, parameters: total, ...summary(parts, { layers, counts, squares }) };
    },
    dispose: () => program.dispose(),
  };
}

/** @param parts One number per layer, of each probe. */
function summary(
  parts: readonly (readonly number[])[],
  { layers, counts, squares }: {
    layers: readonly { readonly path: string }[];
    counts: readonly number[];
    squares: readonly number[];
  },
): MeasuredValues {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const scale = squares.map((square, i) => square / counts[i]!);
  const probes = parts.map(sum);
  const trace = meanAndError(probes);
  const relative = meanAndError(parts.map((values) => sum(values.map((value, i) => value * scale[i]!))));
  const ofLayers = layers.map(({ path }, i) => [path, meanAndError(parts.map((values) => values[i]!)).mean] as const);
  return {
    trace: trace.mean,
    standardError: trace.standardError,
    relativeTrace: relative.mean,
    relativeStandardError: relative.standardError,
    probes,
    layers: Object.fromEntries(ofLayers),
  };
}

/** Squared norm of a layer's weight, learned or quantized as `moved` says. */
function squaredNorm(
  { quantization }: Subject,
  moved: WeightSide,
  { layer, network }: { layer: Layer; network: NetworkTensors },
): number {
  const values = tf.tidy(() => {
    const raw = channelsLast(layer, network.params[paths.weight(layer)]!);
    const own = ownLeaves(network, paths.weightQuantizer(layer));
    return (moved === "latent" ? raw : quantization[layer.path]!.weight.apply(raw, own)).dataSync();
  });
  return (values as Float32Array).reduce((sum, value) => sum + value * value, 0);
}

/**
 * FPQ's figure 5: the trace of the Hessian of the training loss by the weights, and its parts.
 *
 *   Tr H ≈ mean over probes of vᵀ H v,  v_i = ±1 (Hutchinson);  H v ≈ (∇L(w + ε v) - ∇L(w - ε v)) / (2 ε)
 *   ε = r rms(w) over all weights that are moved;  standardError: over probes
 *   relativeTrace: sum_l rms(w_l)² Tr H_l, the curvature by weights in units of their layer's size: scaling a layer's weight,
 *   which a batch norm behind it undoes, changes Tr H and leaves this alone;  layers: Tr H_l, l a layer
 *
 * w: weights of all convolutions and of the dense layer; biases, batch norm's γ and β, step sizes and offsets are held fixed.
 * L: mean cross-entropy of training images without augmentation, batch norm in inference mode.
 *
 * In a quantized network a rounding has no second derivative: the straight-through gradient is differenced instead, and
 * the displacement passes the weights' quantizers straight through too: `moved: "quantized"` takes ŵ ± ε v, the weights that
 * the network computes with, where the estimator's own ∂ŵ/∂w = 1 says that they are. (Weights beyond the clip, whose
 * ∂ŵ/∂w is 0, count as well.) `moved: "latent"` takes quantize(w ± ε v): a weight either stays or jumps by a whole step s,
 * so vᵀ H v is 0 as ε -> 0, and its variance grows like s / (2 ε). Activations are rounded on both sides of the difference
 * in any case: it sees the slope of the straight-through gradient over a window of 2 ε, not a derivative at a point.
 *
 * The same holds of every relu: the gradient jumps where one changes. With a small ε few jumps fall into the window and each
 * weighs 1 / (2 ε); a variance like 1 / ε is the price. r = 0.03 was chosen on a ResNet-20: the trace did not change from
 * 0.003 on in full precision and from 0.03 on at W2A2, within its error.
 *
 * Assumption: the paper names neither ε, nor the number of probes or images, nor the weights that count.
 *
 * @see Pang and Cai 2025, arXiv:2503.11159v1, figure 5; Hutchinson 1990, doi:10.1080/03610919008812866
 */
export const hessianTrace: MeasurementDefinition = {
  name: "hessian_trace",
  options: optionsSchema,
  start,
};
