/** A running average of a network, kept among a method's tensors: what CR's teacher and the control LSQ + EMA share. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { type Leaves, leavesUnder } from "../tree.ts";
import type { NetworkTensors } from "./types.ts";

/** min(1 - 1 / (t + 1), alpha), t = 1 in the first step (Mean Teacher). */
export function averagingFactor(t: number, alpha: number): number {
  return Math.min(1 - 1 / (t + 1), alpha);
}

/** 1 - (1 - start) (cos(pi k / K) + 1) / 2: from `start` at step k = 0 to 1 at the last (BYOL, section 3.2). */
export function cosineFactor(k: number, { start, steps }: { start: number; steps: number }): number {
  return 1 - (1 - start) * (Math.cos(Math.PI * k / steps) + 1) / 2;
}

/** The average θ̄ of a network's parameters and batch norm statistics, under its own paths of a method's memory. */
export interface RunningAverage {
  /** θ̄ = θ, as copies. */
  start(network: NetworkTensors): Record<string, Tensor>;
  /** θ̄ as a network. */
  network(memory: Leaves<Tensor>): NetworkTensors;
  /**
   * θ̄ <- a θ̄ + (1 - a) θ; what a quantizer fixes (a zero point) is taken over as it is.
   * @param factor a, [1].
   */
  next(memory: Leaves<Tensor>, options: { network: NetworkTensors; factor: Tensor }): Record<string, Tensor>;
}

/** The average that is kept under `name` + `/params/` and `/state/`. */
export function runningAverage(name: string): RunningAverage {
  const params = `${name}/params/`, state = `${name}/state/`;
  const asMemory = (network: NetworkTensors, make: (tensor: Tensor, path: string) => Tensor) => {
    const memory: Record<string, Tensor> = {};
    for (const [path, tensor] of Object.entries(network.params)) memory[params + path] = make(tensor, params + path);
    for (const [path, tensor] of Object.entries(network.state)) memory[state + path] = make(tensor, state + path);
    return memory;
  };
  return {
    start: (network) => asMemory(network, (tensor) => tf.clone(tensor)),
    network: (memory) => ({ params: leavesUnder(memory, params), state: leavesUnder(memory, state) }),
    next(memory, { network, factor }) {
      const rest = tf.sub(1, factor);
      return asMemory(network, (tensor, path) => {
        // an average of equal numbers may be off by one rounding, and a zero point must stay an integer
        if (path.startsWith(state) && path.includes("_quantizer/")) return tf.clone(tensor);
        return tf.reshape(tf.add(tf.mul(memory[path]!, factor), tf.mul(tensor, rest)), tensor.shape);
      });
    },
  };
}
