import { encode as encodePng } from "fast-png";

/** Of an image, in pixels. */
export type Size = { width: number; height: number };
/** RGB of a pixel. */
export type Colour = (x: number, y: number) => readonly [number, number, number];

/** An image as an RGB file of 8 bits. */
export function png({ width, height }: Size, colour: Colour): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) data.set(colour(i % width, Math.floor(i / width)), 3 * i);
  return new Uint8Array(encodePng({ width, height, data, channels: 3, depth: 8 }));
}
