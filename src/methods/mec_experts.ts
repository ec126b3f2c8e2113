/** Division of MEC's features among experts, and the coding length of their parts. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../engine/ops.ts";
import { stream } from "../random/stream.ts";
import { codingLength, type CodingOptions, normaliseRows } from "./coding_length.ts";

/** The features of a batch, [m, d]; of a second view of the same images, where there is one. */
export interface Views {
  readonly features: Tensor;
  readonly other: Tensor | null;
}

type Coding = Pick<CodingOptions, "distortion" | "determinant">;

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

/** Mean over the experts of the coding length of their channels, each row of each block divided by its length. */
export function channelsLength(
  { features, other }: Views,
  options: { scale: Tensor; experts: number } & Coding,
): Tensor {
  const blocks = (z: Tensor) => normaliseRows(channelExperts(z, options));
  return tf.mean(codingLength(blocks(features), { ...options, ...(other ? { other: blocks(other) } : {}) }));
}

/** An assignment below it is taken as it: its square root has a finite gradient, and no expert has a count of 0. */
const SMALLEST_ASSIGNMENT = 1e-12;

/**
 * The coding length of experts over samples, and how unequal their shares are.
 *
 *   pi = softmax(Z W),  n_k = sum_i pi_ik = tr(P_k),  P_k = diag(pi_.k)
 *   L = sum_k (n_k / m) eps_d log det(I + Z^T P_k Z' / (n_k eps_d))        MCR²'s sum over parts, times 2 eps_d
 *   imbalance = K sum_k (n_k / m)² - 1                                     0 if all n_k are equal, K - 1 if one has all
 *
 * P_k is split into two square roots, one for each side, so that the smaller side can be taken. As log det is concave, L of
 * one view is at most the length without experts, which it reaches where all experts code the same covariance.
 *
 * @param options.gate W, [d, K].
 * @see Yu et al., NeurIPS 2020, arXiv:2006.08558, Eq. 7; the imbalance is the squared coefficient of variation of Shazeer et
 * al., ICLR 2017, arXiv:1701.06538, section 4
 */
export function samplesLength(
  { features, other }: Views,
  options: { gate: Tensor } & Coding,
): { length: Tensor; imbalance: Tensor } {
  const { gate, ...coding } = options, z = normaliseRows(features), m = z.shape[0]!, experts = gate.shape[1]!;
  const scores = tf.matMul(z as tf.Tensor2D, gate as tf.Tensor2D);
  const assigned = tf.maximum(tf.exp(tf.logSoftmax(scores)), SMALLEST_ASSIGNMENT); // softmax by what the engine doctor checks
  const counts = tf.sum(assigned, 0), shares = tf.mul(counts, 1 / m); // [K]
  const roots = tf.reshape(tf.transpose(tf.sqrt(assigned)), [experts, m, 1]);
  const weighted = (rows: Tensor) => tf.mul(tf.expandDims(rows, 0), roots); // [K, m, d]
  const second = other ? { other: weighted(normaliseRows(other)) } : {};
  const lengths = codingLength(weighted(z), { ...coding, counts, ...second });
  return {
    length: tf.sum(tf.mul(lengths, shares)),
    imbalance: tf.sub(tf.mul(tf.sum(tf.square(shares)), experts), 1),
  };
}

/** Start values of the gate, [d, K]: uniform in ±1/sqrt(d), PyTorch's default; equal columns would never part. */
export function gateStart(features: number, options: { experts: number; seed: number; index: number }): Tensor {
  const draws = stream({ seed: options.seed, purpose: "initialisation", a: options.index });
  const values = Float32Array.from(
    { length: features * options.experts },
    () => (2 * draws.uniform() - 1) / Math.sqrt(features),
  );
  return tf.tensor(values, [features, options.experts]);
}
