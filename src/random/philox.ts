/**
 * Philox4x32-10: a counter-based random number generator, a bijection of 128-bit counters under a 64-bit key.
 *
 * One round, with (high, low) the halves of a 64-bit product:
 *
 *   (h0, l0) = 0xD2511F53 c0, (h1, l1) = 0xCD9E8D57 c2
 *   c <- (h1 ^ c1 ^ k0, l1, h0 ^ c3 ^ k1, l0)
 *   k <- (k0 + 0x9E3779B9, k1 + 0xBB67AE85), between rounds
 *
 * Block n of a stream is computed from n alone, so no state is kept and any draw can be had without those before it.
 *
 * @see Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, doi:10.1145/2063384.2063405
 */

const MULTIPLIER_0 = 0xd2511f53, MULTIPLIER_1 = 0xcd9e8d57;
/** Weyl increments of the key: the golden ratio and sqrt(3) - 1, times 2^32. */
const WEYL_0 = 0x9e3779b9, WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

/** Four 32-bit words, the lowest first; each is taken modulo 2^32. */
export type Words4 = readonly [number, number, number, number];
/** Two 32-bit words, the lowest first; each is taken modulo 2^32. */
export type Words2 = readonly [number, number];

/** The block at `counter` under `key`: four integers in [0, 2^32). */
export function philox4x32(counter: Words4 | Uint32Array, key: Words2 | Uint32Array): [number, number, number, number] {
  const block = Uint32Array.of(counter[0]!, counter[1]!, counter[2]!, counter[3]!);
  philox4x32InPlace(block, key);
  return [block[0]!, block[1]!, block[2]!, block[3]!];
}

/**
 * The upper 32 bits of the product of two unsigned 32-bit integers, the first given in halves; as an int32.
 *
 * By products of 16-bit halves: no partial sum passes 2^32, and all stays in machine integers.
 */
function upperProduct(high: number, low: number, c: number): number {
  const cLow = c & 0xffff, cHigh = c >>> 16;
  const middle = (Math.imul(high, cLow) + (Math.imul(low, cLow) >>> 16)) | 0;
  const rest = (Math.imul(low, cHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(high, cHigh) + (middle >>> 16) + (rest >>> 16)) | 0;
}

/** Replaces the counter in `block`, [4], by its block under `key`, without allocating anything. */
export function philox4x32InPlace(block: Uint32Array, key: Words2 | Uint32Array): void {
  drawBlock(block, block[0]! | 0, block[1]! | 0, block[2]! | 0, block[3]! | 0, key[0]! | 0, key[1]! | 0);
}

/** Writes the block at counter (c0, c1, c2, c3) under key (k0, k1), all int32, into `to`. */
function drawBlock(to: Uint32Array, c0: number, c1: number, c2: number, c3: number, k0: number, k1: number): void {
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = upperProduct(MULTIPLIER_0 >>> 16, MULTIPLIER_0 & 0xffff, c0);
    const high1 = upperProduct(MULTIPLIER_1 >>> 16, MULTIPLIER_1 & 0xffff, c2);
    const low0 = Math.imul(MULTIPLIER_0, c0), low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  to[0] = c0;
  to[1] = c1;
  to[2] = c2;
  to[3] = c3;
}

/** Adds 1 to a 128-bit counter, [4], the lowest word first. */
export function incrementCounter(counter: Uint32Array): void {
  for (let i = 0; i < 4; i++) {
    counter[i]! += 1;
    if (counter[i] !== 0) return;
  }
}

/** The noise of one tensor. */
export interface UniformNoise {
  /** [6], k0, k1, c0, c1, c2, c3, as `noiseState` gives it. */
  readonly state: Int32Array;
  /**
   * Added to c1, modulo 2^32.
   * @default 0
   */
  readonly stream?: number;
  /** @default 1 */
  readonly factor?: number;
}

/**
 * The noise of the kernel `UniformPerturbation` (engine/ops.ts), by which every engine's is checked: U[-1/2, 1/2).
 *
 *   values[4 g + i] += factor u, u = (word i of the block at counter + g, mod 2^23) / 2^23 - 1/2
 *
 * counter + g is a sum of 128 bits. 23 bits are what a float32's mantissa holds, so every u is exact in float32.
 */
export function addUniformNoise(values: Float32Array, { state, stream = 0, factor = 1 }: UniformNoise): void {
  const [k0, k1, ...start] = state as unknown as readonly [number, number, number, number, number, number];
  const counter = Uint32Array.from(start), block = new Uint32Array(4);
  counter[1]! += stream;
  let [c0, c1, c2, c3] = Int32Array.from(counter) as unknown as [number, number, number, number];
  for (let at = 0; at < values.length; at += 4) {
    drawBlock(block, c0, c1, c2, c3, k0, k1);
    const end = Math.min(4, values.length - at);
    for (let i = 0; i < end; i++) values[at + i]! += factor * ((block[i]! & 0x7fffff) / 2 ** 23 - 0.5);
    c0 = (c0 + 1) | 0;
    if (c0 !== 0) continue;
    counter.set([0xffffffff, c1, c2, c3]);
    incrementCounter(counter);
    [c0, c1, c2, c3] = Int32Array.from(counter) as unknown as [number, number, number, number];
  }
}
