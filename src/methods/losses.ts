/** Losses that several methods share; logits are [batch, classes], results are scalars, means over the batch. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

/** -mean_i sum_c y_ic log softmax(logits)_ic */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return tf.neg(tf.mean(tf.sum(tf.mul(labels, tf.logSoftmax(logits)), -1)));
}

/** KL(softmax(target) || softmax(logits)) = sum_c p_t (log p_t - log p_s), mean over the batch; no gradient to `target`. */
export function klDivergence(logits: Tensor, target: Tensor): Tensor {
  const logTarget = tf.logSoftmax(target);
  return tf.mean(tf.sum(tf.mul(tf.exp(logTarget), tf.sub(logTarget, tf.logSoftmax(logits))), -1));
}
