/** The suite's own kernels (see `../ops.ts`) as TensorFlow ops. */
import {
  getKernel,
  type KernelFunc,
  registerKernel,
  type Tensor,
  type TensorInfo,
  tidy,
  unregisterKernel,
} from "@tensorflow/tfjs-core";
import type { AxisPooling } from "../ops.ts";
import { Chain, FLOAT, type NodeBackend, type } from "./chain.ts";
import { ATTR, DTYPE, type OpAttribute } from "./runtime.ts";
import { cropFlip } from "./crop_flip.ts";
import { maxPoolAxis, maxPoolAxisGrad } from "./max_pool.ts";
import { uniformPerturbation } from "./uniform_perturbation.ts";

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
      const y = attributes ? one("FakeQuantWithMinMaxArgs", attributes, [x!]) : roundClip(backend, x!, [low, high]);
      backend.binding.noteRounded(backend.getInputTensorIds([y])[0]!, { low, high });
      return y;
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
    GatherV2({ inputs: { x, indices }, attrs }) {
      return gather(backend, { x: x!, indices: indices! }, attrs as unknown as Gathering);
    },
    CropFlip({ inputs: { x, crops } }) {
      return cropFlip(backend, x!, crops!);
    },
    MaxPoolAxis({ inputs: { x }, attrs }) {
      return tidy(() => maxPoolAxis(x as Tensor, attrs as unknown as AxisPooling));
    },
    MaxPoolAxisGrad({ inputs: { dy, winner }, attrs }) {
      const pooling = attrs as unknown as AxisPooling & { length: number };
      return tidy(() => maxPoolAxisGrad(dy as Tensor, winner as Tensor, pooling));
    },
    UniformPerturbation({ inputs: { x, state, active }, attrs }) {
      return uniformPerturbation(backend, { x: x!, state: state!, active: active! }, attrs!.stream as number);
    },
  };
  for (const [kernelName, kernelFunc] of Object.entries(kernels)) {
    if (getKernel(kernelName, "tensorflow")) unregisterKernel(kernelName, "tensorflow");
    registerKernel({ kernelName, backendName: "tensorflow", kernelFunc });
  }
}

/** Attributes of tfjs's `GatherV2`. */
interface Gathering {
  readonly axis: number;
  readonly batchDims: number;
}

/** tfjs-node's own kernel reads the indices, so it cannot be recorded. Bytes come out as int32. */
function gather(
  backend: NodeBackend,
  { x, indices }: { x: TensorInfo; indices: TensorInfo },
  { axis, batchDims }: Gathering,
): Tensor {
  const chain = new Chain(backend), { dtype } = backend.tensorMap.get(x.dataId);
  const attributes = [type("Tparams", dtype), type("Tindices", DTYPE.int32), type("Taxis", DTYPE.int32)];
  const y = chain.op("GatherV2", [...attributes, { name: "batch_dims", type: ATTR.int, value: batchDims }], [
    chain.input(x),
    chain.input(indices),
    chain.ints([axis], []),
  ]);
  const shape = [...x.shape.slice(0, axis), ...indices.shape.slice(batchDims), ...x.shape.slice(axis + 1)];
  if (dtype !== DTYPE.uint8) return chain.keep([{ id: y, shape }], dtype)[0]!;
  const wide = chain.op("Cast", [type("SrcT", dtype), type("DstT", DTYPE.int32)], [y]);
  return chain.keep([{ id: wide, shape }], DTYPE.int32)[0]!;
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
