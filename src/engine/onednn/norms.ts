/** Batch norm and its gradient. */
import type { Node } from "./graph.ts";
import { ARGUMENT, NORM } from "./c_interface.ts";
import type { Run } from "./loops.ts";
import type { Builder } from "./builder.ts";

type Shape4 = readonly [number, number, number, number];

/** Elements of a piece, so that it stays in the cache, and of a row: kernels loop over rows. */
const PIECE = 65536, ROW = 256;

/** A tensor in equal pieces of rows; a row is some pixels with all their channels. */
interface Pieces {
  readonly count: number;
  readonly rows: number;
  readonly row: number;
}

function piecesOf(size: number, channels: number): Pieces {
  let row = channels, count = 1;
  while (row < ROW && size % (2 * row) === 0) row *= 2;
  while (size / count > PIECE && (size / row) % (2 * count) === 0) count *= 2;
  return { count, rows: size / row / count, row };
}

/**
 * [mean, n / (n - 1) variance, mean, variance, nothing], then gamma / sqrt(variance + epsilon) for each gamma.
 *
 * Over a whole tensor oneDNN sums each channel in one float32, which leaves 4e-5 of a variance of 131,072 values wrong. So it
 * gives statistics of pieces, which are joined in float64.
 */
export function normStatistics(node: Node, builder: Builder): Run {
  const { library } = builder, { x, ...gammas } = node.inputs;
  const channels = x!.shape.at(-1)!, { size } = x!.value, { count, rows, row } = piecesOf(size, channels);
  const layout = library.images([1, rows, 1, row], "f32"),
    vector = library.plain([row], "f32"),
    rest = builder.scratch(4 * rows * row);
  const means = builder.floats(row * count),
    variances = builder.floats(row * count),
    epsilon = node.attrs["epsilon"] as number;
  const statistics = Array.from(
    { length: count },
    (_, i) =>
      builder.primitive(library.norm(layout, { epsilon, flags: 0 }), [
        [ARGUMENT.src, layout, builder.part(x!, 4 * rows * row * i)],
        [ARGUMENT.dst, layout, rest],
        [ARGUMENT.mean, vector, { address: means.address + BigInt(4 * row * i) }],
        [ARGUMENT.variance, vector, { address: variances.address + BigInt(4 * row * i) }],
      ]),
  );
  const [mean, corrected, saved, variance, unused, ...slopes] = node.outputs.map((use) => builder.values(use)),
    scales = Object.values(gammas).map((use) => builder.values(use));
  const n = size / channels,
    sums = new Float64Array(channels),
    squares = new Float64Array(channels),
    parts = row * count;
  return () => {
    for (const run of statistics) run();
    sums.fill(0);
    squares.fill(0);
    for (let j = 0; j < parts; j++) sums[j % channels]! += means.values[j]!;
    for (let c = 0; c < channels; c++) sums[c]! /= parts / channels;
    for (let j = 0; j < parts; j++) {
      squares[j % channels]! += variances.values[j]! + (means.values[j]! - sums[j % channels]!) ** 2;
    }
    for (let c = 0; c < channels; c++) {
      const value = squares[c]! / (parts / channels);
      mean![c] = saved![c] = sums[c]!;
      variance![c] = value;
      corrected![c] = value * n / Math.max(n - 1, 1);
      const deviation = Math.sqrt(value + epsilon);
      slopes.forEach((slope, k) => slope[c] = scales[k]![c]! / deviation);
    }
    unused![0] = 0;
  };
}

/** [dx, dgamma, dbeta]. */
export function batchNormGradient(node: Node, builder: Builder): Run {
  const { library } = builder, { dy, x, gamma, r1, r2 } = node.inputs, [dx, dgamma, dbeta] = node.outputs;
  const shape = fourDimensions(x!.shape),
    layout = library.images(shape, "f32"),
    vector = library.plain([shape[3]], "f32");
  return builder.primitive(library.normGradient(layout, optionsOf(node)), [
    [ARGUMENT.src, layout, x!.value],
    [ARGUMENT.ddst, layout, dy!.value],
    [ARGUMENT.dsrc, layout, dx!.value],
    [ARGUMENT.mean, vector, r1!.value],
    [ARGUMENT.variance, vector, r2!.value],
    [ARGUMENT.scale, vector, gamma!.value],
    [ARGUMENT.dscale, vector, dgamma!.value],
    [ARGUMENT.dshift, vector, dbeta!.value],
  ]);
}

function optionsOf({ attrs }: Node) {
  return { epsilon: attrs["epsilon"] as number, flags: NORM.scale | NORM.shift };
}

function fourDimensions(shape: readonly number[]): Shape4 {
  const channels = shape.at(-1)!, size = shape.reduce((a, b) => a * b, 1);
  return shape.length === 4 ? shape as unknown as Shape4 : [size / channels, 1, 1, channels];
}
