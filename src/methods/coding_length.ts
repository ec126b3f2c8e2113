/** Coding length of lossy data coding, the ground of MEC (Ma et al. 2007; Liu et al. 2022, arXiv:2210.11464). */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { logDet } from "../engine/ops.ts";

/** Form of log det(I + C): exact, or the first terms of tr(C - C²/2 + C³/3 - C⁴/4), which needs ‖C‖ < 1. */
export const DETERMINANTS = ["exact", "taylor2", "taylor4"] as const;
export type Determinant = typeof DETERMINANTS[number];

export interface CodingOptions {
  /** MEC's eps_d = eps²/d, the distortion per dimension; a scalar where it changes from step to step. */
  readonly distortion: number | Tensor;
  /** @default "exact" */
  readonly determinant?: Determinant;
  /**
   * The rows of a second view, beside those of the first: C = Z^T Z' / (n eps_d). Not symmetric, so for a series only.
   * @default the first view's own
   */
  readonly other?: Tensor;
  /**
   * n of each block, [k], where rows belong to it in part.
   * @default m
   */
  readonly counts?: Tensor;
}

/** Rows divided by their length; a row of zeros stays zero. */
export function normaliseRows(z: Tensor): Tensor {
  const squares = tf.sum(tf.square(z), -1, true);
  return tf.mul(z, tf.rsqrt(tf.maximum(squares, 1e-12)));
}

/**
 * eps_d log det(I + Z^T Z / (m eps_d)) for each block of rows: the coding length without (m + d)/2 and scaled by
 * 1/(lambda m) = eps_d, as MEC's code scales it, so that its size hardly depends on eps_d.
 *
 * The smaller side is taken: det(I_d + Z^T Z) = det(I_m + Z Z^T), and powers of either product have one trace.
 *
 * @param z [k, m, d]: k blocks of m rows, of length 1 unless they belong to a block in part.
 * @returns [k].
 * @throws {RangeError} If the exact determinant of two views is asked for.
 */
export function codingLength(z: Tensor, options: CodingOptions): Tensor {
  const { distortion, determinant = "exact", other = z } = options;
  if (determinant === "exact" && other !== z) {
    throw new RangeError("Cannot take the exact determinant of two views as it may be negative: take a Taylor series");
  }
  const [, m, d] = z.shape as [number, number, number];
  const gram = d <= m ? tf.matMul(z, other, true, false) : tf.matMul(z, other, false, true);
  const c = tf.mul(gram, inverseScale(m, options));
  const value = determinant === "exact"
    ? logDet(tf.add(c, tf.eye(Math.min(m, d))))
    : seriesTrace(c, determinant === "taylor2" ? 2 : 4);
  return tf.mul(value, distortion);
}

/** 1 / (n eps_d), for each block where n is its own. */
function inverseScale(m: number, { distortion, counts }: CodingOptions): number | Tensor {
  if (counts) return tf.reshape(tf.reciprocal(tf.mul(counts, distortion)), [-1, 1, 1]);
  return typeof distortion === "number" ? 1 / (m * distortion) : tf.reciprocal(tf.mul(distortion, m));
}

/**
 * tr(C - C²/2 + C³/3 - C⁴/4), or its first two terms. Only even orders, as MEC has them: they are concave in every
 * eigenvalue, so that maximising them evens the eigenvalues out even where the series does not converge.
 */
function seriesTrace(c: Tensor, order: 2 | 4): Tensor {
  const transposed = tf.transpose(c, [0, 2, 1]);
  /** tr(A B) from A and B^T. */
  const trace = (a: Tensor, bTransposed: Tensor) => tf.sum(tf.mul(a, bTransposed), [1, 2]);
  const first = trace(c, tf.eye(c.shape[1]!)), second = trace(c, transposed);
  const low = tf.sub(first, tf.div(second, 2));
  if (order === 2) return low;
  const square = tf.matMul(c, c);
  const third = trace(square, transposed), fourth = trace(square, tf.transpose(square, [0, 2, 1]));
  return tf.add(low, tf.sub(tf.div(third, 3), tf.div(fourth, 4)));
}
