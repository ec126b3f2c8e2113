/** Channel-wise standardisation, the ground of FPQ's distillation. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { batchNormTraining } from "../engine/ops.ts";

/** ε of Eq. 15; the paper gives none, this is batch normalisation's. */
const EPSILON = 1e-5;

/** z̃ = (z - μ) / sqrt(σ² + ε) for each channel, over batch, height and width: a batch norm with gamma 1 and beta 0. */
export function standardise(z: Tensor): Tensor {
  const channels = z.shape[z.rank - 1]!;
  return batchNormTraining(z, tf.ones([channels]), tf.zeros([channels]), EPSILON).y;
}

/** Mean over elements and channels of (z̃_s - z̃_t)²; the gradient goes to `student` only if `teacher` carries none. */
export function channelDistance(student: Tensor, teacher: Tensor): Tensor {
  return tf.mean(tf.square(tf.sub(standardise(student), standardise(teacher))));
}
