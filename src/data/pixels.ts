/**
 * Pixel operations of the strong augmentation, with the integer arithmetic of PIL (Pillow 13), on bytes [height, width, channels].
 *
 * Each reads `image` and writes all of `target`, which is another array of the same length.
 */

/** [height, width, channels]. */
export type ImageShape = readonly [number, number, number];

/** The bytes of one image. */
export interface Image {
  readonly bytes: Uint8Array;
  readonly shape: ImageShape;
}

/** target = table[image], one table for all channels or one each, [channels * 256]. */
function lookUp({ bytes, shape: [, , channels] }: Image, target: Uint8Array, table: Uint8Array): void {
  const ofChannel = table.length / 256;
  if (ofChannel === 1) {
    for (let i = 0; i < bytes.length; i++) target[i] = table[bytes[i]!]!;
    return;
  }
  for (let c = 0; c < channels; c++) {
    for (let i = c, base = 256 * c; i < bytes.length; i += channels) target[i] = table[base + bytes[i]!]!;
  }
}

/** Counts how often each value occurs in each channel, [channels * 256]. */
function histograms({ bytes, shape: [, , channels] }: Image): Uint32Array {
  const counts = new Uint32Array(256 * channels);
  for (let c = 0; c < channels; c++) {
    for (let i = c, base = 256 * c; i < bytes.length; i += channels) counts[base + bytes[i]!]! += 1;
  }
  return counts;
}

/** Keeps the `bits` highest bits of each value: x - x mod 2^(8 - bits). */
export function posterize(image: Image, target: Uint8Array, bits: number): void {
  const mask = 256 - 2 ** (8 - bits);
  for (let i = 0; i < target.length; i++) target[i] = image.bytes[i]! & mask;
}

/** 255 - x where x >= threshold. */
export function solarize(image: Image, target: Uint8Array, threshold: number): void {
  for (let i = 0; i < target.length; i++) {
    const value = image.bytes[i]!;
    target[i] = value < threshold ? value : 255 - value;
  }
}

/** Stretches each channel to 0..255: floor(x scale - low scale), scale = 255 / (high - low); a constant channel stays. */
export function autoContrast(image: Image, target: Uint8Array): void {
  const counts = histograms(image), table = new Uint8Array(counts.length);
  for (let base = 0; base < counts.length; base += 256) {
    let low = 0, high = 255;
    while (low < 255 && counts[base + low] === 0) low++;
    while (high > 0 && counts[base + high] === 0) high--;
    const scale = 255 / (high - low), offset = -low * scale;
    for (let x = 0; x < 256; x++) {
      table[base + x] = high <= low ? x : Math.min(255, Math.max(0, Math.trunc(x * scale + offset)));
    }
  }
  lookUp(image, target, table);
}

/**
 * Evens out the histogram of each channel: x -> floor((step / 2 + values below x) / step), at most 255, with
 * step = floor((values less those of the highest) / 255); a channel with step 0 stays.
 */
export function equalize(image: Image, target: Uint8Array): void {
  const counts = histograms(image), table = new Uint8Array(counts.length);
  const pixels = image.bytes.length / image.shape[2];
  for (let base = 0; base < counts.length; base += 256) {
    let high = 255;
    while (high > 0 && counts[base + high] === 0) high--;
    const step = Math.floor((pixels - counts[base + high]!) / 255);
    let sum = Math.floor(step / 2);
    for (let x = 0; x < 256; x++) {
      table[base + x] = step === 0 ? x : Math.min(255, Math.floor(sum / step));
      sum += counts[base + x]!;
    }
  }
  lookUp(image, target, table);
}

/** Luma of the pixel at i: (19595 R + 38470 G + 7471 B + 2^15) >> 16, ITU-R 601-2; of one channel, the channel. */
function luma(bytes: Uint8Array, i: number, channels: number): number {
  if (channels === 1) return bytes[i]!;
  return (19595 * bytes[i]! + 38470 * bytes[i + 1]! + 7471 * bytes[i + 2]! + 0x8000) >> 16;
}

/** floor(from + factor (to - from)) in float32, factor in [0, 1]: never negative, so that | 0 is the floor. */
function blend(from: number, to: number, factor: number): number {
  return Math.fround(from + Math.fround(factor * (to - from))) | 0;
}

/** Every value blended with one grey. */
function blendWith(grey: number, factor: number): Uint8Array {
  const single = Math.fround(factor), table = new Uint8Array(256);
  for (let x = 0; x < 256; x++) table[x] = blend(grey, x, single);
  return table;
}

/** Towards black: factor 0 is black, 1 the image. */
export function brightness(image: Image, target: Uint8Array, factor: number): void {
  lookUp(image, target, blendWith(0, factor));
}

/** Towards grey: factor 0 is each pixel's luma, 1 the image. */
export function color(image: Image, target: Uint8Array, factor: number): void {
  const { bytes, shape: [, , channels] } = image, single = Math.fround(factor);
  for (let i = 0; i < bytes.length; i += channels) {
    const grey = luma(bytes, i, channels);
    for (let c = 0; c < channels; c++) target[i + c] = blend(grey, bytes[i + c]!, single);
  }
}

/** Towards one grey: factor 0 is the image's mean luma, rounded, 1 the image. */
export function contrast(image: Image, target: Uint8Array, factor: number): void {
  const { bytes, shape: [, , channels] } = image;
  let sum = 0;
  for (let i = 0; i < bytes.length; i += channels) sum += luma(bytes, i, channels);
  const grey = Math.floor(sum / (bytes.length / channels) + 0.5);
  lookUp(image, target, blendWith(grey, factor));
}

/** Towards a blur: factor 0 is (5 x + the sum of its 8 neighbours) / 13, rounded, 1 the image; the border stays. */
export function sharpness(image: Image, target: Uint8Array, factor: number): void {
  const { bytes, shape: [height, width, channels] } = image, single = Math.fround(factor), row = width * channels;
  target.set(bytes);
  for (let y = 1; y < height - 1; y++) {
    for (let i = y * row + channels; i < (y + 1) * row - channels; i++) {
      const x = bytes[i]!, above = i - row, below = i + row;
      const around = bytes[above - channels]! + bytes[above]! + bytes[above + channels]! + bytes[i - channels]! +
        bytes[i + channels]! + bytes[below - channels]! + bytes[below]! + bytes[below + channels]!;
      target[i] = blend(((5 * x + around) / 13 + 0.5) | 0, x, single);
    }
  }
}
