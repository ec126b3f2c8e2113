/** `CropFlip` of `../ops.ts`: every pixel of the result gathers its own from the batch, or a zero. */
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import { CROP_PADDING } from "../../data/augment.ts";
import { Chain, type NodeBackend, type } from "./chain.ts";
import { ATTR, DTYPE, type OpAttribute } from "./runtime.ts";

const INT: OpAttribute = type("T", DTYPE.int32);
const INDEX_INT: OpAttribute = type("Index", DTYPE.int32);
const SHAPE_INT: OpAttribute = type("Tshape", DTYPE.int32);

/** The kernel. */
export function cropFlip(backend: NodeBackend, x: TensorInfo, crops: TensorInfo): Tensor {
  const [count, height, width, channels] = x.shape as [number, number, number, number];
  const chain = new Chain(backend), places = chain.input(crops);
  const two = (op: string, a: number, b: number) => chain.op(op, [INT], [a, b]);
  const reshaped = (value: number, shape: readonly number[]) =>
    chain.op("Reshape", [INT, SHAPE_INT], [value, chain.ints(shape)]);
  const column = (place: number) =>
    chain.op("Slice", [INT, INDEX_INT], [places, chain.ints([0, place]), chain.ints([count, 1])]);
  /** [1, size]: 0, 1, ... */
  const range = (size: number, value = (i: number) => i) =>
    chain.ints(Array.from({ length: size }, (_, i) => value(i)), [1, size]);
  const moved = (place: number) => two("Sub", column(place), chain.ints([CROP_PADDING], []));
  /** Computes whether a place is in [0, size). */
  const within = (value: number, size: number) => {
    const clipped = two("Maximum", two("Minimum", value, chain.ints([size - 1], [])), chain.ints([0], []));
    return chain.op("Equal", [INT], [value, clipped]);
  };
  // j' = j + flip (w - 1 - 2 j)
  const mirrored = two("Mul", column(2), range(width, (j) => width - 1 - 2 * j));
  const rows = two("AddV2", range(height), moved(0)),
    columns = two("AddV2", two("AddV2", range(width), mirrored), moved(1));
  const first = chain.ints(Array.from({ length: count }, (_, n) => n * height), [count, 1]);
  const starts = two("Mul", two("AddV2", rows, first), chain.ints([width], []));
  const from = two("AddV2", reshaped(starts, [count, height, 1]), reshaped(columns, [count, 1, width]));
  const inside = chain.op("LogicalAnd", [], [
    boolean(chain, within(rows, height), [count, height, 1]),
    boolean(chain, within(columns, width), [count, 1, width]),
  ]);
  const pixels = count * height * width, zero = chain.ints([pixels], []);
  const indices = chain.op("SelectV2", [INT], [inside, from, zero]);
  const list: OpAttribute = { name: "N", type: ATTR.int, value: 2 };
  const padded = chain.op("ConcatV2", [INT, type("Tidx", DTYPE.int32), list], [
    reshaped(chain.input(x), [pixels, channels]),
    chain.ints(new Array(channels).fill(0), [1, channels]),
    chain.ints([0], []),
  ]);
  const batch: OpAttribute = { name: "batch_dims", type: ATTR.int, value: 0 };
  const attributes = [type("Tparams", DTYPE.int32), type("Tindices", DTYPE.int32), type("Taxis", DTYPE.int32), batch];
  const y = chain.op("GatherV2", attributes, [padded, indices, chain.ints([0], [])]);
  return chain.keep([{ id: y, shape: [...x.shape] }], DTYPE.int32)[0]!;
}

function boolean(chain: Chain, value: number, shape: readonly number[]): number {
  return chain.op("Reshape", [type("T", DTYPE.bool), SHAPE_INT], [value, chain.ints(shape)]);
}
