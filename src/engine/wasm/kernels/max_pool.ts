/** `MaxPoolAxis` and `MaxPoolAxisGrad` of `../../ops.ts`. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { type AxisPooling, pooledLength } from "../../ops.ts";
import { floatsOf, type KernelArguments, makeFloats } from "../heap.ts";

/** The lines of an image that one axis is pooled along: [outer, length, inner]. */
function linesOf(shape: readonly number[], axis: number): { outer: number; inner: number } {
  const size = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
  return { outer: size(shape.slice(0, axis)), inner: size(shape.slice(axis + 1)) };
}

/** @returns [y, winner]; a window is read tap by tap, and each tap for all of `inner` at once. */
export function maxPoolAxis({ inputs: { x }, attrs, backend }: KernelArguments): TensorInfo[] {
  const pooling = attrs as unknown as AxisPooling, { axis, size, stride, padding } = pooling;
  const { outer, inner } = linesOf(x!.shape, axis), length = x!.shape[axis]!, windows = pooledLength(length, pooling);
  const shape = x!.shape.with(axis, windows);
  const y = makeFloats(backend, shape), winner = makeFloats(backend, shape);
  const from = floatsOf(backend, x!), best = floatsOf(backend, y), taps = floatsOf(backend, winner);
  for (let line = 0; line < outer; line++) {
    for (let window = 0; window < windows; window++) {
      const start = window * stride - padding, to = (line * windows + window) * inner;
      const first = Math.max(0, -start), end = Math.min(size, length - start);
      const source = (line * length + start + first) * inner;
      best.set(from.subarray(source, source + inner), to);
      taps.fill(first, to, to + inner);
      for (let tap = first + 1; tap < end; tap++) {
        const row = (line * length + start + tap) * inner;
        for (let i = 0; i < inner; i++) {
          const value = from[row + i]!;
          if (value > best[to + i]! || value !== value) {
            best[to + i] = value;
            taps[to + i] = tap;
          }
        }
      }
    }
  }
  return [y, winner];
}

/** Each window's gradient is added at its winner. */
export function maxPoolAxisGrad({ inputs: { dy, winner }, attrs, backend }: KernelArguments): TensorInfo {
  const { axis, stride, padding, length } = attrs as unknown as AxisPooling & { length: number };
  const { outer, inner } = linesOf(dy!.shape, axis), windows = dy!.shape[axis]!;
  const dx = makeFloats(backend, dy!.shape.with(axis, length));
  const gradient = floatsOf(backend, dy!), taps = floatsOf(backend, winner!), to = floatsOf(backend, dx);
  to.fill(0);
  for (let line = 0, at = 0; line < outer; line++) {
    for (let window = 0; window < windows; window++) {
      const start = line * length + window * stride - padding;
      for (let i = 0; i < inner; i++, at++) to[(start + taps[at]!) * inner + i]! += gradient[at]!;
    }
  }
  return dx;
}
