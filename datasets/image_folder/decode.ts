/** JPEG and PNG files as square RGB images of one size. */
import { Buffer } from "node:buffer";
import { inflateSync } from "node:zlib";
import decodeJpegWasm, { init as initJpeg } from "@jsquash/jpeg/decode.js";
import resizeWasm, { initResize } from "@jsquash/resize";
import { convertIndexedToRgb, decode as decodePng, hasPngSignature } from "fast-png";

/** Red, green, blue and an unused byte a pixel. */
interface Pixels {
  readonly data: Uint8ClampedArray<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
}

/** Makes one square image of a file's bytes. */
export type SquareDecoder = (file: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;

async function compiled(path: string): Promise<WebAssembly.Module> {
  return await WebAssembly.compile(await Deno.readFile(new URL(import.meta.resolve(path))));
}

/** A decoder would ask for gigabytes of memory for more, whatever the file really holds. */
const MOST_PIXELS = 100e6;

function requireSize(width: number, height: number): void {
  if (width * height <= MOST_PIXELS) return;
  throw new Error(`it claims ${width} x ${height} pixels, and at most ${MOST_PIXELS / 1e6} million are read`);
}

/** Reads the frame header of a JPEG. @returns Null where there is none: the decoder says why. */
function jpegFrame(file: Uint8Array): { height: number; width: number; components: number } | null {
  const at = (i: number) => 256 * (file[i] ?? 0) + (file[i + 1] ?? 0);
  // segments: 0xff, marker, length of what follows with itself; SOF0 to SOF15 but DHT, JPG and DAC are frame headers
  for (let i = 2; i + 9 < file.length && file[i] === 0xff; i += 2 + at(i + 2)) {
    while (file[i + 1] === 0xff) i++;
    const marker = file[i + 1]!;
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { height: at(i + 5), width: at(i + 7), components: file[i + 9]! };
    }
  }
  return null;
}

/**
 * Decodes a PNG whose data unpack to no more than its pixels need; chunks that they do not need are left out, as some are
 * packed too.
 * @throws {Error} If it is cut, damaged or too large.
 */
function decodedPng(file: Uint8Array<ArrayBuffer>): ReturnType<typeof decodePng> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength), damaged = "its PNG data is cut or damaged";
  const nameAt = (at: number) => String.fromCharCode(...file.subarray(at + 4, at + 8));
  if (file.length < 33 || nameAt(8) !== "IHDR") throw new Error(damaged);
  const width = view.getUint32(16), height = view.getUint32(20);
  requireSize(width, height);
  const needed = [file.subarray(0, 33)], data: Uint8Array[] = [];
  for (let at = 33, end; at + 12 <= file.length; at = end) {
    const name = nameAt(at);
    end = at + 12 + view.getUint32(at);
    if (["PLTE", "tRNS", "IDAT", "IEND"].includes(name)) needed.push(file.subarray(at, end));
    if (name === "IDAT") data.push(file.subarray(at + 8, end - 4));
  }
  try {
    // at most 4 channels of 16 bits, and a byte a row in each of 7 passes
    inflateSync(Buffer.concat(data), { maxOutputLength: 8 * width * height + 8 * height + 8 });
    return decodePng(Buffer.concat(needed));
  } catch (error) {
    if ((error as { code?: string }).code !== "ERR_BUFFER_TOO_LARGE") throw new Error(damaged);
    throw new Error(`its PNG data is more than its ${width} x ${height} pixels`);
  }
}

/** The bytes of a PNG, whatever its kind, as RGB; alpha is dropped, and of 16 bits the high eight are kept. */
function pngPixels(file: Uint8Array<ArrayBuffer>): Pixels {
  const png = decodedPng(file), { width, height } = png;
  const indexed = png.palette !== undefined;
  const source = indexed ? convertIndexedToRgb(png) : png.data;
  const channels = indexed ? source.length / (width * height) : png.channels;
  if (!indexed && png.depth < 8) throw new Error(`it is a PNG of ${png.depth} bits, and only 8 and 16 can be read`);
  const shift = !indexed && png.depth === 16 ? 8 : 0, green = channels >= 3 ? 1 : 0, blue = channels >= 3 ? 2 : 0;
  const data = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < width * height; i++) {
    data[4 * i] = source[channels * i]! >> shift;
    data[4 * i + 1] = source[channels * i + green]! >> shift;
    data[4 * i + 2] = source[channels * i + blue]! >> shift;
    data[4 * i + 3] = 255;
  }
  return { data, width, height };
}

/** The central square: its side is the shorter one of the image; an odd rest goes to the right and the bottom. */
function centralSquare({ data, width, height }: Pixels): Pixels {
  const side = Math.min(width, height), left = (width - side) >> 1, top = (height - side) >> 1;
  if (width === height) return { data, width, height };
  const square = new Uint8ClampedArray(4 * side * side);
  for (let y = 0; y < side; y++) {
    const from = 4 * ((y + top) * width + left);
    square.set(data.subarray(from, from + 4 * side), 4 * y * side);
  }
  return { data: square, width: side, height: side };
}

/**
 * A decoder to `side` x `side` RGB bytes: the central square of the image, scaled by a triangle filter that is as wide as the
 * scale when it shrinks (antialiased, as Pillow's bilinear). Grey becomes three equal channels; EXIF orientation is ignored.
 *
 * It throws an Error that says why a file is no such image: damaged, too large by its header, or CMYK.
 */
export async function squareDecoder(side: number): Promise<SquareDecoder> {
  const said: string[] = [];
  const jpegModule = await compiled("@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm");
  await initJpeg({
    // the decoder's own way looks for the file where Deno does not keep it
    instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) {
      const instance = new WebAssembly.Instance(jpegModule, imports);
      done(instance);
      return instance.exports;
    },
    printErr: (line: string) => void said.push(line),
  });
  await initResize(await compiled("@jsquash/resize/lib/resize/pkg/squoosh_resize_bg.wasm"));
  async function jpegPixels(file: Uint8Array<ArrayBuffer>): Promise<Pixels> {
    said.length = 0;
    const frame = jpegFrame(file);
    if (frame) requireSize(frame.width, frame.height);
    if (frame?.components === 4) throw new Error("it is a CMYK JPEG, and only grey and RGB can be read");
    const image = await decodeJpegWasm(file.buffer, { preserveOrientation: false }).catch((error) => {
      throw new Error(said[0] ?? (error instanceof Error ? error.message : "the JPEG decoder gave up"));
    });
    // libjpeg fills what is missing or damaged with grey and only says so
    const damage = said.find((line) => /^(Premature end|Corrupt JPEG data)/.test(line));
    if (damage) throw new Error(damage);
    return image as Pixels;
  }
  return async (file) => {
    const isPng = hasPngSignature(file), isJpeg = file[0] === 0xff && file[1] === 0xd8;
    if (!isPng && !isJpeg) throw new Error("it is neither a JPEG nor a PNG");
    const square = centralSquare(isPng ? pngPixels(file) : await jpegPixels(file));
    const scaled = square.width === side ? square : await resizeWasm(square as ImageData, {
      width: side,
      height: side,
      method: "triangle",
      premultiply: false,
      linearRGB: false,
      fitMethod: "stretch",
    });
    const rgb = new Uint8Array(3 * side * side);
    for (let i = 0; i < side * side; i++) rgb.set(scaled.data.subarray(4 * i, 4 * i + 3), 3 * i);
    return rgb;
  };
}
