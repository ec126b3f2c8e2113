import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { evaluationBatches } from "../data/batches.ts";
import type { Split } from "../data/types.ts";
import { oneHot } from "../engine/ops.ts";
import type { Compiled, Engine } from "../engine/types.ts";
import type { NetworkTensors } from "../methods/types.ts";
import { channelsLast, ownLeaves, paths } from "../nn/layers.ts";
import type { Model, ModelQuantization } from "../nn/types.ts";
import type { Leaves } from "../tree.ts";
import { forward, type ImageScale, normaliseImages } from "./forward.ts";

/** Images a batch of an evaluation. */
const EVALUATION_BATCH = 250;

/**
 * Images of a batch that go through the network at a time. wasm runs eagerly and has 4 GiB: all 250 would need 16 MiB an
 * image of the narrow MobileNetV2 at LSQ. A network treats each image by itself, so that parts change no bit of the logits.
 */
const IMAGES_AT_ONCE = { onednn: EVALUATION_BATCH, tensorflow: EVALUATION_BATCH, wasm: 25 } as const;

type Inputs = {
  network: { params: Leaves<Tensor>; state: Leaves<Tensor> };
  images: Tensor;
  labels: Tensor;
  valid: Tensor;
};
type Sums = { loss: Tensor; correct: Tensor };
type Levels = { weights: Tensor; inputs: Tensor };

/** Accuracy and loss over a split. */
export interface Evaluation {
  readonly top1Percent: number;
  readonly loss: number;
}

/** Evaluates a network; compiled once for a run. */
export class Evaluator {
  readonly #model: Model;
  readonly #quantization: ModelQuantization | null;
  readonly #sums: Compiled<Inputs, Sums>;
  readonly #levels: Compiled<Inputs, Levels>;

  constructor(
    engine: Engine,
    model: Model,
    options: { quantization: ModelQuantization | null; scale: ImageScale },
  ) {
    const { quantization, scale } = options, atOnce = IMAGES_AT_ONCE[engine.name];
    this.#model = model;
    this.#quantization = quantization;
    this.#sums = engine.compile(({ network, images, labels, valid }: Inputs) => {
      const parts = partsOf(images, atOnce).map((part) =>
        tf.tidy(() =>
          forward(model, quantization, {
            network,
            images: normaliseImages(part, scale),
            training: false,
            quantized: quantization !== null,
          }).logits
        )
      );
      const logits = parts.length === 1 ? parts[0]! : tf.concat(parts); // [batch, classes]
      const losses = crossEntropies(logits, labels);
      const hits = tf.cast(tf.equal(tf.argMax(logits, 1), labels), "float32");
      return { loss: tf.sum(tf.mul(losses, valid)), correct: tf.sum(tf.mul(hits, valid)) };
    });
    this.#levels = engine.compile(({ network, images }: Inputs) => {
      const parts = partsOf(images, atOnce).map((part) =>
        tf.tidy(() => {
          const weights: Tensor[] = [], inputs: Tensor[] = [];
          forward(model, quantization, {
            network,
            images: normaliseImages(part, scale),
            training: false,
            quantized: true,
            hooks: {
              input(layer, input) {
                inputs.push(range(input.levels ?? input.values));
                const raw = channelsLast(layer, network.params[paths.weight(layer)]!);
                const own = ownLeaves(network, paths.weightQuantizer(layer));
                weights.push(range(quantization![layer.path]!.weight.levels(raw, own)));
                return input;
              },
            },
          });
          return { weights: tf.stack(weights), inputs: tf.stack(inputs) };
        })
      );
      return { weights: parts[0]!.weights, inputs: widest(parts.map(({ inputs }) => inputs)) };
    });
  }

  /**
   * Mean loss and top-1 accuracy over the images `indices` of `split`, with running batch norm statistics.
   * @throws {Error} If a quantized tensor takes more than 2^bits levels: the quantizer is then not what it says.
   */
  evaluate(
    network: NetworkTensors,
    split: Split,
    options: { indices: Uint32Array; imageShape: readonly number[] },
  ): Evaluation {
    let loss = 0, correct = 0, checked = this.#quantization === null;
    for (const batch of evaluationBatches(split, options.indices, EVALUATION_BATCH)) {
      const inputs: Inputs = {
        network: { params: network.params, state: network.state },
        images: tf.tensor(batch.images, [EVALUATION_BATCH, ...options.imageShape], "int32"),
        labels: tf.tensor1d(batch.labels, "int32"),
        valid: tf.tensor1d(Float32Array.from({ length: EVALUATION_BATCH }, (_, i) => i < batch.valid ? 1 : 0)),
      };
      try {
        if (!checked) this.#checkLevels(inputs);
        checked = true;
        const sums = this.#sums(inputs);
        loss += sums.loss.dataSync()[0]!;
        correct += sums.correct.dataSync()[0]!;
        tf.dispose([sums.loss, sums.correct]);
      } finally {
        tf.dispose([inputs.images, inputs.labels, inputs.valid]);
      }
    }
    return { top1Percent: 100 * correct / options.indices.length, loss: loss / options.indices.length };
  }

  #checkLevels(inputs: Inputs): void {
    const levels = this.#levels(inputs), found = { weight: levels.weights.dataSync(), input: levels.inputs.dataSync() };
    tf.dispose([levels.weights, levels.inputs]);
    for (const kind of ["weight", "input"] as const) {
      const values = found[kind];
      this.#model.layers.forEach((layer, i) => {
        const [min, max, fraction] = [values[3 * i]!, values[3 * i + 1]!, values[3 * i + 2]!];
        const { bits } = this.#quantization![layer.path]![kind];
        // NaN fails every comparison and is the divergence check's business
        if (max - min + 1 > 2 ** bits || fraction > 0) {
          throw new Error(
            `Cannot trust the quantizer of the ${kind} of ${layer.path} as it must use at most ${
              2 ** bits
            } integer levels: ` +
              `they span ${min} to ${max}, off the grid by ${fraction}`,
          );
        }
      });
    }
  }

  dispose(): void {
    this.#sums.dispose();
    this.#levels.dispose();
  }
}

/** Cross-entropy of each image, [batch]; labels are integers. */
export function crossEntropies(logits: Tensor, labels: Tensor): Tensor {
  return tf.neg(tf.sum(tf.mul(oneHot(labels, logits.shape[1]!), tf.logSoftmax(logits)), -1));
}

/** Images [batch, h, w, c] in parts of at most `size`. */
function partsOf(images: Tensor, size: number): Tensor[] {
  const [count, ...shape] = images.shape as [number, ...number[]];
  if (count <= size) return [images];
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => {
    const start = i * size, first = [start, ...shape.map(() => 0)];
    return tf.slice(images, first, [Math.min(size, count - start), ...shape]);
  });
}

/** [min, max, largest distance from an integer] */
function range(levels: Tensor): Tensor {
  return tf.tidy(() => tf.stack([tf.min(levels), tf.max(levels), tf.max(tf.abs(tf.sub(levels, tf.round(levels))))]));
}

/** The ranges [layers, 3] over all parts, from those of each. */
function widest(ranges: readonly Tensor[]): Tensor {
  if (ranges.length === 1) return ranges[0]!;
  const all = tf.stack([...ranges]); // [parts, layers, 3]
  return tf.concat([tf.slice(tf.min(all, 0), [0, 0], [-1, 1]), tf.slice(tf.max(all, 0), [0, 1], [-1, 2])], 1);
}
