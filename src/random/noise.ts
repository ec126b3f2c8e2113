import { incrementCounter, philox4x32InPlace } from "./philox.ts";

/** Which noise and how much of it. */
export interface UniformBlockOptions {
  /** Number of values. */
  readonly length: number;
  /**
   * Added to c1, modulo 2^32.
   * @default 0
   */
  readonly stream?: number;
}

/**
 * The noise of the kernel `UniformPerturbation` (engine/ops.ts), by which every engine's is checked: U[-1/2, 1/2).
 *
 *   u[4 g + i] = (word i of the block at counter + g, mod 2^23) / 2^23 - 1/2
 *
 * counter + g is a sum of 128 bits. 23 bits are what a float32's mantissa holds, so every value is exact in float32.
 *
 * @param state [6], k0, k1, c0, c1, c2, c3, as `noiseState` gives it.
 * @returns [length].
 */
export function uniformBlock(state: Int32Array, options: UniformBlockOptions): Float32Array {
  const [k0, k1, c0, c1, c2, c3] = state as unknown as readonly [number, number, number, number, number, number];
  const counter = Uint32Array.of(c0, c1 + (options.stream ?? 0), c2, c3), block = new Uint32Array(4);
  const key = [k0, k1] as const, noise = new Float32Array(options.length);
  for (let start = 0; start < noise.length; start += 4) {
    block.set(counter);
    philox4x32InPlace(block, key);
    for (let i = 0; i < 4 && start + i < noise.length; i++) {
      noise[start + i] = (block[i]! & 0x7fffff) / 2 ** 23 - 0.5;
    }
    incrementCounter(counter);
  }
  return noise;
}
