import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Stream } from "../random/stream.ts";
import { valueAndGradients } from "../train/gradients.ts";
import { type Leaves, mapTree } from "../tree.ts";

/** Signs a word of a stream gives. */
const SIGNS_A_WORD = 32;

/** A Rademacher vector: each entry +1 or -1 with probability 1/2, one bit of the stream an entry, the lowest first. */
export function rademacher(count: number, draws: Stream): Float32Array {
  const signs = new Float32Array(count);
  for (let i = 0, word = 0; i < count; i++) {
    word = i % SIGNS_A_WORD === 0 ? draws.word() : word >>> 1;
    signs[i] = word & 1 ? 1 : -1;
  }
  return signs;
}

/**
 * The parts v_l · (∇L(ε v) - ∇L(-ε v))_l / (2 ε) of vᵀ H v by central differences of the gradient, one a leaf, by sorted
 * name: [leaves]. Exact for a quadratic loss; else off by O(ε²) where L is smooth.
 *
 * With E[v vᵀ] = I the expectation of a leaf's part is the trace of its diagonal block of H, and that of the sum is Tr H
 * (Hutchinson 1990).
 *
 * @param loss The loss where its parameters are moved by the given leaves; a scalar.
 */
export function curvatureParts(
  loss: (displacement: Leaves<Tensor>) => Tensor,
  probe: { directions: Leaves<Tensor>; epsilon: Tensor },
): Tensor {
  const { directions, epsilon } = probe;
  const gradientsAt = (distance: Tensor) => {
    const displacement = mapTree<Tensor, Tensor>(directions, (v) => tf.mul(v, distance)) as Leaves<Tensor>;
    return valueAndGradients(displacement, (moved) => ({ loss: loss(moved), aux: {} })).gradients;
  };
  const ahead = gradientsAt(epsilon), behind = gradientsAt(tf.neg(epsilon));
  const parts = Object.keys(directions).sort().map((name) =>
    tf.sum(tf.mul(directions[name]!, tf.sub(ahead[name]!, behind[name]!)))
  );
  return tf.div(tf.stack(parts), tf.mul(epsilon, 2));
}
