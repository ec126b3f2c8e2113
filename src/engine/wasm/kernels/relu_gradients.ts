/** `ReluGrad` and `Relu6Grad` of `../../ops.ts`; by bit masks, as in `round_clip.ts`. */
import { floatsOf, integersOf, type KernelArguments, makeFloats } from "../heap.ts";
import type { TensorInfo } from "@tensorflow/tfjs-core";

/** dx = dy where y > 0, else 0. */
export function reluGrad({ inputs: { dy, y }, backend }: KernelArguments): TensorInfo {
  const dx = makeFloats(backend, y!.shape);
  const values = floatsOf(backend, y!), gradient = integersOf(backend, dy!), to = integersOf(backend, dx);
  for (let i = 0; i < to.length; i++) to[i] = gradient[i]! & -Number(values[i]! > 0);
  return dx;
}

/** dx = dy where 0 < y < 6, else 0. */
export function relu6Grad({ inputs: { dy, y }, backend }: KernelArguments): TensorInfo {
  const dx = makeFloats(backend, y!.shape);
  const values = floatsOf(backend, y!), gradient = integersOf(backend, dy!), to = integersOf(backend, dx);
  for (let i = 0; i < to.length; i++) to[i] = gradient[i]! & -(Number(values[i]! > 0) & Number(values[i]! < 6));
  return dx;
}
