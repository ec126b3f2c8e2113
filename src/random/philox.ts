/**
 * Philox4x32-10: random bits as a pure function of a counter and a key.
 *
 * TensorFlow's stateless ops use the same generator, so noise drawn inside a recorded program can be drawn here too.
 * @see Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011
 */

const MULTIPLIER_0 = 0xD2511F53, MULTIPLIER_1 = 0xCD9E8D57;
const WEYL_0 = 0x9E3779B9, WEYL_1 = 0xBB67AE85;
const ROUNDS = 10;

/** High 32 bits of the product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xFFFF, aHigh = a >>> 16, bLow = b & 0xFFFF, bHigh = b >>> 16;
  const low = aLow * bLow, middle = aHigh * bLow + (low >>> 16);
  const cross = aLow * bHigh + (middle & 0xFFFF);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(cross / 65536)) >>> 0;
}

/**
 * One block: four random words.
 *
 * @param counter c0 to c3, c0 the lowest; read as unsigned 32-bit integers.
 * @param key k0, k1.
 * @param out Where the words go; may be `counter`'s own storage.
 */
export function philox4x32(
  counter: ArrayLike<number>,
  key: ArrayLike<number>,
  out: Uint32Array<ArrayBuffer> = new Uint32Array(4),
): Uint32Array<ArrayBuffer> {
  let c0 = counter[0]! >>> 0, c1 = counter[1]! >>> 0, c2 = counter[2]! >>> 0, c3 = counter[3]! >>> 0;
  let k0 = key[0]! >>> 0, k1 = key[1]! >>> 0;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0), low0 = Math.imul(MULTIPLIER_0, c0) >>> 0;
    const high1 = multiplyHigh(MULTIPLIER_1, c2), low1 = Math.imul(MULTIPLIER_1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
  return out;
}
