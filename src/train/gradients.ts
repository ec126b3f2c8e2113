import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { TensorTree } from "../engine/types.ts";
import { type Leaves, mapTree } from "../tree.ts";

/** A loss, its gradient by path, and what else the loss function made. */
export interface ValueAndGradients<Aux> {
  readonly loss: Tensor;
  readonly gradients: Record<string, Tensor>;
  readonly aux: Aux;
}

/**
 * Loss and gradients of `f` with respect to every leaf of `params`.
 *
 * @param f Gives a scalar loss and any tree of tensors beside it, which come out without a gradient.
 * @throws {Error} If a parameter does not reach the loss (tfjs names it by number).
 */
export function valueAndGradients<Aux extends TensorTree>(
  params: Leaves<Tensor>,
  f: (params: Leaves<Tensor>) => { loss: Tensor; aux: Aux },
): ValueAndGradients<Aux> {
  const names = Object.keys(params).sort();
  let aux: TensorTree | undefined;
  const { value, grads } = tf.valueAndGrads((...tensors: Tensor[]) => {
    const result = f(Object.fromEntries(names.map((name, i) => [name, tensors[i]!])));
    // tfjs frees what the loss function made when it returns: kept here, handed on below
    aux = mapTree<Tensor, Tensor>(result.aux, (tensor) => tf.keep(tf.clone(tensor)));
    return result.loss as tf.Scalar;
  })(names.map((name) => params[name]!));
  const handed = mapTree<Tensor, Tensor>(aux!, (tensor) => {
    const own = tf.clone(tensor);
    tensor.dispose();
    return own;
  });
  return {
    loss: value,
    gradients: Object.fromEntries(names.map((name, i) => [name, grads[i]!])),
    aux: handed as Aux,
  };
}
