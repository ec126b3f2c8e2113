/** `DepthwiseConv2dNativeBackpropFilter`, which tfjs's wasm backend lacks. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { floatsOf, type KernelArguments, makeFloats } from "../heap.ts";
import { type Axis, geometryOf, requireOneFilterAChannel } from "./geometry.ts";

/** Channels summed side by side: one sum alone waits for each of its additions. */
const LANES = 4;

/** {x, dy; strides, pad, filterShape} -> dw[i, j, c] = sum of x[n, s h + i - p, s w + j - p, c] dy[n, h, w, c], in float64. */
export function depthwiseFilterGradient({ inputs, attrs, backend }: KernelArguments): TensorInfo {
  const filterShape = attrs.filterShape as number[];
  requireOneFilterAChannel(filterShape);
  const geometry = geometryOf({ x: inputs.x!.shape, filter: filterShape }, attrs, { depthwise: true });
  const { batch, channels, height, width } = geometry, dw = makeFloats(backend, filterShape);
  const x = floatsOf(backend, inputs.x!), dy = floatsOf(backend, inputs.dy!);
  const sums = new Float64Array(floatsOf(backend, dw).length);
  for (let n = 0; n < batch; n++) {
    for (let h = 0; h < height.outputs; h++) {
      for (let i = 0; i < height.taps; i++) {
        const row = height.stride * h + i - height.padding;
        if (row < 0 || row >= height.inputs) continue;
        for (let j = 0; j < width.taps; j++) {
          const { first, count } = readBy(j, width), column = width.stride * first + j - width.padding;
          addRow(x, dy, {
            sums,
            at: (i * width.taps + j) * channels,
            x: ((n * height.inputs + row) * width.inputs + column) * channels,
            dy: ((n * height.outputs + h) * width.outputs + first) * channels,
            step: width.stride * channels,
            channels,
            count,
          });
        }
      }
    }
  }
  floatsOf(backend, dw).set(sums);
  return dw;
}

/** The outputs whose tap `tap` reads an input. */
function readBy(tap: number, { inputs, outputs, stride, padding }: Axis): { first: number; count: number } {
  const first = Math.max(0, Math.ceil((padding - tap) / stride));
  const last = Math.min(outputs, Math.floor((inputs - 1 + padding - tap) / stride) + 1);
  return { first, count: Math.max(0, last - first) };
}

interface Row {
  readonly sums: Float64Array;
  /** Starts of the row's sums, images and gradients. */
  readonly at: number;
  readonly x: number;
  readonly dy: number;
  /** From one image value to the next of its channel. */
  readonly step: number;
  readonly channels: number;
  readonly count: number;
}

/** sums[at + c] += sum over the row of x[c] dy[c]. */
function addRow(x: Float32Array, dy: Float32Array, row: Row): void {
  const { sums, at, step, channels, count } = row, whole = channels - channels % LANES;
  for (let c = 0; c < whole; c += LANES) {
    let a = 0, b = 0, d = 0, e = 0;
    for (let w = 0, from = row.x + c, by = row.dy + c; w < count; w++, from += step, by += channels) {
      a += x[from]! * dy[by]!;
      b += x[from + 1]! * dy[by + 1]!;
      d += x[from + 2]! * dy[by + 2]!;
      e += x[from + 3]! * dy[by + 3]!;
    }
    sums[at + c]! += a;
    sums[at + c + 1]! += b;
    sums[at + c + 2]! += d;
    sums[at + c + 3]! += e;
  }
  for (let c = whole; c < channels; c++) {
    for (let w = 0, from = row.x + c, by = row.dy + c; w < count; w++, from += step, by += channels) {
      sums[at + c]! += x[from]! * dy[by]!;
    }
  }
}
