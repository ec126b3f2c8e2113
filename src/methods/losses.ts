/** Losses that several methods share; logits are [batch, classes], results are scalars, means over the batch. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "../engine/types.ts";
import { normaliseRows } from "./coding_length.ts";

/** -mean_i sum_c y_ic log softmax(logits)_ic */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return tf.neg(tf.mean(tf.sum(tf.mul(labels, tf.logSoftmax(logits)), -1)));
}

/** KL(softmax(target) || softmax(logits)) = sum_c p_t (log p_t - log p_s), mean over the batch; no gradient to `target`. */
export function klDivergence(logits: Tensor, target: Tensor): Tensor {
  const logTarget = tf.logSoftmax(target);
  return tf.mean(tf.sum(tf.mul(tf.exp(logTarget), tf.sub(logTarget, tf.logSoftmax(logits))), -1));
}

/** (1/C) sum_c (softmax(logits)_c - softmax(target)_c)², in [0, 2/C]: Mean Teacher's consistency on probabilities. */
export function squaredDistance(logits: Tensor, target: Tensor): Tensor {
  return tf.mean(tf.square(tf.sub(softmax(logits), softmax(target))));
}

/** exp(log softmax): its gradient needs no kernel of its own. */
function softmax(logits: Tensor): Tensor {
  return tf.exp(tf.logSoftmax(logits));
}

/** ‖a/‖a‖ - b/‖b‖‖² = 2 - 2 cos(a, b), in [0, 4], of features [batch, d] (BYOL Eq. 2). */
export function cosineDistance(features: Tensor, target: Tensor): Tensor {
  return tf.mean(tf.sum(tf.square(tf.sub(normaliseRows(features), normaliseRows(target))), -1));
}
