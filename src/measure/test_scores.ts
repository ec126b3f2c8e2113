import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { NetworkTensors } from "../methods/types.ts";
import { forward, normaliseImages } from "../train/forward.ts";
import type { Leaves } from "../tree.ts";
import type { MeasuredBatch, MeasuredImages } from "./batches.ts";
import { weightedCrossEntropy } from "./loss.ts";
import type { Subject } from "./types.ts";

/** Accuracy in percent and mean cross-entropy in nats. */
export interface TestScores {
  readonly top1Percent: number;
  readonly loss: number;
}

/** Scores of networks of one subject, the program compiled once. */
export interface TestScoring {
  /** Quantized, batch norm in inference mode. */
  scoresOf(network: NetworkTensors, images: MeasuredImages): TestScores;
  dispose(): void;
}

/** What a network makes of images that are given. */
export function testScoring({ engine, model, dataset, quantization }: Subject): TestScoring {
  type Network = NetworkTensors & Record<string, Leaves<Tensor>>;
  const program = engine.compile(({ network, batch }: { network: Network; batch: MeasuredBatch }) => {
    const images = normaliseImages(batch.images, dataset);
    const { logits } = forward(model, quantization, { network, images, training: false, quantized: true });
    const hits = tf.cast(tf.equal(tf.argMax(logits, 1), batch.labels), "float32");
    return { loss: weightedCrossEntropy(logits, batch), hits: tf.sum(tf.mul(hits, batch.weights)) };
  });
  return {
    scoresOf(network, images) {
      let loss = 0, hits = 0;
      for (const batch of images.batches) {
        const sums = program({ network: { ...network }, batch });
        loss += sums.loss.dataSync()[0]!;
        hits += sums.hits.dataSync()[0]!;
        tf.dispose([sums.loss, sums.hits]);
      }
      return { top1Percent: 100 * Math.round(hits * images.count) / images.count, loss }; // weights are 1/count in float32
    },
    dispose: () => program.dispose(),
  };
}
