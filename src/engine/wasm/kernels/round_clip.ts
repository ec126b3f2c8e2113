/**
 * `RoundClip` and `RoundClipGrad` of `../../ops.ts`.
 *
 * Both choose between values by bit masks: a branch on random data costs three times as much as the rest.
 */
import { floatsOf, integersOf, type KernelArguments, makeFloats, numberOf } from "../heap.ts";
import type { TensorInfo } from "@tensorflow/tfjs-core";

/** The bits of a float32. */
export function bitsOf(value: number): number {
  return new Int32Array(Float32Array.of(value).buffer)[0]!;
}

/** y = floor(min(max(x, low), high) + 1/2); NaN stays NaN, so that a diverged run shows. */
export function roundClip({ inputs: { x }, attrs, backend }: KernelArguments): TensorInfo {
  const low = numberOf(attrs.low), high = numberOf(attrs.high), lowBits = bitsOf(low), highBits = bitsOf(high);
  const y = makeFloats(backend, x!.shape), values = floatsOf(backend, x!), to = floatsOf(backend, y);
  const bits = integersOf(backend, x!), toBits = integersOf(backend, y);
  for (let i = 0; i < to.length; i++) {
    const below = -Number(values[i]! < low), above = -Number(values[i]! > high);
    toBits[i] = (bits[i]! & ~(below | above)) | (lowBits & below) | (highBits & above);
    to[i] = Math.floor(to[i]! + 0.5);
  }
  return y;
}

/** dx = dy where low <= x <= high, else 0. */
export function roundClipGrad({ inputs: { dy, x }, attrs, backend }: KernelArguments): TensorInfo {
  const low = numberOf(attrs.low), high = numberOf(attrs.high), dx = makeFloats(backend, x!.shape);
  const values = floatsOf(backend, x!), gradient = integersOf(backend, dy!), to = integersOf(backend, dx);
  for (let i = 0; i < to.length; i++) {
    to[i] = gradient[i]! & -(Number(values[i]! >= low) & Number(values[i]! <= high));
  }
  return dx;
}
