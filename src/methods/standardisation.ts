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

/**
 * Mean of x²; its gradient 2 x / n is one pass over x, where tfjs's own chain (of mean, square and their constants) is five.
 */
function meanSquare(x: Tensor): Tensor {
  const valued = tf.customGrad((...inputs) => {
    const [value, save] = inputs as [Tensor, tf.GradSaveFunc];
    save([value]);
    return {
      value: tf.mean(tf.square(value)),
      gradFunc: (dy: Tensor, [saved]: Tensor[]) => tf.mul(saved!, tf.mul(dy, 2 / value.size)),
    };
  });
  return valued(x);
}

/** Mean over elements and channels of (z̃_s - z̃_t)²; the gradient goes to `student` only if `teacher` carries none. */
export function channelDistance(student: Tensor, teacher: Tensor): Tensor {
  return meanSquare(tf.sub(standardise(student), standardise(teacher)));
}
