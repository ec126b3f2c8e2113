/**
 * `Conv2DBackpropInput` and `DepthwiseConv2dNativeBackpropInput`: tfjs's wasm backend has the first in plain loops,
 * ten times slower than its forward convolution, and lacks the second. Both are forward convolutions here.
 *
 * Along an axis, y[o] = sum_t x[s o + t - p] w[t]. The inputs whose s q + a - p is theirs, for one phase a < s, get
 * dx[s q + a - p] = sum_j dy[q - j] w[s j + a]: dy convolved with every s-th tap, reversed. The s x s phases interleave.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor4D, TensorInfo } from "@tensorflow/tfjs-core";
import { floatsOf, type KernelArguments, makeFloats } from "../heap.ts";
import { type Axis, type Geometry, geometryOf, requireOneFilterAChannel } from "./geometry.ts";

/** {dy, filter; strides, pad, inputShape} -> dx. */
export function conv2dInputGradient({ inputs, attrs, backend }: KernelArguments): TensorInfo {
  const shapes = { x: attrs.inputShape as number[], filter: inputs.filter!.shape };
  return inputGradient({ inputs, backend, geometry: geometryOf(shapes, attrs), depthwise: false });
}

/** {dy, filter; strides, pad, inputShape} -> dx; one filter a channel. */
export function depthwiseInputGradient({ inputs, attrs, backend }: KernelArguments): TensorInfo {
  const shapes = { x: attrs.inputShape as number[], filter: inputs.filter!.shape };
  requireOneFilterAChannel(shapes.filter);
  const geometry = geometryOf(shapes, attrs, { depthwise: true });
  return inputGradient({ inputs, backend, geometry, depthwise: true });
}

interface Given {
  readonly inputs: KernelArguments["inputs"];
  readonly backend: KernelArguments["backend"];
  readonly geometry: Geometry;
  readonly depthwise: boolean;
}

/** The inputs that one phase of an axis computes: first, first + stride, ..., `count` of them. */
interface Phase {
  readonly first: number;
  readonly count: number;
  /** Zeros before and after dy; negative: values of dy left out. */
  readonly before: number;
  readonly after: number;
  readonly taps: readonly number[];
}

function phasesOf({ inputs, outputs, taps, stride, padding }: Axis): Phase[] {
  return Array.from({ length: stride }, (_, a) => {
    const q = Math.max(0, Math.ceil((padding - a) / stride)), first = stride * q + a - padding;
    const count = Math.max(0, Math.ceil((inputs - first) / stride));
    const own = Array.from({ length: Math.max(0, Math.ceil((taps - a) / stride)) }, (_, j) => stride * j + a);
    const before = own.length - 1 - q;
    return { first, count, before, after: count + own.length - 1 - before - outputs, taps: own.reverse() };
  });
}

function inputGradient({ inputs, backend, geometry, depthwise }: Given): TensorInfo {
  const { height, width } = geometry, dy = inputs.dy as Tensor4D, filter = inputs.filter as Tensor4D;
  const rows = phasesOf(height), columns = phasesOf(width);
  if (rows.length * columns.length === 1) {
    return tf.tidy(() => phaseGradient(dy, filter, { row: rows[0]!, column: columns[0]!, depthwise, backend }));
  }
  const dx = makeFloats(backend, [geometry.batch, height.inputs, width.inputs, geometry.channels]);
  floatsOf(backend, dx).fill(0);
  for (const row of rows) {
    for (const column of columns) {
      // a phase without taps is one that no output reads
      if (!row.taps.length || !column.taps.length || !row.count || !column.count) continue;
      const part = tf.tidy(() => phaseGradient(dy, filter, { row, column, depthwise, backend }));
      interleave(floatsOf(backend, part), floatsOf(backend, dx), { geometry, row, column });
      part.dispose();
    }
  }
  return dx;
}

function phaseGradient(
  dy: Tensor4D,
  filter: Tensor4D,
  { row, column, depthwise, backend }: { row: Phase; column: Phase; depthwise: boolean; backend: Given["backend"] },
): Tensor4D {
  const phaseFilter = filterOf(filter, { row, column, depthwise, backend });
  const image = crop(dy, row, column);
  const padding: tf.backend_util.ExplicitPadding = [
    [0, 0],
    [Math.max(row.before, 0), Math.max(row.after, 0)],
    [Math.max(column.before, 0), Math.max(column.after, 0)],
    [0, 0],
  ];
  if (depthwise) return tf.depthwiseConv2d(image, phaseFilter, 1, padding as unknown as "same");
  return tf.conv2d(image, phaseFilter, 1, padding);
}

/** The taps of a phase; unless depthwise, with inputs and outputs in each other's place: [rows, columns, out, c]. */
function filterOf(
  filter: Tensor4D,
  { row, column, depthwise, backend }: { row: Phase; column: Phase; depthwise: boolean; backend: Given["backend"] },
): Tensor4D {
  const [, width, channels, outputs] = filter.shape;
  const shape = [row.taps.length, column.taps.length, ...(depthwise ? [channels, 1] : [outputs, channels])];
  // a tensor of tfjs, so that tidy frees it
  const taken = tf.engine().makeTensorFromTensorInfo(makeFloats(backend, shape)) as Tensor4D;
  const from = floatsOf(backend, filter),
    to = floatsOf(backend, taken),
    [across, down] = depthwise ? [1, channels] : [outputs, channels];
  let at = 0;
  for (const i of row.taps) {
    for (const j of column.taps) {
      const start = (i * width + j) * channels * outputs;
      for (let k = 0; k < across; k++) {
        for (let c = 0; c < down; c++) to[at++] = from[start + c * across + k]!;
      }
    }
  }
  return taken;
}

/** Leaves out the values of dy that reach no input. */
function crop(dy: Tensor4D, row: Phase, column: Phase): Tensor4D {
  const [top, bottom, left, right] = [row.before, row.after, column.before, column.after].map((zeros) =>
    Math.max(-zeros, 0)
  ) as [number, number, number, number];
  if (top + bottom + left + right === 0) return dy;
  const [batch, height, width, channels] = dy.shape;
  return tf.slice(dy, [0, top, left, 0], [batch, height - top - bottom, width - left - right, channels]);
}

function interleave(
  part: Float32Array,
  dx: Float32Array,
  { geometry, row, column }: { geometry: Geometry; row: Phase; column: Phase },
): void {
  const { batch, channels, height, width } = geometry, step = (width.stride - 1) * channels;
  let from = 0;
  for (let n = 0; n < batch; n++) {
    for (let h = 0; h < row.count; h++) {
      const line = (n * height.inputs + row.first + h * height.stride) * width.inputs + column.first;
      let to = line * channels;
      for (let w = 0; w < column.count; w++, to += step) {
        for (let c = 0; c < channels; c++) dx[to++] = part[from++]!;
      }
    }
  }
}
