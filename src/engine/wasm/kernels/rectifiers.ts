/**
 * tfjs's `Relu`, `Relu6` and `ClipByValue`, and `ReluGrad` and `Relu6Grad` of `../../ops.ts`; by bit masks, as in
 * `round_clip.ts`.
 *
 * tfjs's own forward kernels turn NaN into a number: `Relu` a NaN of negative sign, as processors make it, the others all.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { floatsOf, integersOf, type KernelArguments, makeFloats, numberOf } from "../heap.ts";
import { bitsOf } from "./round_clip.ts";

/** y = max(x, 0); NaN stays NaN, and -0 becomes 0. */
export function relu({ inputs: { x }, backend }: KernelArguments): TensorInfo {
  const y = makeFloats(backend, x!.shape);
  const values = floatsOf(backend, x!), bits = integersOf(backend, x!), to = integersOf(backend, y);
  for (let i = 0; i < to.length; i++) to[i] = bits[i]! & -(Number(values[i]! > 0) | Number(values[i]! !== values[i]!));
  return y;
}

/** y = min(max(x, 0), 6); NaN stays NaN, and -0 becomes 0. */
export function relu6({ inputs: { x }, backend }: KernelArguments): TensorInfo {
  const y = makeFloats(backend, x!.shape), six = bitsOf(6);
  const values = floatsOf(backend, x!), bits = integersOf(backend, x!), to = integersOf(backend, y);
  for (let i = 0; i < to.length; i++) {
    const above = -Number(values[i]! > 6), inside = -(Number(values[i]! > 0) | Number(values[i]! !== values[i]!));
    to[i] = (bits[i]! & inside & ~above) | (six & above);
  }
  return y;
}

/** y = min(max(x, low), high); NaN stays NaN. */
export function clipByValue({ inputs: { x }, attrs, backend }: KernelArguments): TensorInfo {
  const low = numberOf(attrs.clipValueMin), high = numberOf(attrs.clipValueMax);
  const y = makeFloats(backend, x!.shape), values = floatsOf(backend, x!), to = floatsOf(backend, y);
  for (let i = 0; i < to.length; i++) to[i] = Math.min(Math.max(values[i]!, low), high);
  return y;
}

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
