import { philox4x32InPlace } from "./philox.ts";

/**
 * Purposes of random numbers: streams of different purposes are independent.
 *
 * The place in this list is part of the key: add at the end, never move or remove.
 */
export const PURPOSES = [
  "split",
  "order",
  "augmentation",
  "initialisation",
  "calibration",
  "perturbation",
  "noise",
  "synthetic",
  "strong_augmentation",
  "labelled",
  "unlabelled_order",
  "probe",
  "measurement",
  "bootstrap",
] as const;

/** One of them. */
export type Purpose = typeof PURPOSES[number];

/** Names a stream; equal addresses give equal numbers on every machine. */
export interface StreamAddress {
  /** Seed of the run, in [0, 2^53). */
  readonly seed: number;
  /** Use of the numbers. */
  readonly purpose: Purpose;
  /**
   * Number within the purpose, of an image, a step or a layer; in [0, 2^32).
   * @default 0
   */
  readonly a?: number;
  /**
   * Another number of that kind, such as an epoch; in [0, 2^32).
   * @default 0
   */
  readonly b?: number;
}

function requireInteger(name: string, value: number, limit: number): void {
  if (!Number.isInteger(value) || value < 0 || value >= limit) {
    throw new RangeError(
      `Cannot make a random stream as ${name} must be an integer in [0, 2^${
        Math.log2(limit)
      }): current value is ${value}`,
    );
  }
}

/** The Philox key: k0 is the seed modulo 2^32; k1 the place of the purpose, 11 bits, below the seed's other 21. */
function keyOf(seed: number, purpose: Purpose): [number, number] {
  requireInteger("the seed", seed, 2 ** 53);
  const index = PURPOSES.indexOf(purpose);
  if (index < 0) throw new RangeError(`Cannot make a random stream as there is no purpose "${purpose}"`);
  return [seed >>> 0, index + Math.floor(seed / 2 ** 32) * 2 ** 11];
}

/**
 * Random numbers at one address: word i of the stream is word i mod 4 of the Philox4x32-10 block at counter
 * (floor(i / 4), a, b, 0) under the key of (seed, purpose).
 *
 * It holds only its place: made again, it starts again.
 */
export class Stream {
  readonly #key: readonly [number, number];
  readonly #a: number;
  readonly #b: number;
  readonly #block = new Uint32Array(4);
  #next = 0;
  #spareNormal: number | null = null;

  /** Opens the stream at its start. @throws {RangeError} If the seed, `a` or `b` is not an integer of its range. */
  constructor(address: StreamAddress) {
    this.#key = keyOf(address.seed, address.purpose);
    this.#a = address.a ?? 0;
    this.#b = address.b ?? 0;
    requireInteger("a", this.#a, 2 ** 32);
    requireInteger("b", this.#b, 2 ** 32);
  }

  /** An integer in [0, 2^32). */
  word(): number {
    const lane = this.#next % 4, block = this.#block;
    if (lane === 0) {
      block[0] = this.#next / 4;
      block[1] = this.#a;
      block[2] = this.#b;
      block[3] = 0;
      philox4x32InPlace(block, this.#key);
    }
    this.#next++;
    return block[lane]!;
  }

  /** U[0, 1), a multiple of 2^-32. */
  uniform(): number {
    return this.word() * 2 ** -32;
  }

  /**
   * floor(limit U[0, 1)): in {0, ..., limit - 1}, each with probability 1 / limit within 2^-32.
   * @throws {RangeError} If `limit` is not an integer in [1, 2^32].
   */
  integer(limit: number): number {
    if (!Number.isInteger(limit) || limit < 1 || limit > 2 ** 32) {
      throw new RangeError(`Cannot draw an integer as the limit must be in [1, 2^32]: current value is ${limit}`);
    }
    return Math.floor(this.uniform() * limit);
  }

  /** N(0, 1) by Box and Muller (1958): sqrt(-2 ln u) cos(2 pi v), then the sine of the same pair; u in (0, 1]. */
  normal(): number {
    if (this.#spareNormal !== null) {
      const spare = this.#spareNormal;
      this.#spareNormal = null;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform())), angle = 2 * Math.PI * this.uniform();
    this.#spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** The numbers 0 to `count` - 1 in random order (Fisher and Yates). */
  permutation(count: number): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = this.integer(i + 1), held = order[i]!;
      order[i] = order[j]!;
      order[j] = held;
    }
    return order;
  }
}

/**
 * The stream at an address.
 * @throws {RangeError} If the seed, `a` or `b` is not an integer of its range.
 */
export function stream(address: StreamAddress): Stream {
  return new Stream(address);
}

/**
 * Start of the noise of one step, the `state` of a `NoiseSource` (engine/ops.ts): int32 [k0, k1, c0, c1, c2, c3].
 *
 * c0 and c1 are 0: c0 counts the blocks of a tensor and c1 the tensors; c2 and c3 hold the step.
 * @throws {RangeError} If the seed or the step is not an integer in [0, 2^53).
 */
export function noiseState(options: { seed: number; step: number; purpose: Purpose }): Int32Array {
  const { seed, step, purpose } = options;
  requireInteger("the step", step, 2 ** 53);
  const [k0, k1] = keyOf(seed, purpose);
  return Int32Array.from(Uint32Array.of(k0, k1, 0, 0, step >>> 0, Math.floor(step / 2 ** 32)), (word) => word | 0);
}
