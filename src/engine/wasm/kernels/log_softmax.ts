/** tfjs's `LogSoftmax`, which its wasm backend lacks. */
import { floatsOf, type KernelArguments, makeFloats } from "../heap.ts";
import type { TensorInfo } from "@tensorflow/tfjs-core";

/** y = x - max - log sum exp(x - max) along the last axis. */
export function logSoftmax({ inputs: { logits }, backend }: KernelArguments): TensorInfo {
  const y = makeFloats(backend, logits!.shape), size = logits!.shape.at(-1) ?? 1;
  const from = floatsOf(backend, logits!), to = floatsOf(backend, y);
  for (let start = 0; start < from.length; start += size) {
    let max = -Infinity, sum = 0;
    for (let i = start; i < start + size; i++) max = Math.max(max, from[i]!);
    for (let i = start; i < start + size; i++) sum += Math.exp(from[i]! - max);
    const shift = max + Math.log(sum);
    for (let i = start; i < start + size; i++) to[i] = from[i]! - shift;
  }
  return y;
}
