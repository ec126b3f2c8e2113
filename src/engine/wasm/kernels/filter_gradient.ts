/**
 * `Conv2DBackpropFilter`, which tfjs's wasm backend lacks.
 *
 * dw[i, j] = sum over n, h, w of x[n, s h + i - p, s w + j - p]^T dy[n, h, w]: one matrix product a tap,
 * [channels, pixels] x [pixels, out], by XNNPACK. Nothing is copied for a tap: each of the s x s phases of
 * x is laid out once as [channels, pixels] on a grid that has room for every shift, dy on the same grid with zeros in
 * that room, and tap (i, j) is then the same matrix read from a later start. Rows run over into the next one by as much
 * as the shift, always against the zeros of dy.
 */
import { BatchMatMul, getKernel, type TensorInfo } from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { dropWindow, floatsOf, type KernelArguments, makeFloats, openWindow } from "../heap.ts";
import { type Axis, type Geometry, geometryOf } from "./geometry.ts";

/** Pixels in one product: its float32 sums stay short (and its operands in the cache); they are added up in float64. */
const PIXELS_AT_ONCE = 8192;

/** Batch, height and width of the grid on which a chunk of x (one phase) and dy lie. */
interface Grid {
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly size: number;
}

/** Grid positions from the first tap of a phase of an axis to its last. */
function roomFor({ taps, stride }: Axis): number {
  return Math.floor((taps - 1) / stride);
}

/** {x, dy; strides, pad, filterShape} -> dw [kh, kw, c, out]. */
export function conv2dFilterGradient({ inputs, attrs, backend }: KernelArguments): TensorInfo {
  const x = inputs.x!, dy = inputs.dy!, filterShape = attrs.filterShape as number[];
  const geometry = geometryOf({ x: x.shape, filter: filterShape }, attrs), { height, width, channels } = geometry;
  const gridHeight = height.outputs + roomFor(height), gridWidth = width.outputs + roomFor(width);
  const images = Math.min(geometry.batch, Math.max(1, Math.round(PIXELS_AT_ONCE / (gridHeight * gridWidth))));
  const grid = { images, height: gridHeight, width: gridWidth, size: images * gridHeight * gridWidth };
  const reach = roomFor(height) * gridWidth + roomFor(width);
  const dw = makeFloats(backend, filterShape), sums = new Float64Array(dw.shape.reduce((a, b) => a * b, 1));
  const planes = makeFloats(backend, [channels * grid.size + reach]);
  for (let start = 0; start < geometry.batch; start += images) {
    const gradient = makeFloats(backend, [1, grid.size, geometry.outChannels]);
    layGradient(floatsOf(backend, dy), floatsOf(backend, gradient), { geometry, grid, start });
    for (let a = 0; a < Math.min(height.stride, height.taps); a++) {
      for (let b = 0; b < Math.min(width.stride, width.taps); b++) {
        layPhase(floatsOf(backend, x), floatsOf(backend, planes), { geometry, grid, start, phase: [a, b] });
        for (let i = a; i < height.taps; i += height.stride) {
          for (let j = b; j < width.taps; j += width.stride) {
            const offset = (i - a) / height.stride * gridWidth + (j - b) / width.stride;
            const matrix = openWindow(backend, planes, { offset, shape: [1, channels, grid.size] });
            addProduct(matrix, gradient, { backend, sums, at: (i * width.taps + j) * channels * geometry.outChannels });
            dropWindow(backend, matrix);
          }
        }
      }
    }
    backend.disposeData(gradient.dataId);
  }
  backend.disposeData(planes.dataId);
  floatsOf(backend, dw).set(sums);
  return dw;
}

/** sums[at ..] += matrix gradient. */
function addProduct(
  matrix: TensorInfo,
  gradient: TensorInfo,
  { backend, sums, at }: { backend: BackendWasm; sums: Float64Array; at: number },
): void {
  const product = getKernel(BatchMatMul, "wasm").kernelFunc({
    inputs: { a: matrix, b: gradient },
    attrs: { transposeA: false, transposeB: false },
    backend,
  }) as TensorInfo;
  const values = floatsOf(backend, product);
  for (let i = 0; i < values.length; i++) sums[at + i]! += values[i]!;
  backend.disposeData(product.dataId);
}

interface Chunk {
  readonly geometry: Geometry;
  readonly grid: Grid;
  /** The first image. */
  readonly start: number;
}

/** dy of the chunk's images on the grid, zeros elsewhere: [pixels, out]. */
function layGradient(dy: Float32Array, to: Float32Array, { geometry, grid, start }: Chunk): void {
  const { height, width, outChannels } = geometry, row = width.outputs * outChannels;
  to.fill(0);
  for (let n = start; n < Math.min(start + grid.images, geometry.batch); n++) {
    for (let h = 0; h < height.outputs; h++) {
      const from = (n * height.outputs + h) * row;
      to.set(dy.subarray(from, from + row), ((n - start) * grid.height + h) * grid.width * outChannels);
    }
  }
}

/** x[n, stride q + a - padding, ...] of the chunk's images at grid row q, zeros where there is no input: [channels, pixels]. */
function layPhase(
  x: Float32Array,
  to: Float32Array,
  chunk: Chunk & { readonly phase: readonly [number, number] },
): void {
  const { geometry: { batch, channels, height, width }, grid, start, phase: [a, b] } = chunk;
  to.fill(0);
  for (let n = start; n < Math.min(start + grid.images, batch); n++) {
    for (let q = 0; q < grid.height; q++) {
      const h = height.stride * q + a - height.padding;
      if (h < 0 || h >= height.inputs) continue;
      const first = Math.max(0, Math.ceil((width.padding - b) / width.stride));
      const last = Math.min(grid.width, Math.ceil((width.inputs + width.padding - b) / width.stride));
      const line = ((n - start) * grid.height + q) * grid.width, step = width.stride * channels;
      const image = ((n * height.inputs + h) * width.inputs + width.stride * first + b - width.padding) * channels;
      for (let c = 0; c < channels; c++) {
        const end = c * grid.size + line + last;
        for (let at = c * grid.size + line + first, from = image + c; at < end; at++, from += step) to[at] = x[from]!;
      }
    }
  }
}
