/** Coding length of lossy data coding, the ground of MEC (Ma et al. 2007; Liu et al. 2022, arXiv:2210.11464). */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { logDet } from "../engine/ops.ts";

/** What MEC calls eps_d = eps²/d, the distortion a dimension. */
export interface CodingOptions {
  readonly distortion: number;
}

/** Rows divided by their length; a row of zeros stays zero. */
export function normaliseRows(z: Tensor): Tensor {
  const squares = tf.sum(tf.square(z), -1, true);
  return tf.mul(z, tf.rsqrt(tf.maximum(squares, 1e-12)));
}

/**
 * eps_d log det(I + Z^T Z / (m eps_d)), exact, for each block of rows: the one-view coding length without (m + d)/2 and
 * scaled by 1/lambda m = eps_d, as MEC's code scales it, so that its size hardly depends on eps_d.
 *
 * The determinant is taken on the smaller side: det(I_d + Z^T Z) = det(I_m + Z Z^T).
 *
 * @param z [k, m, d]: k blocks of m rows of length 1.
 * @returns [k].
 */
export function codingLength(z: Tensor, { distortion }: CodingOptions): Tensor {
  const [, m, d] = z.shape as [number, number, number];
  const gram = d <= m ? tf.matMul(z, z, true, false) : tf.matMul(z, z, false, true);
  const side = Math.min(m, d);
  const matrix = tf.add(tf.mul(gram, 1 / (m * distortion)), tf.eye(side));
  return tf.mul(logDet(matrix), distortion);
}
