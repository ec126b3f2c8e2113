/**
 * Sums over the values of each channel, the last axis, in float64 and in the order of the pixels.
 *
 * Four channels are summed side by side in local variables, as sums in an array are read and written for each value; a piece
 * of pixels stays in the cache while its channels are gone through. Neither changes the order of a channel's additions.
 */

/** Pixels of a piece. */
const PIECE = 256;
/** Channels summed side by side. */
const LANES = 4;

/** Part of the values: channels c to c + 3 (or the last ones), of the pixels whose values lie in [start, end). */
export interface Part {
  readonly c: number;
  readonly channels: number;
  readonly start: number;
  readonly end: number;
}

/** Calls `add` for every part of `length` values. */
export function inPieces(
  length: number,
  channels: number,
  add: (c: number, start: number, end: number) => void,
): void {
  for (let start = 0; start < length; start += PIECE * channels) {
    const end = Math.min(length, start + PIECE * channels);
    for (let c = 0; c < channels; c += LANES) add(c, start, end);
  }
}

/** sums[c] += sum x */
export function addValues(x: Float32Array, sums: Float64Array, { c, channels, start, end }: Part): void {
  if (c + LANES > channels) {
    for (; c < channels; c++) for (let i = start + c; i < end; i += channels) sums[c]! += x[i]!;
    return;
  }
  let s0 = sums[c]!, s1 = sums[c + 1]!, s2 = sums[c + 2]!, s3 = sums[c + 3]!;
  for (let i = start + c; i < end; i += channels) {
    s0 += x[i]!;
    s1 += x[i + 1]!;
    s2 += x[i + 2]!;
    s3 += x[i + 3]!;
  }
  sums[c] = s0;
  sums[c + 1] = s1;
  sums[c + 2] = s2;
  sums[c + 3] = s3;
}

/** sums[c] += sum (x - mean)^2 */
export function addSquares(
  x: Float32Array,
  { means, sums }: { readonly means: Float64Array; readonly sums: Float64Array },
  { c, channels, start, end }: Part,
): void {
  if (c + LANES > channels) {
    for (; c < channels; c++) for (let i = start + c; i < end; i += channels) sums[c]! += square(x[i]! - means[c]!);
    return;
  }
  const m0 = means[c]!, m1 = means[c + 1]!, m2 = means[c + 2]!, m3 = means[c + 3]!;
  let s0 = sums[c]!, s1 = sums[c + 1]!, s2 = sums[c + 2]!, s3 = sums[c + 3]!;
  for (let i = start + c; i < end; i += channels) {
    const d0 = x[i]! - m0, d1 = x[i + 1]! - m1, d2 = x[i + 2]! - m2, d3 = x[i + 3]! - m3;
    s0 += d0 * d0;
    s1 += d1 * d1;
    s2 += d2 * d2;
    s3 += d3 * d3;
  }
  sums[c] = s0;
  sums[c + 1] = s1;
  sums[c + 2] = s2;
  sums[c + 3] = s3;
}

/** sums[c] += sum g, products[c] += sum g (x - mean) */
export function addProducts(
  { gradient: g, values: x, means }: {
    readonly gradient: Float32Array;
    readonly values: Float32Array;
    readonly means: Float64Array;
  },
  { sums, products }: { readonly sums: Float64Array; readonly products: Float64Array },
  { c, channels, start, end }: Part,
): void {
  if (c + LANES > channels) {
    for (; c < channels; c++) {
      for (let i = start + c; i < end; i += channels) {
        sums[c]! += g[i]!;
        products[c]! += g[i]! * (x[i]! - means[c]!);
      }
    }
    return;
  }
  const m0 = means[c]!, m1 = means[c + 1]!, m2 = means[c + 2]!, m3 = means[c + 3]!;
  let s0 = sums[c]!, s1 = sums[c + 1]!, s2 = sums[c + 2]!, s3 = sums[c + 3]!;
  let p0 = products[c]!, p1 = products[c + 1]!, p2 = products[c + 2]!, p3 = products[c + 3]!;
  for (let i = start + c; i < end; i += channels) {
    const g0 = g[i]!, g1 = g[i + 1]!, g2 = g[i + 2]!, g3 = g[i + 3]!;
    s0 += g0;
    s1 += g1;
    s2 += g2;
    s3 += g3;
    p0 += g0 * (x[i]! - m0);
    p1 += g1 * (x[i + 1]! - m1);
    p2 += g2 * (x[i + 2]! - m2);
    p3 += g3 * (x[i + 3]! - m3);
  }
  sums[c] = s0;
  sums[c + 1] = s1;
  sums[c + 2] = s2;
  sums[c + 3] = s3;
  products[c] = p0;
  products[c + 1] = p1;
  products[c + 2] = p2;
  products[c + 3] = p3;
}

function square(value: number): number {
  return value * value;
}
