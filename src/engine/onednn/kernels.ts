/** Which function computes which node. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { WasmKernel } from "../wasm/heap.ts";
import { cropFlip } from "../wasm/kernels/crop_flip.ts";
import { logDetInverse } from "../wasm/kernels/log_det.ts";
import { maxPoolAxis as maxPoolByTaps, maxPoolAxisGrad as maxPoolGradByTaps } from "../wasm/kernels/max_pool.ts";
import { relu6Grad, reluGrad } from "../wasm/kernels/rectifiers.ts";
import { roundClip, roundClipGrad } from "../wasm/kernels/round_clip.ts";
import { uniformPerturbation } from "../wasm/kernels/uniform_perturbation.ts";
import type { OneDnnBackend } from "./backend.ts";
import { chain, convert, perturbIntegers } from "./chain.ts";
import { convolution, filterGradient, inputGradient, integerConvolution } from "./convolutions.ts";
import type { Node, Use, Values } from "./graph.ts";
import { dot, elementwise, reduction, type Run } from "./loops.ts";
import { matMul } from "./mat_mul.ts";
import { batchNormGradient, normStatistics } from "./norms.ts";
import type { Build, Builder } from "./builder.ts";
import { maxPoolAxis, maxPoolAxisGrad } from "./pooling.ts";
import { axesOf, BINARY, COMPARISONS, REDUCTIONS, UNARY } from "./shapes.ts";

const PRIMITIVES: Readonly<Record<string, (node: Node, builder: Builder) => Run | null>> = {
  Conv2D: convolution,
  Conv2DBackpropInput: inputGradient,
  Conv2DBackpropFilter: filterGradient,
  DepthwiseConv2dNative: convolution,
  DepthwiseConv2dNativeBackpropInput: inputGradient,
  DepthwiseConv2dNativeBackpropFilter: filterGradient,
  NormStatistics: normStatistics,
  BatchNormTrainingGrad: batchNormGradient,
  BatchMatMul: matMul,
  IntegerConvolution: integerConvolution,
  Chain: chain,
  Convert: convert,
  PerturbIntegers: perturbIntegers,
  MaxPoolAxis: (node, builder) => maxPoolAxis(node, builder, fromWasm(node, builder)!),
  MaxPoolAxisGrad: maxPoolAxisGrad,
};

/** Loops of engine wasm, which need only arrays. */
const LOOPS: Readonly<Record<string, WasmKernel>> = {
  RoundClip: roundClip,
  RoundClipGrad: roundClipGrad,
  ReluGrad: reluGrad,
  Relu6Grad: relu6Grad,
  UniformPerturbation: uniformPerturbation,
  CropFlip: cropFlip,
  LogDetInverse: logDetInverse,
  MaxPoolAxis: maxPoolByTaps,
  MaxPoolAxisGrad: maxPoolGradByTaps,
};

/** Kernels that tfjs's CPU backend lacks. */
export const OWN_KERNELS: readonly string[] = [
  ...Object.keys(LOOPS),
  "BatchNormTraining",
  "BatchNormTrainingGrad",
];

/** Kernels that a program of one call runs better than tfjs's CPU backend. */
export const QUICKER_KERNELS: readonly string[] = Object.keys(PRIMITIVES).filter((name) =>
  /^(Depthwise)?Conv2[dD]/.test(name)
);

/** Returns the function that builds nodes on a backend. */
export function buildWith(backend: OneDnnBackend): Build {
  return (node, builder) =>
    PRIMITIVES[node.kernel]?.(node, builder) ?? looped(node, builder) ?? fromWasm(node, builder) ??
      onCpu(node, builder, backend);
}

function looped(node: Node, builder: Builder): Run | null {
  const { kernel, inputs, outputs } = node, to = outputs[0]!;
  const operand = (use: Use) => ({ values: builder.values(use), shape: use.shape });
  const expression = BINARY[kernel] ?? COMPARISONS[kernel];
  if (expression && (kernel in COMPARISONS || to.value.type === "float32")) {
    return elementwise(expression, operand(to), { a: operand(inputs["a"]!), b: operand(inputs["b"]!) });
  }
  const x = inputs["x"];
  if (UNARY[kernel] && x!.value.type === "float32") return elementwise(UNARY[kernel], operand(to), { x: operand(x!) });
  if (kernel === "Cast") {
    return elementwise(to.value.type === "bool" ? "x !== 0" : "x", operand(to), { x: operand(x!) });
  }
  if (kernel === "Select" && inputs["condition"]!.shape.length === to.shape.length) {
    const { condition, t, e } = inputs;
    return elementwise("c ? t : e", operand(to), { c: operand(condition!), t: operand(t!), e: operand(e!) });
  }
  if (kernel === "Dot") {
    const [a, b] = [builder.values(inputs["a"]!), builder.values(inputs["b"]!)];
    return dot(builder.values(to), { a, b, count: node.attrs["count"] as number });
  }
  if (REDUCTIONS.has(kernel) && x!.value.type === "float32") {
    return reduction(kernel, { to: builder.values(to), from: operand(x!), axes: axesOf(node.attrs, x!.shape.length) });
  }
  return null;
}

/** A heap for one call: its arrays are the node's. */
function fromWasm({ kernel, inputs, attrs, outputs }: Node, builder: Builder): Run | null {
  const loop = LOOPS[kernel];
  if (!loop) return null;
  const arrays = new Map<object, Values>();
  const info = (use: Use): TensorInfo => {
    const dataId = {};
    arrays.set(dataId, builder.values(use));
    return { dataId, shape: [...use.shape], dtype: use.value.type as TensorInfo["dtype"] };
  };
  const given = Object.fromEntries(Object.entries(inputs).map(([name, use]) => [name, info(use)]));
  const results = outputs.map(info);
  return () => {
    let next = 0;
    const backend = {
      makeOutput: () => results[next++]!,
      typedArrayFromHeap({ dataId, dtype }: TensorInfo) {
        const values = arrays.get(dataId)!;
        const Wanted = dtype === "int32" ? Int32Array : Float32Array;
        return values instanceof Wanted
          ? values
          : new Wanted(values.buffer as ArrayBuffer, values.byteOffset, values.length);
      },
    };
    loop({ inputs: given, attrs, backend: backend as unknown as BackendWasm });
  };
}

/** tfjs's own kernel on the node's arrays; its result is copied. */
function onCpu(node: Node, builder: Builder, backend: OneDnnBackend): Run {
  const infos = Object.entries(node.inputs).map(([name, use]) => {
    const dtype = use.value.type as TensorInfo["dtype"];
    return [name, backend.tensor(use.shape, dtype, builder.values(use))] as const;
  });
  builder.keep(() => infos.forEach(([, { dataId }]) => backend.disposeData(dataId, true)));
  const inputs = node.list ? infos.map(([, info]) => info) : Object.fromEntries(infos);
  const targets = node.outputs.map((use) => builder.values(use));
  return () => {
    backend.runOnCpu(node.kernel, inputs, node.attrs).forEach((info, i) => {
      targets[i]?.set(backend.valuesOf(info));
      backend.disposeData(info.dataId);
    });
  };
}
