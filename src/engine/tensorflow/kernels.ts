/** The suite's own kernels (see `../ops.ts`) as TensorFlow ops. */
import { type KernelFunc, registerKernel, type Tensor, type TensorInfo } from "@tensorflow/tfjs-core";
import type { Binding } from "./binding.ts";
import { ATTR, DTYPE, type OpAttribute } from "./runtime.ts";

/** The parts of tfjs-node's NodeJSKernelBackend that are used here. */
export interface NodeBackend {
  readonly binding: Binding;
  executeSingleOutput(op: string, attributes: readonly OpAttribute[], inputs: readonly TensorInfo[]): Tensor;
  executeMultipleOutputs(
    op: string,
    attributes: readonly OpAttribute[],
    inputs: readonly TensorInfo[],
    outputs: number,
  ): Tensor[];
  getInputTensorIds(tensors: readonly TensorInfo[]): number[];
  createOutputTensor(metadata: { id: number; shape: number[]; dtype: number }): Tensor;
  getDTypeInteger(dtype: string): number;
}

const FLOAT: OpAttribute = { name: "T", type: ATTR.type, value: DTYPE.float32 };

function type(name: string, value: number): OpAttribute {
  return { name, type: ATTR.type, value };
}

function float(name: string, value: number): OpAttribute {
  return { name, type: ATTR.float, value };
}

/** FakeQuant with step 1: min and max are the integer bounds, so nothing is nudged. Null: it has no such range. */
function fakeQuantAttributes(low: number, high: number): OpAttribute[] | null {
  const bits = Math.ceil(Math.log2(high - low + 1));
  if (bits < 2 || bits > 16 || high - low + 1 < 2 ** bits - 1) return null;
  return [
    float("min", low),
    float("max", high),
    { name: "num_bits", type: ATTR.int, value: bits },
    { name: "narrow_range", type: ATTR.bool, value: high - low + 1 < 2 ** bits },
  ];
}

function batchNormAttributes(epsilon: number): OpAttribute[] {
  return [
    FLOAT,
    type("U", DTYPE.float32),
    float("epsilon", epsilon),
    { name: "data_format", type: ATTR.string, value: "NHWC" },
    { name: "is_training", type: ATTR.bool, value: true },
  ];
}

/** Registers the kernels for `backend`; it is called once, when the engine opens. */
export function registerKernels(backend: NodeBackend, empty: () => Tensor): void {
  const one = (op: string, attributes: OpAttribute[], inputs: TensorInfo[]) =>
    backend.executeSingleOutput(op, attributes, inputs);
  const many = (op: string, attributes: OpAttribute[], inputs: TensorInfo[], outputs: number) =>
    backend.executeMultipleOutputs(op, attributes, inputs, outputs);

  const kernels: Record<string, KernelFunc> = {
    RoundClip({ inputs: { x }, attrs }) {
      const low = attrs!.low as number, high = attrs!.high as number, attributes = fakeQuantAttributes(low, high);
      return attributes ? one("FakeQuantWithMinMaxArgs", attributes, [x!]) : roundClip(backend, x!, [low, high]);
    },
    RoundClipGrad({ inputs: { dy, x }, attrs }) {
      const low = attrs!.low as number, high = attrs!.high as number, attributes = fakeQuantAttributes(low, high);
      return attributes
        ? one("FakeQuantWithMinMaxArgsGradient", attributes, [dy!, x!])
        : roundClipGrad(backend, { dy: dy!, x: x! }, [low, high]);
    },
    BatchNormTraining({ inputs: { x, gamma, beta }, attrs }) {
      const none = empty(), attributes = batchNormAttributes(attrs!.epsilon as number);
      const results = many("FusedBatchNormV3", attributes, [x!, gamma!, beta!, none, none], 6);
      none.dispose();
      return results;
    },
    BatchNormTrainingGrad({ inputs: { dy, x, gamma, r1, r2, r3 }, attrs }) {
      const attributes = batchNormAttributes(attrs!.epsilon as number);
      const [dx, dgamma, dbeta, ...rest] = many(
        "FusedBatchNormGradV3",
        attributes,
        [dy!, x!, gamma!, r1!, r2!, r3!],
        5,
      );
      rest.forEach((tensor) => tensor.dispose());
      return [dx!, dgamma!, dbeta!];
    },
    ReluGrad({ inputs: { dy, y } }) {
      return one("ReluGrad", [FLOAT], [dy!, y!]);
    },
    Relu6Grad({ inputs: { dy, y } }) {
      return one("Relu6Grad", [FLOAT], [dy!, y!]);
    },
    LogDetInverse({ inputs: { a } }) {
      return logDetInverse(backend, a!);
    },
    UniformPerturbation({ inputs: { x, state, active }, attrs }) {
      return uniformPerturbation(backend, { x: x!, state: state!, active: active! }, attrs!.stream as number);
    },
  };
  for (const [kernelName, kernelFunc] of Object.entries(kernels)) {
    registerKernel({ kernelName, backendName: "tensorflow", kernelFunc });
  }
}

