/**
 * Random streams, one for each purpose: every draw is a function of (seed, purpose, a, b) and its place in the stream, so any
 * step of a run can be recomputed without the ones before it.
 */
import { philox4x32 } from "./philox.ts";

/** What randomness is for. The place in the list is part of the key: append, never reorder. */
export const PURPOSES = [
  "split",
  "order",
  "augmentation",
  "initialisation",
  "calibration",
  "perturbation",
  "noise",
  "synthetic",
] as const;
export type Purpose = typeof PURPOSES[number];

/** Which stream; `a` and `b` tell streams of one purpose apart, such as epoch and image. */
export interface StreamId {
  readonly seed: number;
  readonly purpose: Purpose;
  /** @default 0 */
  readonly a?: number;
  /** @default 0 */
  readonly b?: number;
}

/** A stream of random numbers. */
export interface Stream {
  /** In [0, 1), 32 bits. */
  uniform(): number;
  /** A whole number in [0, n). */
  integer(n: number): number;
  /** N(0, 1), by Box and Muller. */
  normal(): number;
  /** 0 to n - 1 in random order (Fisher and Yates). */
  permutation(n: number): Uint32Array<ArrayBuffer>;
}

/** Opens a stream: key (seed, purpose), counter (block, a, b, 0). */
export function stream({ seed, purpose, a = 0, b = 0 }: StreamId): Stream {
  const key = [seed, PURPOSES.indexOf(purpose)], counter = new Uint32Array([0, a, b, 0]);
  const words = new Uint32Array(4);
  let next = 4, spare: number | null = null;

  function word(): number {
    if (next === 4) {
      philox4x32(counter, key, words);
      counter[0]!++;
      next = 0;
    }
    return words[next++]!;
  }
  const uniform = () => word() / 2 ** 32;
  const integer = (n: number) => Math.floor(uniform() * n);

  return {
    uniform,
    integer,
    normal() {
      if (spare !== null) {
        const value = spare;
        spare = null;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform())), angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    permutation(n) {
      const order = Uint32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = integer(i + 1), swapped = order[i]!;
        order[i] = order[j]!;
        order[j] = swapped;
      }
      return order;
    },
  };
}

/**
 * Key and counter for noise that a program draws itself (`uniformPerturbation` in engine/ops.ts): k0, k1, c0, c1, c2, c3 with
 * c0 (the block) and c1 (the tensor) zero, c2 the step.
 */
export function noiseState(
  { seed, step, purpose }: { seed: number; step: number; purpose: Purpose },
): Int32Array<ArrayBuffer> {
  return Int32Array.of(seed, PURPOSES.indexOf(purpose), 0, 0, step, 0);
}
