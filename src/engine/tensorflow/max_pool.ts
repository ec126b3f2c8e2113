/**
 * `MaxPoolAxis` and `MaxPoolAxisGrad` of `../ops.ts`: no kernel of TensorFlow keeps NaN, so windows are compared tap by tap.
 *
 * The padded axis is cut into groups of `stride` pixels. Tap t of window o is pixel t mod stride of group
 * o + floor(t / stride), so a tap's values for all windows lie in one plain slice: TensorFlow's strided slices are slow.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { type AxisPooling, pooledLength } from "../ops.ts";

/** Windows of an axis of `length` pixels, the groups that they reach, and the pixels of these groups behind the axis. */
function layout(length: number, pooling: AxisPooling): { windows: number; groups: number; behind: number } {
  const windows = pooledLength(length, pooling), groups = windows + Math.floor((pooling.size - 1) / pooling.stride);
  return { windows, groups, behind: groups * pooling.stride - pooling.padding - length };
}

/** Pads one axis, or cuts it where `after` is negative. */
function padAxis(x: Tensor, axis: number, { before, after, value }: { before: number; after: number; value: number }) {
  const kept = after < 0 ? tf.slice(x, x.shape.map(() => 0), x.shape.with(axis, x.shape[axis]! + after)) : x;
  const sides = x.shape.map((_, i): [number, number] => i === axis ? [before, Math.max(0, after)] : [0, 0]);
  return tf.pad(kept, sides, value);
}

/** @returns [y, winner]. */
export function maxPoolAxis(x: Tensor, pooling: AxisPooling): Tensor[] {
  const { axis, size, stride, padding } = pooling, { windows, groups, behind } = layout(x.shape[axis]!, pooling);
  const padded = padAxis(x, axis, { before: padding, after: behind, value: -Infinity });
  const grouped = tf.reshape(padded, x.shape.toSpliced(axis, 1, groups, stride));
  const origin = grouped.shape.map(() => 0), shape = x.shape.with(axis, windows);
  let best!: Tensor;
  // the first pixel that is no padding, as -infinity beats nothing
  const first = Array.from({ length: windows }, (_, window) => Math.max(0, padding - window * stride));
  let winner = tf.broadcastTo(tf.tensor(first, shape.map((_, i) => i === axis ? windows : 1)), shape);
  for (let tap = 0; tap < size; tap++) {
    const begin = origin.with(axis, Math.floor(tap / stride)).with(axis + 1, tap % stride);
    const values = tf.reshape(tf.slice(grouped, begin, x.shape.toSpliced(axis, 1, windows, 1)), shape);
    if (tap === 0) {
      best = values;
      continue;
    }
    const wins = tf.logicalOr(tf.greater(values, best), tf.notEqual(values, values));
    best = tf.where(wins, values, best);
    winner = tf.where(wins, tf.scalar(tap), winner);
  }
  return [best, winner];
}

/** @param pooling.length Pixels of x along the axis. */
export function maxPoolAxisGrad(dy: Tensor, winner: Tensor, pooling: AxisPooling & { length: number }): Tensor {
  const { axis, size, stride, padding, length } = pooling, { windows, groups, behind } = layout(length, pooling);
  const none = tf.scalar(0);
  const phases = Array.from({ length: stride }, (_, phase) => {
    let sum: Tensor | null = null;
    for (let tap = phase, before = 0; tap < size; tap += stride, before++) {
      const won = tf.where(tf.equal(winner, tap), dy, none);
      const placed = padAxis(won, axis, { before, after: groups - windows - before, value: 0 });
      sum = sum ? tf.add(sum, placed) : placed;
    }
    return sum ?? tf.zeros(dy.shape.with(axis, groups));
  });
  const padded = tf.reshape(tf.stack(phases, axis + 1), dy.shape.with(axis, groups * stride));
  const whole = padAxis(padded, axis, { before: 0, after: Math.max(0, -behind), value: 0 });
  return tf.slice(whole, dy.shape.map((_, i) => i === axis ? padding : 0), dy.shape.with(axis, length));
}
