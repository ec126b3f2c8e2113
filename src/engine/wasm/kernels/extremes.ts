/** tfjs's `Maximum` and `Minimum`, whose own kernels lose a NaN of the second operand. */
import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { floatsOf, type KernelArguments } from "../heap.ts";

/** The greater, or NaN if one is; a of equal ones. */
export function maximum(given: KernelArguments): TensorInfo {
  return elementwise(given, (a, b) => b > a || b !== b ? b : a);
}

/** The lesser, or NaN if one is; a of equal ones. */
export function minimum(given: KernelArguments): TensorInfo {
  return elementwise(given, (a, b) => b < a || b !== b ? b : a);
}

/** `choose` of each pair, shapes broadcast. */
function elementwise(
  { inputs: { a, b }, backend }: KernelArguments,
  choose: (a: number, b: number) => number,
): TensorInfo {
  const shape = backend_util.assertAndGetBroadcastShape([...a!.shape], [...b!.shape]);
  const y = backend.makeOutput(shape, a!.dtype), to = floatsOf(backend, y);
  const left = floatsOf(backend, a!), right = floatsOf(backend, b!);
  const placeLeft = placesOf(a!.shape, shape), placeRight = placesOf(b!.shape, shape);
  for (let i = 0; i < to.length; i++) to[i] = choose(left[placeLeft(i)]!, right[placeRight(i)]!);
  return y;
}

/** The place in a tensor of `from` that place i of the broadcast `shape` reads. */
function placesOf(from: readonly number[], shape: readonly number[]): (i: number) => number {
  const size = from.reduce((product, dim) => product * dim, 1);
  if (size === shape.reduce((product, dim) => product * dim, 1)) return (i) => i;
  if (size === 1) return () => 0;
  return (i) => {
    let place = 0, stride = 1, rest = i;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const own = from[axis - shape.length + from.length] ?? 1;
      if (own > 1) place += rest % shape[axis]! * stride;
      stride *= own;
      rest = Math.floor(rest / shape[axis]!);
    }
    return place;
  };
}
