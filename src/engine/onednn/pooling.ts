/** Max pooling along an axis, and its gradient. */
import type { AxisPooling } from "../ops.ts";
import { ARGUMENT } from "./c_interface.ts";
import type { Node, Use } from "./graph.ts";
import type { Window } from "./library.ts";
import type { Run } from "./loops.ts";
import type { Builder } from "./builder.ts";

/** Bits of a float32's exponent: all are set in NaN and the infinities alone. */
const EXPONENT = 0x7f800000, ITS_LAST = 0x00800000;

/** Checks if all are finite. */
function areFinite({ buffer, byteOffset, length }: Float32Array): boolean {
  const bits = new Int32Array(buffer, byteOffset, length), whole = length - length % 4;
  let found = 0;
  for (let i = 0; i < whole; i += 4) {
    found |= ((bits[i]! & EXPONENT) + ITS_LAST) | ((bits[i + 1]! & EXPONENT) + ITS_LAST) |
      ((bits[i + 2]! & EXPONENT) + ITS_LAST) | ((bits[i + 3]! & EXPONENT) + ITS_LAST);
  }
  for (let i = whole; i < length; i++) found |= (bits[i]! & EXPONENT) + ITS_LAST;
  return found >= 0;
}

/** Pooling of `x` to `y` along one axis, as oneDNN has it. */
function windowOf(x: Use, y: Use, { axis, size, stride, padding }: AxisPooling): Window {
  const along = (value: number, rest: number) => (axis === 1 ? [value, rest] : [rest, value]) as [number, number];
  const after = Math.max(0, (y.shape[axis]! - 1) * stride + size - x.shape[axis]! - padding);
  return { size: along(size, 1), strides: along(stride, 1), before: along(padding, 0), after: along(after, 0) };
}

function layoutOf({ library }: Builder, { shape }: Use) {
  return library.images(shape as [number, number, number, number], "f32");
}

/**
 * `MaxPoolAxis` of `../ops.ts`: y, and the place of each maximum in its window.
 *
 * oneDNN makes numbers of NaN and -infinity, so a tensor that is not finite is left to `other`.
 */
export function maxPoolAxis(node: Node, builder: Builder, other: Run): Run {
  const { library } = builder, x = node.inputs["x"]!, [y, winner] = node.outputs;
  const from = layoutOf(builder, x), into = layoutOf(builder, y!);
  const descriptor = library.maxPooling([from, into], windowOf(x, y!, node.attrs as unknown as AxisPooling));
  const places = library.wanted(descriptor, ARGUMENT.workspace), at = builder.scratch(library.sizeOf(places));
  const unpack = builder.primitive(library.reorder(places, into), [
    [ARGUMENT.src, places, at],
    [ARGUMENT.dst, into, winner!.value],
  ]);
  const pool = builder.primitive(descriptor, [
    [ARGUMENT.src, from, x.value],
    [ARGUMENT.dst, into, y!.value],
    [ARGUMENT.workspace, places, at],
  ]);
  const values = builder.values(x) as Float32Array;
  return () => {
    if (!areFinite(values)) return other();
    pool();
    unpack();
  };
}

/** `MaxPoolAxisGrad` of `../ops.ts`. */
export function maxPoolAxisGrad(node: Node, builder: Builder): Run {
  const { library } = builder, { dy, winner } = node.inputs, dx = node.outputs[0]!;
  const from = layoutOf(builder, dx), into = layoutOf(builder, dy!);
  const descriptor = library.maxPoolingGradient([from, into], windowOf(dx, dy!, node.attrs as unknown as AxisPooling));
  const places = library.wanted(descriptor, ARGUMENT.workspace), at = builder.scratch(library.sizeOf(places));
  const pack = builder.primitive(library.reorder(into, places), [
    [ARGUMENT.src, into, winner!.value],
    [ARGUMENT.dst, places, at],
  ]);
  const spread = builder.primitive(descriptor, [
    [ARGUMENT.ddst, into, dy!.value],
    [ARGUMENT.dsrc, from, dx.value],
    [ARGUMENT.workspace, places, at],
  ]);
  return () => {
    pack();
    spread();
  };
}
