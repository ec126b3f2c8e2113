import type { Image } from "./pixels.ts";

/**
 * Where a pixel comes from, in coordinates of pixel corners:
 *
 *   x' = a (x + 1/2) + b (y + 1/2) + c,  y' = d (x + 1/2) + e (y + 1/2) + f
 */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** As 16.16 fixed point in 32 bits: floor(2^16 v + 1/2). */
function fixed(value: number): number {
  return Math.floor(value * 65536 + 0.5) | 0;
}

/**
 * target[y, x] = image[floor(y'), floor(x')], the nearest pixel; 0 where that lies outside.
 *
 * In 16.16 fixed point, as PIL's `Image.transform` with `NEAREST`: the same pixels as PIL's, for images up to 32,767 wide.
 */
export function transform(image: Image, target: Uint8Array, affine: Affine): void {
  const { bytes, shape: [height, width, channels] } = image, [a, b, c, d, e, f] = affine;
  const stepX = fixed(a), stepY = fixed(d), lineX = fixed(b), lineY = fixed(e);
  let startX = fixed(c + a * 0.5 + b * 0.5), startY = fixed(f + d * 0.5 + e * 0.5), to = 0;
  target.fill(0);
  for (let y = 0; y < height; y++) {
    let sourceX = startX, sourceY = startY;
    for (let x = 0; x < width; x++) {
      const column = sourceX >> 16, line = sourceY >> 16;
      if (column >= 0 && column < width && line >= 0 && line < height) {
        let from = (line * width + column) * channels;
        for (const end = to + channels; to < end;) target[to++] = bytes[from++]!;
      } else to += channels;
      sourceX = (sourceX + stepX) | 0;
      sourceY = (sourceY + stepY) | 0;
    }
    startX = (startX + lineX) | 0;
    startY = (startY + lineY) | 0;
  }
}

/** Rows shifted by x' = x + amount y. */
export function shearX(amount: number): Affine {
  return [1, amount, 0, 0, 1, 0];
}

/** Columns shifted by y' = y + amount x. */
export function shearY(amount: number): Affine {
  return [1, 0, 0, amount, 1, 0];
}

/** The image moved left by `pixels`. */
export function translateX(pixels: number): Affine {
  return [1, 0, pixels, 0, 1, 0];
}

/** The image moved up by `pixels`. */
export function translateY(pixels: number): Affine {
  return [1, 0, 0, 0, 1, pixels];
}

/** Counter-clockwise by `degrees`, about the middle of the image. */
export function rotate(degrees: number, { shape: [height, width] }: Pick<Image, "shape">): Affine {
  const angle = -degrees * Math.PI / 180, cos = Math.cos(angle), sin = Math.sin(angle);
  const x = width / 2, y = height / 2;
  return [cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y];
}
