import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { TensorTree } from "../engine/types.ts";
import { messageOf } from "../errors.ts";
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
 * @throws {Error} If a parameter does not reach the loss, or a gradient function reads a tensor that tfjs freed.
 */
export function valueAndGradients<Aux extends TensorTree>(
  params: Leaves<Tensor>,
  f: (params: Leaves<Tensor>) => { loss: Tensor; aux: Aux },
): ValueAndGradients<Aux> {
  const names = Object.keys(params).sort();
  let aux: TensorTree | undefined;
  // tf.valueAndGrads does the same, but its error does not say which parameter is not reached
  const forward = () => {
    const result = f(params);
    // tfjs frees what the loss function made when it returns: kept here, handed on below
    aux = mapTree<Tensor, Tensor>(result.aux, (tensor) => tf.keep(tf.clone(tensor)));
    return result.loss;
  };
  const gradients = () => tf.engine().gradients(forward, names.map((name) => params[name]!), undefined, true);
  const { value, grads } = explained(gradients, () => aux !== undefined);
  const handed = mapTree<Tensor, Tensor>(aux!, (tensor) => {
    const own = tf.clone(tensor);
    tensor.dispose();
    return own;
  });
  const unreached = names.filter((_, i) => !grads[i]);
  if (unreached.length > 0) {
    throw new Error(
      `Cannot train ${unreached.map((name) => `"${name}"`).join(", ")} as the loss does not depend on it: ` +
        "leave it out of the parameters, or use it in the loss",
    );
  }
  return {
    loss: value,
    gradients: Object.fromEntries(names.map((name, i) => [name, grads[i]!])),
    aux: handed as Aux,
  };
}

/** The result of `gradients`, whose errors behind the loss say what a gradient function may read. */
function explained<Result>(gradients: () => Result, lossIsMade: () => boolean): Result {
  try {
    return gradients();
  } catch (error) {
    // so tfjs answers where the data of a tensor is gone
    if (!lossIsMade() || !/\(reading 'backend'\)|disposed/.test(messageOf(error))) throw error;
    throw new Error(
      "Cannot compute gradients as a gradient function reads a tensor that tfjs freed when the loss returned: " +
        "let it read only dy and what it gave to `save`",
      { cause: error },
    );
  }
}
