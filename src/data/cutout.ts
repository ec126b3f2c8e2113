import type { Stream } from "../random/stream.ts";
import type { Image, ImageShape } from "./pixels.ts";

/** Side of the square on an image of 32 pixels: half the image. */
const SHARE = 0.5;
/** Grey, as FixMatch fills it; DeVries and Taylor take 0 of normalised values, which is the same but for rounding. */
const FILL = 127;

/** Rows [top, bottom) and columns [left, right). */
export interface CutoutBox {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/**
 * A square of half the image's width, its middle at any pixel with equal probability; what sticks out is cut off:
 * rows max(0, y - side/2) to min(height, y + side/2).
 *
 * @see DeVries and Taylor 2017, arXiv:1708.04552, section 3.2 (16 x 16 on CIFAR-10)
 */
export function drawCutout(draws: Stream, [height, width]: ImageShape): CutoutBox {
  const half = Math.floor(width * SHARE / 2), y = draws.integer(height), x = draws.integer(width);
  return {
    top: Math.max(0, y - half),
    bottom: Math.min(height, y + half),
    left: Math.max(0, x - half),
    right: Math.min(width, x + half),
  };
}

/** Fills the box with grey, in place. */
export function cutout({ bytes, shape: [, width, channels] }: Image, box: CutoutBox): void {
  for (let y = box.top; y < box.bottom; y++) {
    bytes.fill(FILL, (y * width + box.left) * channels, (y * width + box.right) * channels);
  }
}
