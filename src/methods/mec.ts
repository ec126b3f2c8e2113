import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { oneHot } from "../engine/ops.ts";
import { InputError } from "../errors.ts";
import { codingLength, normaliseRows } from "./coding_length.ts";
import { crossEntropy } from "./losses.ts";
import type { Method, MethodDefinition } from "./types.ts";

const optionsSchema = z.strictObject({
  /** Weight of the coding term after its warm-up. */
  beta: z.number().nonnegative().default(0.1),
  /** K: experts over channels; must divide the feature count. */
  experts: z.int().positive().default(4),
  /** eps_d. */
  distortion: z.number().positive().default(0.125),
  /** Linear warm-up of beta. */
  warmupEpochs: z.number().nonnegative().default(1),
});
type Options = z.infer<typeof optionsSchema>;

/** Share of the new batch in the running activation scale. */
const SCALE_MOMENTUM = 0.1;

/** Features in K blocks, the channels sorted by `scale`, so that outlier channels share an expert: [K, m, d / K]. */
export function channelExperts(features: Tensor, options: { scale: Tensor; experts: number }): Tensor {
  const [m, d] = features.shape as [number, number], { experts, scale } = options;
  if (experts === 1) return tf.reshape(features, [1, m, d]);
  const { indices } = tf.topk(scale, d);
  // a permutation as a matrix: its gradient is a product too, on every engine
  const permutation = oneHot(indices, d); // [d, d]
  const sorted = tf.matMul(features as tf.Tensor2D, permutation as tf.Tensor2D, false, true);
  return tf.transpose(tf.reshape(sorted, [m, experts, d / experts]), [1, 0, 2]);
}

function create({ beta, experts, distortion, warmupEpochs }: Options): Method {
  return {
    name: "mec",
    quantized: true,
    views: 1,
    usesTeacher: false,
    initialMemory(model) {
      const features = model.layers.at(-1)!.inChannels;
      if (features % experts !== 0) {
        throw new InputError(
          `Cannot split ${features} features of ${model.name} among experts as their number must divide it: current value is ${experts}`,
        );
      }
      return { scale: tf.zeros([features]) };
    },
    stepInputs: ({ step, stepsPerEpoch }) => ({
      mecBeta: Float32Array.of(beta * Math.min(1, (step + 1) / Math.max(1, warmupEpochs * stepsPerEpoch))),
    }),
    loss({ student, memory, inputs, views, labels, forward }) {
      const { logits, features, updates } = forward({
        network: student,
        images: views[0]!,
        training: true,
        quantized: true,
      });
      const task = crossEntropy(logits, labels), scale = memory["scale"]!;
      const blocks = channelExperts(features, { scale, experts });
      const length = tf.mean(codingLength(normaliseRows(blocks), { distortion }));
      const loss = tf.sub(task, tf.mul(length, tf.reshape(inputs["mecBeta"]!, [])));
      const batchScale = tf.mean(tf.abs(features), 0);
      const newScale = tf.add(tf.mul(scale, 1 - SCALE_MOMENTUM), tf.mul(batchScale, SCALE_MOMENTUM));
      return {
        loss,
        logits,
        updates,
        metrics: { taskLoss: task, codingLength: length },
        memory: { scale: newScale },
      };
    },
  };
}

/**
 * MEC-Quant, a RECONSTRUCTION: of the paper only the abstract is known; its base, MEC, is known in full. No number of this is
 * the paper's own method.
 *
 *   L = CE(f_q(x), y) + beta L_MEC
 *   L_MEC = -(1/K) sum_k eps_d log det(I + Z_k^T Z_k / (m eps_d))                     one view, exact determinant
 *
 * Z: the quantized model's pooled features before the dense layer, one row a sample (A1). One view (A2), exact by Cholesky
 * on the smaller side (A3). Mixture of experts (A5): the d features are sorted by their running mean absolute value and cut
 * into K groups, each row of each group divided by its length, and the mean over the experts is taken, so that beta keeps
 * its meaning when K changes.
 *
 * Defaults: K = 4, eps_d = 1/8 (A7: the rank of class features is near the class count), beta = 0.1 (A8), beta warmed up
 * linearly over the first epoch.
 *
 * @see Pang et al. 2025, arXiv:2509.15514 (abstract); Liu et al., NeurIPS 2022, arXiv:2210.11464 (MEC, Eq. 1-3)
 */
export const mec: MethodDefinition = { name: "mec", options: optionsSchema, create };
