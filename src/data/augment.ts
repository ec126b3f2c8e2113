/** Crop and flip of byte images as index arithmetic. */
import type { Stream } from "../random/stream.ts";

/** Pixels of zero padding on every side before a crop of the original size (He et al. 2016, section 4.2). */
export const CROP_PADDING = 4;

/** How one image is cropped and flipped; offsets are in [0, 2 · padding], `padding` leaves the image in place. */
export interface CropFlip {
  readonly top: number;
  readonly left: number;
  readonly flip: boolean;
}

/** A random crop and, with probability 1/2, a horizontal flip. */
export function drawCropFlip(draws: Stream): CropFlip {
  const size = 2 * CROP_PADDING + 1;
  return { top: draws.integer(size), left: draws.integer(size), flip: draws.uniform() < 0.5 };
}

/** Which image goes where. */
export interface CopyOptions {
  readonly from: Uint8Array;
  /** First value of the image in `from`. */
  readonly source: number;
  readonly to: Int32Array;
  /** First value of the image in `to`, which holds zeros there. */
  readonly target: number;
  /** [height, width, channels]. */
  readonly shape: readonly [number, number, number];
}

/** Copies an image as it is. */
export function copyImage({ from, source, to, target, shape }: CopyOptions): void {
  to.set(from.subarray(source, source + shape[0] * shape[1] * shape[2]), target);
}

/** Copies the padded image's window at (top, left), then mirrors it if `flip`; the padding stays zero. */
export function copyCropped(options: CopyOptions, { top, left, flip }: CropFlip): void {
  const { from, source, to, target, shape: [height, width, channels] } = options;
  const dy = top - CROP_PADDING, dx = left - CROP_PADDING;
  const firstX = Math.max(0, -dx), lastX = Math.min(width, width - dx);
  for (let y = Math.max(0, -dy); y < Math.min(height, height - dy); y++) {
    const rowFrom = source + (y + dy) * width * channels, rowTo = target + y * width * channels;
    if (!flip) {
      to.set(
        from.subarray(rowFrom + (firstX + dx) * channels, rowFrom + (lastX + dx) * channels),
        rowTo + firstX * channels,
      );
      continue;
    }
    for (let x = firstX; x < lastX; x++) {
      const a = rowFrom + (x + dx) * channels, b = rowTo + (width - 1 - x) * channels;
      for (let c = 0; c < channels; c++) to[b + c] = from[a + c]!;
    }
  }
}
