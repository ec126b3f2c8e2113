/** `UniformPerturbation` of `../ops.ts`: x + active u, the same numbers on every engine. */
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import { Chain, FLOAT, type NodeBackend, type } from "./chain.ts";
import { ATTR, DTYPE, type OpAttribute } from "./runtime.ts";

const INT: OpAttribute = type("T", DTYPE.int32);
const LONG: OpAttribute = type("T", DTYPE.uint64);
const INDEX_INT: OpAttribute = type("Index", DTYPE.int32);
const SHAPE_INT: OpAttribute = type("Tshape", DTYPE.int32);

/** Inputs of the kernel: the tensor that is perturbed, and what perturbs it. */
interface Inputs {
  readonly x: TensorInfo;
  readonly state: TensorInfo;
  readonly active: TensorInfo;
}

/** The kernel: TensorFlow's own generator, or, as XLA's is another one, Philox written out. */
export function uniformPerturbation(backend: NodeBackend, inputs: Inputs, stream: number): Tensor {
  const chain = new Chain(backend), { shape } = inputs.x;
  const offset = chain.ints([0, 0, 0, stream, 0, 0]),
    state = chain.op("AddV2", [INT], [chain.input(inputs.state), offset]);
  const uniform = backend.binding.recordingForXla
    ? writtenOut(chain, state, shape)
    : generated(chain, state, { shape, active: chain.input(inputs.active) });
  const centred = chain.op("Sub", [FLOAT], [uniform, chain.floats([0.5], [])]);
  const noise = chain.op("Mul", [FLOAT], [centred, chain.input(inputs.active)]);
  const sum = chain.op("AddV2", [FLOAT], [chain.input(inputs.x), noise]);
  // the shape of the noise is only known when it runs: state the result's again, tfjs wants static shapes
  const y = shape.length === 0
    ? sum
    : chain.op("EnsureShape", [FLOAT, { name: "shape", type: ATTR.shape, value: shape }], [sum]);
  return chain.keep([{ id: y, shape: [...shape] }])[0]!;
}

/**
 * StatelessRandomUniformV2 with explicit key and counter: TensorFlow's Philox is the one of `random/philox.ts`.
 * @returns [0, 1) of `shape`; of [1, ..., 1] where the noise is off.
 */
function generated(
  chain: Chain,
  state: number,
  { shape, active }: { readonly shape: readonly number[]; readonly active: number },
): number {
  const words = (begin: number, size: number, as: readonly number[]) => {
    const part = chain.op("Slice", [INT, INDEX_INT], [state, chain.ints([begin]), chain.ints([size])]);
    const pairs = chain.op("Reshape", [INT, SHAPE_INT], [part, chain.ints([...as, 2])]);
    return chain.op("Bitcast", [INT, type("type", DTYPE.uint64)], [pairs]);
  };
  const key = words(0, 2, [1]), counter = words(2, 4, [2]);
  // where the noise is off, one number is drawn instead of all of them
  const ones = chain.ints(shape.map(() => 1)), less = chain.ints(shape.map((dim) => dim - 1));
  const on = chain.op("Cast", [type("SrcT", DTYPE.float32), type("DstT", DTYPE.int32)], [active]);
  const size = chain.op("AddV2", [INT], [ones, chain.op("Mul", [INT], [less, on])]);
  const algorithm = chain.ints([1], []); // Philox
  return chain.op("StatelessRandomUniformV2", [type("dtype", DTYPE.float32), SHAPE_INT], [
    size,
    key,
    counter,
    algorithm,
  ]);
}

/** See `random/philox.ts`. */
const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const, WEYL = [0x9e3779b9, 0xbb67ae85] as const, ROUNDS = 10;

/**
 * Philox4x32-10 in uint64 arithmetic, a vector of blocks at once: XLA makes one pass of it.
 * @returns [0, 1) of `shape`.
 */
function writtenOut(chain: Chain, state: number, shape: readonly number[]): number {
  const length = shape.reduce((product, dim) => product * dim, 1), blocks = Math.ceil(length / 4);
  const two = (op: string, a: number, b: number) => chain.op(op, [LONG], [a, b]);
  /** int32 bits as uint64 in [0, 2^32) */
  const wide = (ints: number) => {
    const bits = chain.op("Bitcast", [INT, type("type", DTYPE.uint32)], [ints]);
    return chain.op("Cast", [type("SrcT", DTYPE.uint32), type("DstT", DTYPE.uint64)], [bits]);
  };
  const constant = (value: number) => wide(chain.ints([value | 0]));
  const mask = constant(0xffffffff), half = constant(32);
  const low = (value: number) => two("BitwiseAnd", value, mask),
    high = (value: number) => two("RightShift", value, half);
  const word = (place: number) =>
    wide(chain.op("Slice", [INT, INDEX_INT], [state, chain.ints([place]), chain.ints([1])]));
  const [multiplier0, multiplier1] = MULTIPLIERS.map(constant), [weyl0, weyl1] = WEYL.map(constant);
  let k0 = word(0), k1 = word(1);
  // counter + block number, with carries
  let carry = wide(
    chain.op("Range", [type("Tidx", DTYPE.int32)], [0, blocks, 1].map((value) => chain.ints([value], []))),
  );
  let [c0, c1, c2, c3] = [2, 3, 4, 5].map((place) => {
    const sum = two("AddV2", word(place), carry);
    carry = high(sum);
    return low(sum);
  }) as [number, number, number, number];
  for (let round = 0; round < ROUNDS; round++) {
    const product0 = two("Mul", multiplier0!, c0), product1 = two("Mul", multiplier1!, c2);
    c0 = two("BitwiseXor", two("BitwiseXor", high(product1), c1), k0);
    c2 = two("BitwiseXor", two("BitwiseXor", high(product0), c3), k1);
    c1 = low(product1);
    c3 = low(product0);
    k0 = low(two("AddV2", k0, weyl0!));
    k1 = low(two("AddV2", k1, weyl1!));
  }
  const mantissa = constant(0x7fffff), axis: OpAttribute = { name: "axis", type: ATTR.int, value: 1 };
  const words = [c0, c1, c2, c3].map((value) => two("BitwiseAnd", value, mantissa));
  const packed = chain.op("Pack", [LONG, { name: "N", type: ATTR.int, value: 4 }, axis], words); // [blocks, 4]
  const flat = chain.op("Reshape", [LONG, SHAPE_INT], [packed, chain.ints([4 * blocks])]);
  const drawn = chain.op("Slice", [LONG, INDEX_INT], [flat, chain.ints([0]), chain.ints([length])]);
  const floats = chain.op("Cast", [type("SrcT", DTYPE.uint64), type("DstT", DTYPE.float32)], [drawn]);
  const unit = chain.op("Mul", [FLOAT], [floats, chain.floats([2 ** -23], [])]);
  return chain.op("Reshape", [FLOAT, SHAPE_INT], [unit, chain.ints(shape)]);
}