/** Raw ops: results are ids, so that dtypes that tfjs lacks can pass; `keep` turns one into a tensor, the rest is freed. */
class Chain {
  readonly #backend: NodeBackend;
  readonly #ids: number[] = [];

  constructor(backend: NodeBackend) {
    this.#backend = backend;
  }

  input(tensor: TensorInfo): number {
    return this.#backend.getInputTensorIds([tensor])[0]!;
  }

  ints(values: readonly number[], shape: readonly number[] = [values.length]): number {
    const id = this.#backend.binding.createTensor([...shape], DTYPE.int32, Int32Array.from(values));
    this.#ids.push(id);
    return id;
  }

  floats(values: readonly number[], shape: readonly number[]): number {
    const id = this.#backend.binding.createTensor([...shape], DTYPE.float32, Float32Array.from(values));
    this.#ids.push(id);
    return id;
  }

  op(name: string, attributes: readonly OpAttribute[], inputs: readonly number[]): number {
    const [output] = this.#backend.binding.executeOp(name, attributes, inputs, 1);
    this.#ids.push(output!.id);
    return output!.id;
  }

  /** The tensor of `id` (of this shape), and everything else of the chain freed. */
  keep(results: readonly { id: number; shape: number[] }[]): Tensor[] {
    const kept = new Set(results.map((result) => result.id));
    for (const id of this.#ids) if (!kept.has(id)) this.#backend.binding.deleteTensor(id);
    return results.map(({ id, shape }) => this.#backend.createOutputTensor({ id, shape, dtype: DTYPE.float32 }));
  }
}

/** floor(clip(x) + 1/2), for the ranges that FakeQuant lacks (those of 1 bit among them). */
function roundClip(backend: NodeBackend, x: TensorInfo, [low, high]: readonly [number, number]): Tensor {
  const chain = new Chain(backend);
  const clipped = chain.op("ClipByValue", [FLOAT], [chain.input(x), chain.floats([low], []), chain.floats([high], [])]);
  const y = chain.op("Floor", [FLOAT], [chain.op("AddV2", [FLOAT], [clipped, chain.floats([0.5], [])])]);
  return chain.keep([{ id: y, shape: [...x.shape] }])[0]!;
}

/** dy where clip(x) = x, else 0; the gradient of `roundClip`. */
function roundClipGrad(
  backend: NodeBackend,
  { dy, x }: { dy: TensorInfo; x: TensorInfo },
  [low, high]: readonly [number, number],
): Tensor {
  const chain = new Chain(backend), value = chain.input(x), gradient = chain.input(dy);
  const clipped = chain.op("ClipByValue", [FLOAT], [value, chain.floats([low], []), chain.floats([high], [])]);
  const inside = chain.op("Equal", [FLOAT], [value, clipped]), none = chain.op("ZerosLike", [FLOAT], [gradient]);
  const dx = chain.op("SelectV2", [FLOAT], [inside, gradient, none]);
  return chain.keep([{ id: dx, shape: [...x.shape] }])[0]!;
}

const INT: OpAttribute = type("T", DTYPE.int32);
const INDEX_INT: OpAttribute = type("Index", DTYPE.int32);

/** StatelessRandomUniformV2 with explicit key and counter: TensorFlow's Philox is the one of `random/philox.ts`. */
function uniformPerturbation(
  backend: NodeBackend,
  inputs: { x: TensorInfo; state: TensorInfo; active: TensorInfo },
  stream: number,
): Tensor {
  const chain = new Chain(backend), { shape } = inputs.x, rank = shape.length;
  const state = chain.op("AddV2", [INT], [chain.input(inputs.state), chain.ints([0, 0, 0, stream, 0, 0])]);
  const words = (begin: number, size: number, as: readonly number[]) => {
    const part = chain.op("Slice", [INT, INDEX_INT], [state, chain.ints([begin]), chain.ints([size])]);
    const pairs = chain.op("Reshape", [INT, type("Tshape", DTYPE.int32)], [part, chain.ints([...as, 2])]);
    return chain.op("Bitcast", [INT, type("type", DTYPE.uint64)], [pairs]);
  };
  const key = words(0, 2, [1]), counter = words(2, 4, [2]);
  // where the noise is off, one number is drawn instead of all of them
  let size = chain.ints(shape);
  if (!backend.binding.recordingForXla) {
    const ones = chain.ints(shape.map(() => 1)), less = chain.ints(shape.map((dim) => dim - 1));
    const on = chain.op("Cast", [type("SrcT", DTYPE.float32), type("DstT", DTYPE.int32)], [chain.input(inputs.active)]);
    size = chain.op("AddV2", [INT], [ones, chain.op("Mul", [INT], [less, on])]);
  }
  const uniform = chain.op("StatelessRandomUniformV2", [type("dtype", DTYPE.float32), type("Tshape", DTYPE.int32)], [
    size,
    key,
    counter,
    chain.ints([1], []), // algorithm 1: Philox
  ]);
  const centred = chain.op("Sub", [FLOAT], [uniform, chain.floats([0.5], [])]);
  const noise = chain.op("Mul", [FLOAT], [centred, chain.input(inputs.active)]);
  const sum = chain.op("AddV2", [FLOAT], [chain.input(inputs.x), noise]);
  // the shape of the noise is only known when it runs: state the result's again, tfjs wants static shapes
  const y = rank === 0
    ? sum
    : chain.op("EnsureShape", [FLOAT, { name: "shape", type: ATTR.shape, value: shape }], [sum]);
  return chain.keep([{ id: y, shape: [...shape] }])[0]!;
}

/** L = chol(a); log det = 2 sum log diag L; inverse = L^-T L^-1. */
function logDetInverse(backend: NodeBackend, a: TensorInfo): Tensor[] {
  const chain = new Chain(backend), [k, n] = a.shape as [number, number, number];
  const identity = Array.from({ length: k * n * n }, (_, i) => Math.floor(i / n) % n === i % n ? 1 : 0);
  const factor = chain.op("Cholesky", [FLOAT], [chain.input(a)]);
  const logs = chain.op("Log", [FLOAT], [chain.op("MatrixDiagPart", [FLOAT], [factor])]);
  const sum = chain.op(
    "Sum",
    [FLOAT, type("Tidx", DTYPE.int32), { name: "keep_dims", type: ATTR.bool, value: false }],
    [logs, chain.ints([1])],
  );
  const logDet = chain.op("Mul", [FLOAT], [sum, chain.floats([2], [])]);
  const inverseFactor = chain.op("MatrixTriangularSolve", [
    FLOAT,
    { name: "lower", type: ATTR.bool, value: true },
    { name: "adjoint", type: ATTR.bool, value: false },
  ], [factor, chain.floats(identity, [k, n, n])]);
  const inverse = chain.op("BatchMatMulV2", [
    FLOAT,
    { name: "adj_x", type: ATTR.bool, value: true },
    { name: "adj_y", type: ATTR.bool, value: false },
  ], [inverseFactor, inverseFactor]);
  return chain.keep([{ id: logDet, shape: [k] }, { id: inverse, shape: [k, n, n] }]);
}
